// What the page does with the server: passes frames to the parts that handle them. One conversation at a time
// can be open: see ConversationChat.
//
// Emits:
//   status     {state, code, blocked, isDown}
//   hello      frame           of this account and database
//   opened                     a conversation was opened
//   foreign    {change}        the page must be reloaded: "foreign" (the browser is now signed in as
//                              someone else) or "restored" (the server restored a backup)

import { Emitter } from "chatty/lib/emitter.js";
import { Connection } from "chatty/chat/connection.js";
import { sendMark } from "chatty/chat/send_mark.js";

export class Chat extends Emitter {
  #me;
  #rest;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #connection;
  #recounts = null; // a promise, once it is needed
  #listPoll = null; // a promise, once it is needed
  /** @type {import("chatty/chat/sender.js").Sender | null} */
  #sender = null; // until something can be sent
  /** @type {import("chatty/chat/conversation_chat.js").ConversationChat | null} */
  #here = null;
  #unsentMarks = new Map(); // conversation that was left offline -> see ReadMarks.disconnect()
  #stops = [];

  constructor({ me, epoch, socket, rest, conversationList }) {
    super();
    this.#me = me;
    this.#rest = rest;
    this.#conversationList = conversationList;
    this.#connection = new Connection({ me, epoch, socket, rest });
  }

  // Lifecycle

