// The files of the message that is being written: each is uploaded from the moment it is chosen. The form keeps their
// descriptions in a field, so that they are sent, stored as a draft and restored like the text.

import { descriptionsOf, keysInUse, uploadsOf } from "chatty/chat/uploads.js";
import { sizeText } from "chatty/lib/files.js";
import { asJpeg } from "chatty/lib/heic.js";
import { element, part, templateContent, view } from "chatty/views/dom.js";
import { t, tn } from "chatty/views/i18n.js";
import { announce } from "chatty/views/live_region.js";
import { loadStyles } from "chatty/views/page_head.js";
import { toast } from "chatty/views/toast.js";
import { Tray } from "chatty/views/tray.js";
import "chatty/views/files_templates.js";

const MAX = 100 * 1_048_576; // bytes, unless the page says otherwise
const NUMBER = 10;

export class Attach {
  #form;
  #page;
  #field; // has the descriptions, as JSON
  #max;
  #number;
  #uploads;
  #tray;
  #known = ""; // the value of #field
  #files = []; // the same as descriptions, in their order
  #target = null; // where files can be dropped, while they are dragged
  #recorder = null;
  #isStyled = false; // before that, nothing is shown
  #stops = [];
  #ending = new AbortController();

  /** `form`: the composer. `page`: see page.js. */
  constructor({ form, page }) {
    this.#form = form;
    this.#page = page;
    this.#field = form.querySelector("[data-content][name=files]");
    this.#max = Number(form.dataset.fileMax) || MAX;
    this.#number = Number(form.dataset.filesMax) || NUMBER;
    this.#uploads = uploadsOf(page.rest, t);
    const place = element("div", "tray");
    place.hidden = true;
    part(form, "composer__box").before(place);
    this.#tray = new Tray({
      place,
      uploads: this.#uploads,
      onChange: (files) => this.#change(files),
      onRemove: (key) => this.#remove(key),
    });
  }

  // Lifecycle

  connect() {
    const { signal } = this.#ending;
    const on = (target, type, work) => target.addEventListener(type, work, { signal });
    on(this.#form, "change", () => this.#read());
    // A drag that leaves the window, or ends in another way.
    on(document, "dragleave", (event) => event.relatedTarget || this.#hideTarget());
    on(document, "keydown", (event) => event.key === "Escape" && this.#hideTarget());
    const { chat } = this.#page;
    this.#stops = [
      this.#uploads.on("change", ({ key }) => this.#tray.update(key)),
      chat.on("status", () => chat.status.isDown || this.#uploads.retry()),
    ];
    on(window, "online", () => this.#uploads.retry());
    on(window, "beforeunload", (event) => this.#isLosing && event.preventDefault());
    this.#read();
    loadStyles(templateContent("attach-styles")).then(() => {
      this.#isStyled = true;
      this.#read();
    });
    // What shows them in the message, also without a connection.
    view("files").catch(() => {});
    const { scope, sending } = this.#page;
    this.#uploads.forgetSent(sending.outbox);
    sending.loaded.then(() => this.#uploads.tidy(scope, keysInUse(sending)));
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    this.#ending.abort();
    this.#hideTarget();
    this.#recorder?.disconnect();
    this.#tray.disconnect();
  }

  // Public methods

  /** Attach files, or say why not. Resolves with whether all of them are attached. */
  async add(files) {
    if (this.#isLocked) return false;
    const taken = [];
    for (const file of files) {
      const refusal = await this.#refusalOf(file, this.#files.length + taken.length);
      if (refusal) toast.error(refusal);
      else taken.push(await asJpeg(file));
    }
    if (!taken.length) return false;
    const { scope } = this.#page;
    const made = taken.map((file) => this.#uploads.add(file, { scope }));
    this.#change([...this.#files, ...made]);
    announce(
      made.length > 1 ? tn("attach.added", made.length) : t("attach.added.one", { name: made[0].name }),
    );
    this.#form.elements.body.focus();
    for (const [index, description] of made.entries()) this.#measure(description, taken[index]);
    return taken.length === files.length;
  }

  drop(files) {
    this.#hideTarget();
    return this.add(files);
  }

  /** Files are dragged over the page. */
  showTarget() {
    if (this.#target || this.#isLocked) return;
    this.#target = element("div", "drop", element("p", "drop__text", t("attach.drop")));
    this.#form.closest(".conversation").append(this.#target);
  }

  /** Record a voice message while `field` is checked. */
  async record(field) {
    if (!field.checked) this.#recorder?.stop();
    if (!field.checked || this.#recorder) return;
    const { Recorder } = await view("voice", { isAwaited: true });
    if (this.#recorder || this.#ending.signal.aborted || this.#isLocked) return;
    this.#recorder = new Recorder({
      form: this.#form,
      onDone: (file) => {
        this.#recorder = null;
        field.checked = false;
        if (file) this.add([file]);
      },
    });
    await this.#recorder.connect();
  }

  // Internal

  get #isLocked() {
    return Boolean(this.#page.conversation?.composer.locked);
  }

  /** Whether a reload would lose a file, because the browser could not store it. */
  get #isLosing() {
    return this.#files.some(({ key }) => this.#uploads.get(key)?.isKept === false);
  }

  /** Why this file can't be attached, before any byte of it leaves the device. Undefined if it can. */
  async #refusalOf(file, number) {
    const { name } = file;
    if (number >= this.#number) return tn("attach.too_many", this.#number);
    if (file.size > this.#max) return t("attach.too_big", { name, max: sizeText(this.#max) });
    // A folder, or a file that may not be read.
    const canRead = await file
      .slice(0, 1)
      .arrayBuffer()
      .catch(() => null);
    if (!canRead) return t("attach.unreadable", { name });
    return file.size ? undefined : t("attach.empty", { name });
  }

  /** The box of a picture is known before it is shown. */
  async #measure({ key, type }, file) {
    if (!type.startsWith("image/")) return;
    const address = URL.createObjectURL(file);
    const image = new Image();
    image.src = address;
    await image.decode().catch(() => {});
    URL.revokeObjectURL(address);
    const { naturalWidth: width, naturalHeight: height } = image;
    const isThere = this.#files.some((known) => known.key === key);
    if (width && isThere)
      this.#change(this.#files.map((known) => (known.key === key ? { ...known, width, height } : known)));
  }

  #remove(key) {
    this.#change(this.#files.filter((known) => known.key !== key));
    this.#uploads.cancel(key);
  }

  /** The files have been changed here: the composer stores its draft. */
  #change(files) {
    this.#field.value = files.length ? JSON.stringify(files) : "";
    this.#field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Show what the form has: it has been changed here, sent, or filled with a draft. */
  #read() {
    const { value } = this.#field;
    if (value !== this.#known) {
      this.#known = value;
      this.#files = descriptionsOf(value);
      for (const description of this.#files) this.#uploads.resume(description);
      this.#form.toggleAttribute("data-files", this.#files.length > 0);
    }
    if (this.#isStyled && this.#tray.shown !== this.#files) this.#tray.show(this.#files);
  }

  #hideTarget() {
    this.#target?.remove();
    this.#target = null;
  }
}
