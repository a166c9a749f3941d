// The one socket of this page: opened again whenever it is lost, for as long as that makes sense.
//
// Emits:
//   status {state, code?}  "connecting" | "online" | "waiting" (for the next attempt) | "stopped"
//                          | "off" (disconnect() was called); code: of the close that led here
//   hello  frame           the server has let us in; from now on send() carries
//   frame  frame           every other frame, `type` from protocol.js
//   renew  {}              the sign-in must be looked at before trying again: call resume()

import { reconnectDelay } from "chatty/lib/backoff.js";
import { Emitter } from "chatty/lib/emitter.js";
import { afterClose, SUBPROTOCOL } from "chatty/chat/protocol.js";

const OPENING = 15_000; // ms for the handshake and the hello
const SILENCE = 60_000; // ms without any frame (heartbeats come every 25 s) before it counts as dead
const CHECK_AFTER = 30_000; // ms of silence after which a page that wakes up asks
const ANSWER = 5_000; // ms for the answer to that question
const PROMPT = 3; // attempts in a row without a hello that may follow each other at once
const WAIT = 30_000; // ms after 4429 when the server named no time

export class Socket extends Emitter {
  #url;
  #random;
  #socket = null;
  #timer = null; // the next attempt, or the end of patience with this socket
  #stopListening = null;
  #state = "off";
  #code; // of the last close
  #attempt = 0;
  #downSince = 0;
  #lastHeard = 0;
  #retryAfter = 0; // ms the server asked us to wait
  #everOpen = false;
  #failedAttempts = 0; // attempts in a row that never came to a hello

  constructor(url, { random = Math.random } = {}) {
    super();
    this.#url = url;
    this.#random = random;
  }

  // Lifecycle

  connect() {
    if (this.#state !== "off") return;
    this.#listen();
    this.#downSince = Date.now();
    this.#open();
  }

  disconnect() {
    this.#stopListening?.();
    this.#stopListening = null;
    this.#setState("off");
    this.#drop(1000);
  }

  // Words

  get online() {
    return this.#state === "online";
  }

  get state() {
    return this.#state;
  }

  /** Why the last socket closed; undefined before that, and while one is open. */
  get code() {
    return this.online ? undefined : this.#code;
  }

  /** Attempts in a row without a hello, while none ever succeeded on this page. */
  get failedAttempts() {
    return this.#everOpen ? 0 : this.#failedAttempts;
  }

  /** Hand a frame over. False when there is no open socket: nothing is queued here. */
  send(frame) {
    if (!this.online || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /**
   * Try now instead of at the end of the wait; after "renew" this is the way on. A server that keeps
   * asking for other credentials is not asked again at once.
   */
  resume() {
    if (this.#state === "waiting" && this.#failedAttempts < PROMPT) this.#open();
  }

  // Internal

  #open() {
    this.#drop(1000);
    this.#setState("connecting");
    let socket;
    try {
      socket = new WebSocket(this.#url, SUBPROTOCOL);
    } catch {
      this.#onClose(1006); // a policy of the page forbids it
      return;
    }
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#onData(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#onClose(event.code);
    this.#expectWithin(OPENING);
  }

  #onData(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // not one of ours; the next heartbeat tells whether the connection works
    }
    this.#lastHeard = Date.now();
    if (this.online) this.#expectWithin(SILENCE);
    if (frame.type === "hello") this.#onHello(frame);
    else this.#onFrame(frame);
  }

  #onHello(frame) {
    this.#attempt = 0;
    this.#failedAttempts = 0;
    this.#everOpen = true;
    this.#retryAfter = 0;
    this.#setState("online");
    this.#expectWithin(SILENCE);
    this.emit("hello", frame);
  }

  #onFrame(frame) {
    // A word about the socket itself, such as why it is about to be closed, names no message.
    if (frame.type === "error" && !frame.key && frame.retry_after) {
      this.#retryAfter = frame.retry_after * 1000;
    }
    this.emit("frame", frame);
  }

  #onClose(code) {
    if (this.#state === "online") this.#downSince = Date.now();
    else this.#failedAttempts += 1;
    this.#drop(1000);
    const next = afterClose(code);
    if (next === "stop") {
      this.#setState("stopped", code);
    } else if (next === "renew") {
      this.#setState("waiting", code);
      // The wait goes on underneath, so that a question nobody answers is no dead end.
      this.#openAfter(WAIT);
      this.emit("renew", {});
    } else {
      this.#setState("waiting", code);
      const wait = (this.#retryAfter || WAIT) * (1 + this.#random() / 4); // not all at once
      this.#openAfter(next === "wait" ? wait : this.#backOff());
    }
  }

  #backOff() {
    const delay = reconnectDelay(this.#attempt, Date.now() - this.#downSince, this.#random);
    this.#attempt += 1;
    return Math.max(delay, this.#retryAfter);
  }

  #openAfter(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** Take the connection for dead unless something is heard within `patience` ms. */
  #expectWithin(patience) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onClose(1006), patience);
  }

  /** The page woke up or the network changed: an open socket may have died without a word. */
  #checkAlive() {
    if (this.#state === "waiting") {
      this.#attempt = 0;
      this.#open();
    } else if (this.online && this.send({ type: "ping" })) {
      this.#expectWithin(ANSWER);
    }
  }

  #drop(code) {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close(code);
  }

  #setState(state, code) {
    if (this.#state === state && code === undefined) return;
    this.#state = state;
    this.#code = code ?? this.#code;
    this.emit("status", { state, code });
  }

  #listen() {
    const ending = new AbortController();
    const { signal } = ending;
    const awake = () => {
      if (document.visibilityState !== "visible") return;
      if (this.#state === "waiting" || Date.now() - this.#lastHeard > CHECK_AFTER) this.#checkAlive();
    };
    addEventListener("online", () => this.#checkAlive(), { signal });
    addEventListener("offline", () => this.#checkAlive(), { signal });
    addEventListener("pageshow", awake, { signal });
    document.addEventListener("visibilitychange", awake, { signal });
    this.#stopListening = () => ending.abort();
  }
}