  connect() {
    this.#stops = [
      this.#connection.on("hello", (frame) => this.#onHello(frame)),
      this.#connection.on("frame", (frame) => this.#onFrame(frame)),
      this.#connection.on("status", (status) => this.#onStatus(status)),
      this.#connection.on("foreign", (detail) => this.emit("foreign", detail)),
      this.#conversationList.on("recount", ({ id }) => this.#recount(id)),
    ];
    this.#connection.connect();
  }

  disconnect() {
    this.close();
    for (const stop of this.#stops) stop();
    this.#connection.disconnect();
    this.#sender?.disconnect();
    for (const loading of [this.#recounts, this.#listPoll]) loading?.then((part) => part.disconnect());
  }

  /** Try to connect now. */
  retry() {
    this.#connection.retry();
  }

  /** The detail of the "status" event. */
  get status() {
    return this.#connection.status;
  }

  /**
   * Open a conversation, and close the one that was open. use() must have been called. `create(shared)` returns
   * its ConversationChat, which pages without a conversation don't load.
   * @param {(shared: any) => import("chatty/chat/conversation_chat.js").ConversationChat} create
   */
  open(create) {
    this.close();
    const here = create({
      me: this.#me,
      connection: this.#connection,
      rest: this.#rest,
      sender: this.#sender,
      conversationList: this.#conversationList,
      recount: (...given) => this.#recount(...given),
    });
    this.#unsentMarks.delete(here.id);
    this.#here = here;
    here.onPolled((frame) => this.#onPolled(frame));
    here.connect({ version: this.#conversationList.get(here.id)?.version });
    this.emit("opened");
    return here;
  }

  /** The open conversation, or null. */
  get here() {
    return this.#here;
  }

  /** Close the open conversation, if there is one. */
  close() {
    const here = this.#here;
    this.#here = null;
    const unsent = here?.disconnect();
    if (unsent) this.#unsentMarks.set(here.id, unsent);
  }

  // Composing

  /** For a Sender. */
  get connection() {
    return this.#connection;
  }

  /** Tell `sender` about the connection and its answers from now on. */
  use(sender) {
    this.#sender = sender;
  }

  // Internal

  #onStatus(status) {
    if (status.state === "waiting" || status.state === "stopped") this.#sender?.loseAnswers();
    this.emit("status", status);
    if (!this.#connection.usesRest) return;
    this.#sender?.kick();
    this.#here?.poll();
    this.#pollList();
  }

  #pollList() {
    this.#listPoll ??= import("chatty/chat/list_poll.js").then(({ ListPoll }) => {
      const shared = {
        connection: this.#connection,
        rest: this.#rest,
        conversationList: this.#conversationList,
      };
      const poll = new ListPoll(shared);
      poll.on("counted", (counted) => this.#onCounted(counted));
      poll.on("gone", ({ id }) =>
        this.#onConversation({ type: "conversation", change: "removed", conversation: { id } }),
      );
      return poll;
    });
    this.#listPoll.then(
      (poll) => poll.start(),
      () => (this.#listPoll = null), // tried again at the next change of the connection
    );
  }

  /** Ask the server for the counts of a conversation: see Recounts.request(). */
  #recount(...given) {
    this.#recounts ??= import("chatty/chat/recounts.js").then(({ Recounts }) => {
      const recounts = new Recounts({ rest: this.#rest, conversationList: this.#conversationList });
      recounts.on("counted", (counted) => this.#onCounted(counted));
      return recounts;
    });
    this.#recounts.then(
      (recounts) => recounts.request(...given),
      () => (this.#recounts = null), // the next hello has the counts
    );
  }

  #onCounted({ conversation, asOf }) {
    this.#setCounts([conversation], asOf);
  }

  /** @param {Wire.HelloFrame} frame */
  #onHello(frame) {
    const { conversations } = frame;
    this.#setCounts(conversations);
    this.#here?.catchUp(conversations);
    this.#sendMarks();
    this.#sender?.kick();
    this.emit("hello", frame);
  }

  #setCounts(conversations, asOf = null) {
    this.#conversationList.setCounts(conversations, asOf);
    this.#here?.applyCounts(conversations);
  }

  /** Send the marks of conversations left while offline, unless they were moved elsewhere since. */
  #sendMarks() {
    for (const [id, { seq, serverMark }] of this.#unsentMarks) {
      if (this.#conversationList.get(id)?.last_read_seq !== serverMark) continue;
      this.#conversationList.read({ conversation: id, seq });
      sendMark(id, seq, { connection: this.#connection, rest: this.#rest });
    }
    this.#unsentMarks.clear();
  }

  /** The open conversation, if it has this id. */
  #opened(id) {
    return this.#here?.id === id ? this.#here : null;
  }

  /** @param {Exclude<Wire.ServerFrame, Wire.HelloFrame>} frame */
  #onFrame(frame) {
    switch (frame.type) {
      case "message":
        return this.#onMessage(frame);
      case "synced":
        return this.#onSynced(frame);
      case "sent":
        return this.#sender?.applySent(frame);
      case "error":
        return this.#onError(frame);
      case "read":
        return this.#onRead(frame);
      case "conversation":
        return this.#onConversation(frame);
      case "typing":
        return this.#opened(frame.conversation)?.applyTyping(frame);
      default:
        return undefined; // heartbeat, pong, and frame types of a newer server
    }
  }

  /** @param {Wire.MessageFrame} frame */
  #onMessage(frame) {
    this.#conversationList.applyMessages({ ...frame, messages: [frame.message] });
    this.#opened(frame.conversation)?.applyMessage(frame);
    this.#sender?.applyMessage(frame);
  }

  /** @param {Omit<Wire.SyncedFrame, "type">} frame */
  #onSynced(frame) {
    if (frame.reset) this.#recount(frame.conversation);
    else this.#conversationList.applyMessages(frame);
    this.#opened(frame.conversation)?.applySynced(frame);
  }

  /** @param {Omit<Wire.SyncedFrame, "type">} frame */
  #onPolled(frame) {
    this.#onSynced(frame);
    this.#sender?.kick();
  }

  /** @param {Wire.ErrorFrame} frame */
  #onError(frame) {
    if (frame.key) this.#sender?.applyError(frame);
    // For example, I was removed while offline: a sync of this conversation then returns not_found.
    else if (frame.code === "not_found") this.#opened(frame.conversation)?.applyNotFound();
  }

  /** @param {Wire.ReadFrame} frame */
  #onRead(frame) {
    const { conversation, user, seq } = frame;
    if (user !== this.#me) return;
    const here = this.#opened(conversation);
    if (here) here.applyRead(frame);
    else this.#conversationList.read({ conversation, seq });
  }

  /** @param {Wire.ConversationFrame | Wire.GoneFrame} frame */
  #onConversation(frame) {
    this.#conversationList.applyConversation(frame);
    this.#opened(frame.conversation.id)?.applyConversation(frame);
  }
}
