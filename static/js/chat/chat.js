// What the page does with the server: passes frames to the parts that handle them, and offers every action.
//
// Emits:
//   status     {state, code, blocked}
//   typing     {user}
//   message    {message, own}  a new message arrived
//   read_mark  {seq}           my read mark was moved, in another window or back to unread
//   removed    {change}        I no longer have access to this conversation
//   readded    {}              I have access again
//   foreign    {change}        the page must be reloaded: "foreign" (the browser is now signed in as
//                              someone else) or "restored" (the server restored a backup)

import { Emitter } from "chatty/lib/emitter.js";
import { Connection } from "chatty/chat/connection.js";
import { ConversationSync } from "chatty/chat/conversation_sync.js";
import { ReadMarks } from "chatty/chat/read_marks.js";
import { Sender } from "chatty/chat/sender.js";

const TYPING_PAUSE = 3_000; // ms between two `typing` frames

export class Chat extends Emitter {
  #me;
  #conversation; // id, or null on pages without one
  #rest;
  /** @type {import("chatty/chat/store.js").Store} */
  #store;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #connection;
  #sync; // null on pages without a conversation
  #readMarks;
  #sender;
  #lastTyping = 0;

  constructor({ me, epoch, conversation = null, lastRead = 0, socket, rest, store, conversationList, t }) {
    super();
    this.#me = me;
    this.#conversation = conversation;
    this.#rest = rest;
    this.#store = store;
    this.#conversationList = conversationList;
    const connection = new Connection({ me, epoch, socket, rest });
    const shared = { me, conversation, connection, rest, store };
    this.#connection = connection;
    this.#sync = store ? new ConversationSync(shared) : null;
    this.#readMarks = new ReadMarks({ ...shared, lastRead, conversationList });
    this.#sender = new Sender({ ...shared, t });
  }

  // Lifecycle

  connect() {
    this.#connection.on("hello", (frame) => this.#onHello(frame));
    this.#connection.on("frame", (frame) => this.#onFrame(frame));
    this.#connection.on("status", (status) => this.#onStatus(status));
    this.#sync?.on("polled", ({ frame }) => this.#onPolled(frame));
    this.#forward(this.#connection, "foreign");
    this.#forward(this.#readMarks, "read_mark");
    if (this.#sync) this.#forward(this.#sync, "message");
    this.#sync?.connect();
    this.#readMarks.connect();
    this.#connection.connect();
  }

  disconnect() {
    this.#connection.disconnect();
    this.#sender.disconnect();
    this.#sync?.disconnect();
    this.#readMarks.disconnect();
  }

  /** The detail of the "status" event. */
  get status() {
    return this.#connection.status;
  }

  // Composing

  /** Start `outbox`, which must have been created with createDeliver(). */
  use(outbox) {
    return this.#sender.use(outbox);
  }

  /** The `deliver` function of an Outbox. */
  createDeliver() {
    return this.#sender.createDeliver();
  }

  get outbox() {
    return this.#sender.outbox;
  }

  /** `content`: the fields of the message, by their names on the wire. */
  send(content) {
    return this.#sender.send(content);
  }

  /** Send `typing`, at most every three seconds and only while connected. */
  sendTyping() {
    if (Date.now() - this.#lastTyping < TYPING_PAUSE) return;
    if (this.#connection.send({ type: "typing", conversation: this.#conversation })) {
      this.#lastTyping = Date.now();
    }
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

  async react(id, emoji, on) {
    const path = `messages/${id}/reactions/${encodeURIComponent(emoji)}/`;
    const answer = await (on ? this.#rest.put(path) : this.#rest.delete(path));
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

  // Reading: see ReadMarks

  markRead(seq) {
    this.#readMarks.markRead(seq);
  }

  markUnread(seq) {
    return this.#readMarks.markUnread(seq);
  }

  // Internal

  #forward(source, type) {
    source.on(type, (detail) => this.emit(type, detail));
  }

  #onStatus(status) {
    if (status.state === "waiting" || status.state === "stopped") this.#sender.loseAnswers();
    this.emit("status", status);
    if (!this.#connection.usesRest) return;
    this.#sender.kick();
    this.#sync?.poll();
  }

  /** @param {Wire.HelloFrame} frame */
  #onHello({ conversations }) {
    this.#readMarks.setCounts(conversations);
    this.#sync?.catchUp(conversations.find(({ id }) => id === this.#conversation)?.version);
    this.#sender.kick();
  }

  /** @param {Exclude<Wire.ServerFrame, Wire.HelloFrame>} frame */
  #onFrame(frame) {
    switch (frame.type) {
      case "message":
        return this.#onMessage(frame);
      case "synced":
        return this.#onSynced(frame);
      case "sent":
        return this.#sender.applySent(frame);
      case "error":
        return this.#onError(frame);
      case "read":
        return this.#readMarks.applyRead(frame);
      case "conversation":
        return this.#onConversation(frame);
      case "typing":
        return this.#onTyping(frame);
      default:
        return undefined; // heartbeat, pong, and frame types of a newer server
    }
  }

  /** @param {Wire.MessageFrame} frame */
  #onMessage(frame) {
    this.#conversationList.applyMessages({ ...frame, messages: [frame.message] });
    if (!this.#sync || frame.conversation !== this.#conversation) return;
    this.#sync.applyMessage(frame);
    this.#sender.applyMessage(frame);
  }

  /** @param {Omit<Wire.SyncedFrame, "type">} frame */
  #onSynced(frame) {
    if (frame.reset) this.#readMarks.recountSoon(frame.conversation);
    else this.#conversationList.applyMessages(frame);
    if (frame.conversation === this.#conversation) this.#sync?.applySynced(frame);
  }

  /** @param {Omit<Wire.SyncedFrame, "type">} frame */
  #onPolled(frame) {
    this.#onSynced(frame);
    this.#sender.kick();
  }

  /** @param {Wire.ErrorFrame} frame */
  #onError(frame) {
    if (frame.key) {
      this.#sender.applyError(frame);
      return;
    }
    // For example, I was removed while offline: a sync of this conversation then returns not_found.
    const isHere = frame.conversation && frame.conversation === this.#conversation;
    if (isHere && frame.code === "not_found") this.emit("removed", { change: "removed" });
  }

  /** @param {Wire.TypingFrame} frame */
  #onTyping({ conversation, user }) {
    // The server also sends it to my own other windows.
    if (conversation === this.#conversation && user.id !== this.#me) this.emit("typing", { user });
  }

  /** @param {Wire.ConversationFrame | Wire.GoneFrame} frame */
  #onConversation(frame) {
    this.#conversationList.applyConversation(frame);
    if (frame.conversation.id !== this.#conversation) return;
    if (frame.change === "removed" || frame.change === "deleted") this.emit("removed", frame);
    if (frame.change === "added") this.emit("readded", {});
  }
}
