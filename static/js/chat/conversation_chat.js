// The open conversation: its messages, what is being sent, my read mark, and every action in it.
//
// Emits:
//   typing     {user}
//   message    {message, own}  a new message arrived
//   read_mark  {seq}           my read mark was moved, in another window or back to unread
//   removed    {change}        I no longer have access
//   readded    {}              I have access again

import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { Emitter } from "chatty/lib/emitter.js";
import { ConversationSync } from "chatty/chat/conversation_sync.js";
import { ReadMarks } from "chatty/chat/read_marks.js";

const TYPING_PAUSE = 3_000; // ms between two `typing` frames

export class ConversationChat extends Emitter {
  #id;
  #me;
  #rest;
  /** @type {import("chatty/chat/store.js").Store} */
  #store;
  /** @type {import("chatty/chat/connection.js").Connection} */
  #connection;
  /** @type {import("chatty/chat/sender.js").Sender} */
  #sender;
  #sync;
  #readMarks;
  #lastTyping = null;
  #stops = [];

  /** `lastRead`: my read mark on the page. The others are given by Chat.open(). */
  constructor({ id, lastRead, store, me, connection, rest, sender, conversationList, recount }) {
    super();
    this.#id = id;
    this.#me = me;
    this.#rest = rest;
    this.#store = store;
    this.#connection = connection;
    this.#sender = sender;
    const shared = { conversation: id, connection, rest, store };
    this.#sync = new ConversationSync({ ...shared, me });
    this.#readMarks = new ReadMarks({ ...shared, lastRead, conversationList, recount });
  }

  // Lifecycle

  /** `version`: the highest version of the conversation that this page has heard of. */
  connect({ version = 0 } = {}) {
    const { outbox } = this;
    this.#stops = [
      this.#sync.on("message", (detail) => this.emit("message", detail)),
      this.#readMarks.on("read_mark", (detail) => this.emit("read_mark", detail)),
      this.#sender.on("posted", ({ conversation, message }) => {
        if (conversation === this.#id) this.#store.merge([message]);
      }),
    ];
    if (outbox) {
      this.#stops.push(
        outbox.on("change", (change) => this.#showPending(change)),
        outbox.on("sent", ({ record, answer }) => this.#showSent(record, answer)),
        outbox.on("discarded", ({ record }) => this.#store.drop(record.key)),
      );
      for (const entry of outbox.entries(this.#id)) this.#store.addPending(entry);
    }
    this.#sync.connect();
    // Changes that arrived after the server had read the page, and before it was opened.
    if (version > this.#store.position) this.#sync.catchUp(version);
    this.poll();
  }

  /** Returns a read mark that could not be sent, or null: see ReadMarks. */
  disconnect() {
    for (const stop of this.#stops) stop();
    this.#sync.disconnect();
    return this.#readMarks.disconnect();
  }

  get id() {
    return this.#id;
  }

  get store() {
    return this.#store;
  }

  // Composing

  /** @returns {import("chatty/chat/outbox.js").Outbox} */
  get outbox() {
    return this.#sender.outbox;
  }

  /** `content`: the fields of the message, by their names on the wire. */
  send(content) {
    return this.outbox.add({ ...content, conversation: this.#id });
  }

  /** Send `typing`, at most every three seconds and only while connected. */
  sendTyping() {
    if (elapsedSince(this.#lastTyping) < TYPING_PAUSE) return;
    if (this.#connection.send({ type: "typing", conversation: this.#id })) this.#lastTyping = momentNow();
  }

  // Actions on a message. Each rejects with an ApiError.

  /** `editedAt`: the message's `edited_at` when the edit began, so that a later edit is not overwritten. */
  async edit(id, body, editedAt) {
    const change = { body, edited_at: editedAt };
    this.#store.merge([await this.#rest.patch(`messages/${id}/`, change)]);
  }

  async remove(id) {
    const answer = await this.#rest.delete(`messages/${id}/`);
    if (answer?.id) this.#store.merge([answer]);
  }

  /** `what` is added to it, or removed: "pin", or a reaction as in the path. */
  async toggle(id, what, on) {
    const answer = await this.#rest[on ? "put" : "delete"](`messages/${id}/${what}/`);
    if (answer?.id) this.#store.merge([answer]);
  }

  /**
   * The message, from the server if it is outside the window.
   * @returns {Promise<Wire.Message>}
   */
  async loadMessage(id) {
    const known = this.#store.get(id);
    if (known) return known;
    const message = await this.#rest.get(`messages/${id}/`);
    this.#store.merge([message]);
    return message;
  }

  // History: see ConversationSync

  loadOlder() {
    return this.#sync.loadOlder();
  }

  loadNewer() {
    return this.#sync.loadNewer();
  }

  loadLatest() {
    return this.#sync.loadLatest();
  }

  loadAround(seq) {
    return this.#sync.loadAround(seq);
  }

  /** The page of the messages before or after a seq, or of the latest. */
  pageUrl({ before = 0, after = 0 } = {}) {
    const url = `/c/${this.#id}/`;
    if (before) return `${url}?before=${before}#newest`;
    return after ? `${url}?after=${after}#older` : url;
  }

  // Reading: see ReadMarks

  markRead(seq) {
    this.#readMarks.markRead(seq);
  }

  markUnread(seq) {
    return this.#readMarks.markUnread(seq);
  }

  // From the server, called by Chat

  /** @param {Wire.MessageFrame} frame */
  applyMessage(frame) {
    this.#sync.applyMessage(frame);
  }

  /** @param {Omit<Wire.SyncedFrame, "type">} frame */
  applySynced(frame) {
    this.#sync.applySynced(frame);
  }

  /** @param {Wire.ReadFrame} frame */
  applyRead({ seq }) {
    this.#readMarks.applyRead(seq);
  }

  /** @param {Wire.Conversation[]} conversations */
  applyCounts(conversations) {
    this.#readMarks.applyCounts(conversations);
  }

  /** @param {Wire.Conversation[]} conversations of a `hello` */
  catchUp(conversations) {
    this.#sync.catchUp(conversations.find(({ id }) => id === this.#id)?.version);
  }

  /** @param {Wire.TypingFrame} frame */
  applyTyping({ user }) {
    // The server also sends it to my own other windows.
    if (user.id !== this.#me) this.emit("typing", { user });
  }

  /** @param {Wire.ConversationFrame | Wire.GoneFrame} frame */
  applyConversation(frame) {
    if (frame.change === "removed" || frame.change === "deleted") this.emit("removed", frame);
    if (frame.change === "added") this.emit("readded", {});
  }

  /** A sync found no conversation: I was removed while offline. */
  applyNotFound() {
    this.emit("removed", { change: "removed" });
  }

  /** Ask for changes over HTTP, and go on until the socket is back. Emits nothing itself: see Chat. */
  poll() {
    if (this.#connection.usesRest) this.#sync.poll();
  }

  /** `listener(frame)` is called with the changes of each poll. */
  onPolled(listener) {
    this.#stops.push(this.#sync.on("polled", listener));
  }

  // Internal

  #showPending({ conversation, key }) {
    if (conversation !== this.#id) return;
    const entry = this.outbox.entry(key);
    if (entry) this.#store.addPending(entry);
    else if (this.#store.getPending(key)?.state !== "sent") this.#store.drop(key);
  }

  #showSent(record, answer) {
    if (record.conversation === this.#id) this.#store.settle(record.key, answer);
  }
}
