// Keeps the messages of one conversation up to date: fills gaps, loads history, and polls over HTTP while the
// socket is unavailable.
//
// Emits:
//   message   {message, own}   a new message arrived
//   polled    frame            changes, as in a `synced` frame

import { Emitter } from "chatty/lib/emitter.js";
import { Timers } from "chatty/lib/timers.js";

const GAP = 1_000; // ms to wait for a missing version before sending `sync`
const ANSWER = 15_000; // ms to wait for `synced` before sending `sync` again
const POLL = 5_000; // ms between polls
const PAGE = 50; // messages per page of history

export class ConversationSync extends Emitter {
  #me;
  #conversation;
  /** @type {import("chatty/chat/connection.js").Connection} */
  #connection;
  #rest;
  /** @type {import("chatty/chat/store.js").Store} */
  #store;
  #timers = new Timers();
  #loading = null; // the pending request for a page of history
  #stop;

  constructor({ me, conversation, connection, rest, store }) {
    super();
    this.#me = me;
    this.#conversation = conversation;
    this.#connection = connection;
    this.#rest = rest;
    this.#store = store;
  }

  connect() {
    this.#stop = this.#store.on("change", () => this.#checkGap());
  }

  disconnect() {
    this.#stop();
    this.#timers.close();
  }

  // Changes

  /**
   * `version`: the server's version of the conversation, undefined without access. A lower one than ours counts
   * as well: the server's history is then different from ours, and it answers with a reset.
   */
  catchUp(version) {
    this.#timers.clear("poll");
    if (version !== this.#store.position) this.#sync();
  }

  /** @param {Wire.MessageFrame} frame */
  applyMessage(frame) {
    const isNew = frame.change?.action === "created" || frame.change?.action === "notice";
    if (this.#store.applyMessage(frame) && isNew) this.#emitMessage(frame.message);
  }

  /** @param {Omit<Wire.SyncedFrame, "type">} frame */
  applySynced(frame) {
    if (frame.reset) {
      this.loadLatest().catch(() => this.#timers.set("gap", GAP, () => this.#sync()));
      return;
    }
    const before = new Set(this.#store.messages().map((message) => message.id));
    const fresh = this.#store.catchUp(frame);
    if (frame.more) this.#sync();
    for (const message of fresh) {
      if (!before.has(message.id) && this.#store.get(message.id)) this.#emitMessage(message);
    }
  }

  /** Poll until the socket is back. */
  poll() {
    if (!this.#timers.has("poll")) this.#pollLater();
  }

  // History. One request at a time: calls during a request share its result.

  loadOlder() {
    return this.#load(async () => {
      const [oldest] = this.#store.messages();
      if (!oldest || !this.#store.hasOlder) return;
      const { era } = this.#store;
      this.#store.addOlder(await this.#history({ before: oldest.seq }), era);
    });
  }

  loadNewer() {
    return this.#load(async () => {
      const newest = this.#store.messages().at(-1);
      if (!newest || !this.#store.hasNewer) return;
      const { era } = this.#store;
      this.#store.addNewer(await this.#history({ after: newest.seq }), era);
    });
  }

  loadLatest() {
    return this.#reload({});
  }

  /** Load the part of the history around the message with this seq. */
  loadAround(seq) {
    return this.#reload({ around: seq });
  }

  // Internal

  /** @param {Wire.Message} message */
  #emitMessage(message) {
    this.emit("message", { message, own: message.author?.id === this.#me });
  }

  #checkGap() {
    if (!this.#store.behind) this.#timers.clear("gap");
    else if (!this.#timers.has("gap")) this.#timers.set("gap", GAP, () => this.#sync());
  }

  #sync() {
    const { position } = this.#store;
    this.#connection.send({ type: "sync", conversation: this.#conversation, version: position });
    // Retry if there is no answer. After a disconnect, the next hello syncs instead.
    this.#timers.set("gap", ANSWER, () => this.#connection.online && this.#store.behind && this.#sync());
  }

  #pollLater() {
    this.#timers.set("poll", POLL, () => this.#poll());
  }

  async #poll() {
    if (!this.#connection.usesRest) return;
    if (document.visibilityState === "visible") await this.#fetchChanges().catch(() => {});
    this.#pollLater();
  }

  async #fetchChanges() {
    const from = this.#store.position;
    /** @type {Wire.Changes} */
    const changes = await this.#rest.get(this.#path, { since_version: from });
    this.emit("polled", { conversation: this.#conversation, from, ...changes, more: false });
  }

  get #path() {
    return `conversations/${this.#conversation}/messages/`;
  }

  /** @returns {Promise<Wire.History>} */
  #history(query) {
    return this.#rest.get(this.#path, { limit: PAGE, ...query });
  }

  /** Wait for a pending request first: #load() would return it instead. */
  async #reload(query) {
    while (this.#loading) await this.#loading.catch(() => {});
    await this.#load(async () => this.#store.replace(await this.#history(query)));
  }

  #load(work) {
    this.#loading ??= work().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }
}
