// Records a voice message. It is attached like a file, and can be listened to before it is sent.

import { durationText } from "chatty/lib/files.js";
import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { fill, fromTemplate, part } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import { announce } from "chatty/views/live_region.js";
import { withDuration } from "chatty/lib/webm.js";
import { toast } from "chatty/views/toast.js";

const LONGEST = 300_000; // ms
const FORMATS = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/mp4", "m4a"],
  ["audio/ogg;codecs=opus", "ogg"],
];
const [BAR, GAP] = [3, 2]; // px

export class Recorder {
  #form;
  #onDone;
  #bar = null;
  #stream = null;
  #recorder = null;
  #pieces = [];
  #levels = []; // from 0 to 1, oldest first
  #context = null;
  #begun = null;
  #timer;
  #isKept = true;
  #isOver = false;

  /** `onDone(file)`: with what was recorded, or null. */
  constructor({ form, onDone }) {
    this.#form = form;
    this.#onDone = onDone;
  }

  async connect() {
    const format = FORMATS.find(([type]) => globalThis.MediaRecorder?.isTypeSupported(type));
    try {
      if (!format) throw new TypeError("This browser can't record.");
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      toast.error(t(error.name === "NotAllowedError" ? "voice.forbidden" : "voice.impossible"));
      return this.#end(null);
    }
    if (this.#isOver) return this.#end(null); // while the browser was asking
    const [type, ending] = format;
    this.#recorder = new MediaRecorder(this.#stream, { mimeType: type });
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#pieces.push(data));
    this.#recorder.addEventListener("stop", () => this.#finish(type, ending));
    this.#show();
    this.#recorder.start();
    this.#begun = momentNow();
    return announce(t("voice.recording"));
  }

  /** Keep what has been recorded. */
  stop() {
    this.#stop(true);
  }

  /** Discard what has been recorded. */
  disconnect() {
    this.#isOver = true;
    this.#stop(false);
  }

  // Internal

  #show() {
    this.#bar = fromTemplate("voice-template");
    this.#bar.addEventListener("click", (event) => {
      const action = event.target.closest("[data-action]")?.dataset.action;
      if (action) this.#stop(action === "stop");
    });
    part(this.#form, "composer__box").before(this.#bar);
    this.#bar.querySelector("[data-action=stop]").focus();
    this.#context = new AudioContext();
    const analyser = new AnalyserNode(this.#context, { fftSize: 1024 });
    this.#context.createMediaStreamSource(this.#stream).connect(analyser);
    this.#timer = setInterval(() => this.#step(analyser), 100);
  }

  #step(analyser) {
    const passed = elapsedSince(this.#begun);
    fill(this.#bar, "time", durationText(passed / 1_000));
    const samples = new Uint8Array(analyser.fftSize);
    analyser.getByteTimeDomainData(samples);
    this.#levels.push(Math.max(...samples.map((sample) => Math.abs(sample - 128))) / 128);
    this.#draw();
    if (passed >= LONGEST) this.#stop(true);
  }

  #draw() {
    const canvas = part(this.#bar, "voice__level");
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = width * devicePixelRatio;
    canvas.height = height * devicePixelRatio;
    const pen = canvas.getContext("2d");
    pen.scale(devicePixelRatio, devicePixelRatio);
    pen.fillStyle = getComputedStyle(canvas).color;
    const shown = this.#levels.slice(-Math.floor(width / (BAR + GAP)));
    shown.forEach((level, index) => {
      const tall = Math.max(2, Math.min(1, level * 2) * height);
      pen.fillRect(index * (BAR + GAP), (height - tall) / 2, BAR, tall);
    });
  }

  #stop(isKept) {
    this.#isKept = isKept;
    if (this.#recorder?.state === "recording") this.#recorder.stop();
  }

  async #finish(type, ending) {
    const seconds = elapsedSince(this.#begun) / 1_000;
    this.#end(this.#isKept ? await this.#fileOf(type, ending, seconds) : null);
  }

  async #fileOf(type, ending, seconds) {
    const pieces = ending === "webm" ? await withDuration(new Blob(this.#pieces), seconds) : this.#pieces;
    const now = new Date();
    const date = `${now.toLocaleDateString("sv")} ${now.toLocaleTimeString("sv").replaceAll(":", ".")}`;
    return new File(pieces, `${t("voice.name", { date })}.${ending}`, { type: type.split(";")[0] });
  }

  #end(file) {
    clearInterval(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#bar?.remove();
    if (this.#bar) this.#form.elements.body.focus();
    this.#onDone(file);
  }
}
