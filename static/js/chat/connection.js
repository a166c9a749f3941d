// The page's connection to the server: verifies that account and database are still those of the page, checks
// whether the session has ended, and detects when something blocks WebSockets.
//
// Emits:
//   hello     a verified hello
//   frame     every other frame, except those handled here
//   status    {state, code, blocked, isDown}
//   foreign   {change}         see Chat

import { Emitter } from "chatty/lib/emitter.js";
import { ACCOUNT_CLOSED, SIGNED_OUT } from "chatty/chat/protocol.js";

const MANY_FAILURES = 3; // failed attempts after which a blocked WebSocket is suspected

export class Connection extends Emitter {
  #me;
  #epoch;
  /** @type {import("chatty/chat/socket.js").Socket} */
  #socket;
  #rest;
  #blocked = false; // HTTP requests work, WebSockets do not
  #isVerified = false; // a hello confirmed that account and epoch match the page

  constructor({ me, epoch, socket, rest }) {
    super();
    this.#me = me;
    this.#epoch = epoch;
    this.#socket = socket;
    this.#rest = rest;
  }

  connect() {
    this.#socket.on("hello", (frame) => this.#onHello(frame));
    this.#socket.on("frame", (frame) => this.#onFrame(frame));
    this.#socket.on("status", (status) => this.#onStatus(status));
    this.#socket.on("renew", () => this.#renew());
    this.#socket.connect();
  }

  disconnect() {
    this.#socket.disconnect();
  }

  /** Try to connect now, while that isn't being tried already. */
  retry() {
    this.#socket.retry();
  }

  /** Returns whether it was sent. */
  send(frame) {
    return this.#socket.send(frame);
  }

  get online() {
    return this.#socket.online;
  }

  /** The detail of the "status" event. */
  get status() {
    const { state, code } = this.#socket;
    const isDown = !this.#blocked && (state === "connecting" || state === "waiting");
    return { state, code, blocked: this.#blocked, isDown };
  }

  /** True when messages can be sent, over the socket or HTTP. */
  get ready() {
    return (this.online && this.#isVerified) || this.usesRest;
  }

  /** True while messages are sent over HTTP because no socket can be opened. */
  get usesRest() {
    if (this.online) return false;
    const { state, code } = this.status;
    const shutOut = code === SIGNED_OUT || code === ACCOUNT_CLOSED;
    return this.#blocked || (state === "stopped" && !shutOut);
  }

  // Internal

  /** @param {Wire.HelloFrame} frame */
  #onHello(frame) {
    if (frame.user.id !== this.#me || frame.epoch !== this.#epoch) {
      this.#isVerified = false;
      this.emit("foreign", { change: frame.user.id === this.#me ? "restored" : "foreign" });
      return;
    }
    this.#isVerified = true;
    this.#blocked = false;
    this.emit("hello", frame);
  }

  /** @param {Exclude<Wire.ServerFrame, Wire.HelloFrame>} frame */
  #onFrame(frame) {
    if (frame.type === "auth_expiring") this.#renew();
    else this.emit("frame", frame);
  }

  #onStatus(status) {
    if (status.state !== "online") this.#isVerified = false;
    if (status.state === "waiting" && this.#socket.failedAttempts >= MANY_FAILURES) this.#checkBlocked();
    this.emit("status", this.status);
  }

  /** The socket never opens. If HTTP requests work, something in between blocks WebSockets. */
  async #checkBlocked() {
    try {
      await this.#rest.get("me/");
    } catch (error) {
      if (error.status === 401) this.emit("foreign", { change: "foreign" });
      return;
    }
    if (this.online || this.#blocked) return;
    this.#blocked = true;
    this.emit("status", this.status);
  }

  /** After 4401 or `auth_expiring`: an HTTP request shows whether the session is still valid. */
  async #renew() {
    try {
      const { id } = await this.#rest.get("me/");
      if (id === this.#me) this.#socket.resume();
      else this.emit("foreign", { change: "foreign" });
    } catch (error) {
      if (error.status === 401 || error.status === 403) this.emit("foreign", { change: "foreign" });
    }
  }
}
