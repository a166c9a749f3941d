// The page's only WebSocket. It reconnects after every close, unless the close code says to stop.
//
// Emits:
//   status {state, code?}  "connecting" | "online" | "waiting" (for the next attempt) | "stopped"
//                          | "off" (after disconnect()); `code`: of the close that led to it.
//                          After TOO_MANY_SOCKETS, "stopped" ends when another window has been closed
//   hello  frame           the server accepted the connection, and send() works from now on
//   frame  frame           every other frame
//   renew  {}              check the session before reconnecting, then call resume()

import { reconnectDelay } from "chatty/lib/backoff.js";
import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { Emitter } from "chatty/lib/emitter.js";
import { afterClose, SUBPROTOCOL, TOO_MANY_SOCKETS } from "chatty/chat/protocol.js";

const OPENING = 15_000; // ms for the handshake and the hello
const SILENCE = 60_000; // ms without any frame before the socket counts as dead (heartbeat: every 25 s)
const CHECK_AFTER = 30_000; // ms of silence after which a page that wakes up sends a ping
const ANSWER = 5_000; // ms to wait for the pong
const ANSWER_OFFLINE = 1_000; // ms, after the browser has said that there is no network
const PROMPT = 3; // failed attempts in a row up to which resume() reconnects immediately
const WAIT = 30_000; // ms to wait after 4429 without retry_after, after "renew" and TOO_MANY_SOCKETS

export class Socket extends Emitter {
  #url;
  #random;
  #socket = null;
  #timer = null; // until the next attempt, or until this socket counts as dead
  retryAt; // when that attempt is, in the state "waiting" (performance.now())
  #stopListening = null;
  #state = "off";
  #code; // of the last close
  #attempt = 0;
  #downSince = null;
  #lastHeard = null;
  #retryAfter = 0; // ms, from the server
  #everOpen = false;
  #failedAttempts = 0; // attempts in a row without a hello

  constructor(url, { random = Math.random } = {}) {
    super();
    this.#url = url;
    this.#random = random;
  }

  // Lifecycle

  connect() {
    if (this.#state !== "off") return;
    this.#listen();
    this.#downSince = momentNow();
    this.#open();
  }

  disconnect() {
    this.#stopListening?.();
    this.#stopListening = null;
    this.#setState("off");
    this.#drop(1000);
  }

  // State and sending

  get online() {
    return this.#state === "online";
  }

  get state() {
    return this.#state;
  }

  /** The close code of the last socket. Undefined before the first close and while online. */
  get code() {
    return this.online ? undefined : this.#code;
  }

  /** Failed attempts in a row; 0 once any attempt on this page has succeeded. */
  get failedAttempts() {
    return this.#everOpen ? 0 : this.#failedAttempts;
  }

  /**
   * Send a frame. Returns false if there is no open socket: frames are not queued.
   * @param {Wire.ClientFrame} frame
   */
  send(frame) {
    if (!this.online || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /**
   * Reconnect immediately; call it after "renew" once the session is known to be valid. Does nothing
   * after too many failed attempts, so that a server that keeps closing with 4401 is not flooded.
   */
  resume() {
    if (this.#state === "waiting" && this.#failedAttempts < PROMPT) this.#open();
  }

  /** Try again now, also after TOO_MANY_SOCKETS: other windows may have been closed. */
  retry() {
    if (this.#isIdle) this.#open();
  }

  // Internal

  /** Nothing is happening before the next attempt. */
  get #isIdle() {
    return this.#state === "waiting" || this.#isCrowded;
  }

  get #isCrowded() {
    return this.#state === "stopped" && this.#code === TOO_MANY_SOCKETS;
  }

  #open() {
    this.#drop(1000);
    this.#setState("connecting");
    let socket;
    try {
      socket = new WebSocket(this.#url, SUBPROTOCOL);
    } catch {
      this.#onClose(1006); // blocked by the Content Security Policy
      return;
    }
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#onData(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#onClose(event.code);
    this.#expectWithin(OPENING);
  }

  #onData(data) {
    /** @type {Wire.ServerFrame} */
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // not from Chatty; a missing heartbeat will show if the connection is broken
    }
    this.#lastHeard = momentNow();
    if (this.online) this.#expectWithin(SILENCE);
    if (frame.type === "hello") this.#onHello(frame);
    else this.#onFrame(frame);
  }

  /** @param {Wire.HelloFrame} frame */
  #onHello(frame) {
    this.#attempt = 0;
    this.#failedAttempts = 0;
    this.#everOpen = true;
    this.#retryAfter = 0;
    this.#setState("online");
    this.#expectWithin(SILENCE);
    this.emit("hello", frame);
  }

  /** @param {Exclude<Wire.ServerFrame, Wire.HelloFrame>} frame */
  #onFrame(frame) {
    // An error without a key is about the socket itself, such as why it is about to be closed.
    if (frame.type === "error" && !frame.key && frame.retry_after) {
      this.#retryAfter = frame.retry_after * 1000;
    }
    this.emit("frame", frame);
  }

  #onClose(code) {
    if (this.#state === "online") this.#downSince = momentNow();
    else this.#failedAttempts += 1;
    this.#drop(1000);
    const next = afterClose(code);
    if (next === "stop") {
      this.#setState("stopped", code);
      if (this.#isCrowded) this.#retryWhileVisible();
    } else if (next === "renew") {
      this.#setState("waiting", code);
      // Reconnect after a while even if resume() is never called.
      this.#openAfter(WAIT);
      this.emit("renew", {});
    } else {
      this.#setState("waiting", code);
      const wait = (this.#retryAfter || WAIT) * (1 + this.#random() / 4); // jitter
      this.#openAfter(next === "wait" ? wait : this.#backOff());
    }
  }

  #backOff() {
    const delay = reconnectDelay(this.#attempt, elapsedSince(this.#downSince), this.#random);
    this.#attempt += 1;
    return Math.max(delay, this.#retryAfter);
  }

  #openAfter(delay) {
    clearTimeout(this.#timer);
    this.retryAt = performance.now() + delay;
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** Only in windows that are looked at, so that hidden ones don't take their place. */
  #retryWhileVisible() {
    clearTimeout(this.#timer);
    const work = () => document.visibilityState === "visible" && this.retry();
    this.#timer = setTimeout(work, WAIT * (1 + this.#random() / 4));
  }

  /** Treat the connection as dead unless a frame arrives within `patience` ms. */
  #expectWithin(patience) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onClose(1006), patience);
  }

  /** The page woke up or the network changed: the socket may be dead without a close event. */
  #checkAlive() {
    if (this.#isIdle) {
      if (!navigator.onLine) return; // the next attempt can wait
      this.#attempt = 0;
      this.#open();
    } else if (this.online && this.send({ type: "ping" })) {
      this.#expectWithin(navigator.onLine ? ANSWER : ANSWER_OFFLINE);
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
      if (this.#isIdle || elapsedSince(this.#lastHeard) > CHECK_AFTER) this.#checkAlive();
    };
    addEventListener("online", () => this.#checkAlive(), { signal });
    addEventListener("offline", () => this.#checkAlive(), { signal });
    addEventListener("pageshow", awake, { signal });
    document.addEventListener("visibilitychange", awake, { signal });
    this.#stopListening = () => ending.abort();
  }
}
