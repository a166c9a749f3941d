// Connects the page to the server: coordinates socket, REST client, store, conversation list and outbox.
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
import { ACCOUNT_CLOSED, SIGNED_OUT } from "chatty/chat/protocol.js";
import { ApiError } from "chatty/chat/rest.js";
import { WINDOW } from "chatty/chat/conversation_list.js";

const GAP = 1_000; // ms to wait for a missing version before sending `sync`
const ANSWER = 15_000; // ms to wait for `sent` before sending the same key again
const READ_PAUSE = 400; // ms within which read marks are combined into one frame
const TYPING_PAUSE = 3_000; // ms between two `typing` frames
const RECOUNT_PAUSE = 300; // ms
const POLL = 5_000; // ms between polls while the socket is unavailable
const MANY_FAILURES = 3; // failed attempts after which a blocked WebSocket is suspected
const PAGE = 50; // messages per page of history

export class Chat extends Emitter {
  #me;
  #epoch;
  #conversation; // id, or null on pages without one
  /** @type {import("chatty/chat/socket.js").Socket} */
  #socket;
  #rest;
  /** @type {import("chatty/chat/store.js").Store} */
  #store;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #outbox = null;
  #t;
  #answers = new Map(); // key -> {resolve, reject, timer} of sends without an answer yet
  #timers = new Map(); // name -> timer
  #recounts = new Set();
  #lastRead = 0; // seq of the last message seen in this window
  #serverMark = 0; // the read mark the server last reported, often lower than #lastRead
  #lastTyping = 0;
  #blocked = false; // HTTP requests work, WebSockets do not
  #isVerified = false; // a hello confirmed that account and epoch match the page
  #loading = null; // the pending request for a page of history

  constructor({ me, epoch, conversation = null, lastRead = 0, socket, rest, store, conversationList, t }) {
    super();
    this.#me = me;
    this.#epoch = epoch;
    this.#conversation = conversation;
    this.#lastRead = this.#serverMark = lastRead;
    this.#socket = socket;
    this.#rest = rest;
    this.#store = store;
    this.#conversationList = conversationList;
    this.#t = t;
  }

  // Lifecycle

  connect() {
    this.#socket.on("hello", (frame) => this.#onHello(frame));
    this.#socket.on("frame", (frame) => this.#onFrame(frame));
    this.#socket.on("status", (status) => this.#onStatus(status));
    this.#socket.on("renew", () => this.#renew());
    this.#store?.on("change", () => this.#checkGap());
    this.#conversationList.on("recount", ({ id }) => this.#recountSoon(id));
    this.#socket.connect();
  }

  disconnect() {
    this.#socket.disconnect();
    this.#outbox?.disconnect();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Start `outbox`, which must have been created with delivery(). */
  async use(outbox) {
    this.#outbox = outbox;
    outbox.on("change", (change) => this.#showPending(change));
    outbox.on("sent", ({ record, answer }) => this.#showSent(record, answer));
    outbox.on("discarded", ({ record }) => this.#store?.drop(record.key));
    await outbox.connect();
  }

  /** The `deliver` function of an Outbox. */
  delivery() {
    const deliver = (record) =>
      this.#socket.online ? this.#deliverBySocket(record) : this.#deliverByRest(record);
    deliver.ready = () => (this.#isVerified && this.#socket.online ? true : this.#usesRest);
    return deliver;
  }

  get outbox() {
    return this.#outbox;
  }

  // Composing

  /** `content`: the fields of the message, by their names on the wire. */
  send(content) {
    return this.#outbox.add({ ...content, conversation: this.#conversation });
  }

  /** Send `typing`, at most every three seconds and only while connected. */
  typing() {
    if (Date.now() - this.#lastTyping < TYPING_PAUSE) return;
    if (this.#socket.send({ type: "typing", conversation: this.#conversation })) {
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

  // History. One request at a time: calls during a request share its result.

  older() {
    return this.#load(async () => {
      const [oldest] = this.#store.messages();
      if (!oldest || !this.#store.hasOlder) return;
      const { era } = this.#store;
      this.#store.addOlder(await this.#history({ before: oldest.seq }), era);
    });
  }

  newer() {
    return this.#load(async () => {
      const newest = this.#store.messages().at(-1);
      if (!newest || !this.#store.hasNewer) return;
      const { era } = this.#store;
      this.#store.addNewer(await this.#history({ after: newest.seq }), era);
    });
  }

  latest() {
    return this.#reload({});
  }

  /** Load the part of the history around the message with this seq. */
  around(seq) {
    return this.#reload({ around: seq });
  }

  // Reading

  /** Mark everything up to `seq` as read. Calls in quick succession result in one frame. */
  read(seq) {
    if (seq <= this.#lastRead) return;
    this.#lastRead = seq;
    this.#markRead(seq);
    // Throttled, not debounced: marks are also sent while messages keep arriving.
    if (!this.#timers.has("read")) this.#after("read", READ_PAUSE, () => this.#sendRead());
  }

  /** Mark the message at `seq` and all later ones as unread. Rejects with an ApiError. */
  async unread(seq) {
    this.#clear("read"); // a pending read mark would undo it
    await this.#rest.post(`conversations/${this.#conversation}/unread/`, { seq });
    this.#serverMark = seq - 1;
    this.#moveMark(seq - 1);
  }

  // Internal: frames from the socket

  /** @param {Wire.HelloFrame} frame */
  #onHello(frame) {
    if (frame.user.id !== this.#me || frame.epoch !== this.#epoch) {
      this.#isVerified = false;
      this.emit("foreign", { change: frame.user.id === this.#me ? "restored" : "foreign" });
      return;
    }
    this.#isVerified = true;
    this.#blocked = false;
    this.#clear("poll");
    this.#setCounts(frame.conversations);
    const here = frame.conversations.find(({ id }) => id === this.#conversation);
    // Also if the server's version is lower: its history differs from ours, so it answers with a reset.
    if (this.#store && here?.version !== this.#store.position) this.#sync();
    this.#outbox?.kick();
  }

  /** @param {Exclude<Wire.ServerFrame, Wire.HelloFrame>} frame */
  #onFrame(frame) {
    switch (frame.type) {
      case "message":
        return this.#onMessage(frame);
      case "synced":
        return this.#onSynced(frame);
      case "sent":
        return this.#settle(frame.key, (answer) => answer.resolve(frame));
      case "error":
        return this.#onError(frame);
      case "read":
        return this.#onRead(frame);
      case "conversation":
        return this.#onConversation(frame);
      case "typing":
        return this.#onTyping(frame);
      case "auth_expiring":
        return this.#renew();
      default:
        return undefined; // heartbeat, pong, and frame types of a newer server
    }
  }

  /** @param {Wire.MessageFrame} frame */
  #onMessage(frame) {
    this.#conversationList.applyMessages({ ...frame, messages: [frame.message] });
    if (!this.#store || frame.conversation !== this.#conversation) return;
    const isNew = frame.change?.action === "created" || frame.change?.action === "notice";
    if (this.#store.applyMessage(frame) && isNew) this.#emitMessage(frame.message);
    this.#settle(frame.message.key, (answer) => {
      const { id, seq } = frame.message;
      if (frame.message.author?.id === this.#me) answer.resolve({ id, seq, version: frame.version });
    });
  }

  /** @param {Omit<Wire.SyncedFrame, "type">} frame */
  #onSynced(frame) {
    if (frame.reset) this.#recountSoon(frame.conversation);
    else this.#conversationList.applyMessages(frame);
    if (!this.#store || frame.conversation !== this.#conversation) return;
    if (frame.reset) {
      this.latest().catch(() => this.#after("gap", GAP, () => this.#sync()));
      return;
    }
    const before = new Set(this.#store.messages().map((message) => message.id));
    const fresh = this.#store.catchUp(frame);
    if (frame.more) this.#sync();
    for (const message of fresh) {
      if (!before.has(message.id) && this.#store.get(message.id)) this.#emitMessage(message);
    }
  }

  /** @param {Wire.Message} message */
  #emitMessage(message) {
    this.emit("message", { message, own: message.author?.id === this.#me });
  }

  /** @param {Wire.ErrorFrame} frame */
  #onError(frame) {
    if (!frame.key) {
      // For example, I was removed while offline: a sync of this conversation then returns not_found.
      const isHere = frame.conversation && frame.conversation === this.#conversation;
      if (isHere && frame.code === "not_found") this.emit("removed", { change: "removed" });
      return;
    }
    const error = new ApiError({
      code: frame.code,
      detail: frame.detail,
      retry: frame.retry,
      retryAfter: frame.retry_after ?? 0,
    });
    this.#settle(frame.key, (answer) => answer.reject(error));
  }

  /** @param {Wire.ReadFrame} frame */
  #onRead({ conversation, user, seq }) {
    if (user !== this.#me) return;
    if (conversation !== this.#conversation) {
      this.#markRead(seq, conversation);
      return;
    }
    if (seq < this.#serverMark) {
      // Either marked unread elsewhere or a late frame. The frame doesn't say which, so ask the server.
      this.#clear("read"); // a pending mark would undo "unread"; if the frame was late, it is resent later
      this.#conversationList.invalidate(conversation);
      this.#recountSoon(conversation, 0);
      return;
    }
    this.#serverMark = seq;
    // A lower mark than ours is late: more has been read in this window since.
    if (seq > this.#lastRead) this.#moveMark(seq);
    else this.#conversationList.invalidate(conversation);
  }

  /** `seq` can be lower: after "mark as unread", the mark stays there until a later message is seen. */
  #moveMark(seq) {
    this.#lastRead = seq;
    this.#markRead(seq);
    this.emit("read_mark", { seq });
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

  // Internal: the connection itself

  #onStatus(status) {
    if (status.state !== "online") this.#isVerified = false;
    if (status.state === "waiting" || status.state === "stopped") this.#loseAnswers();
    if (status.state === "waiting" && this.#socket.failedAttempts >= MANY_FAILURES) this.#checkBlocked();
    this.#emitStatus();
    if (this.#usesRest) this.#pollByRest();
  }

  #emitStatus() {
    this.emit("status", this.status);
  }

  /** The detail of the "status" event. */
  get status() {
    return { state: this.#socket.state, code: this.#socket.code, blocked: this.#blocked };
  }

  /** True while messages are sent over HTTP because no socket can be opened. */
  get #usesRest() {
    if (this.#socket.online) return false;
    const { state, code } = this.status;
    const shutOut = code === SIGNED_OUT || code === ACCOUNT_CLOSED;
    return this.#blocked || (state === "stopped" && !shutOut);
  }

  /** The socket never opens. If HTTP requests work, something in between blocks WebSockets. */
  async #checkBlocked() {
    try {
      await this.#rest.get("me/");
    } catch (error) {
      if (error.status === 401) this.emit("foreign", { change: "foreign" });
      return;
    }
    if (this.#socket.online || this.#blocked) return;
    this.#blocked = true;
    this.#emitStatus();
    this.#pollByRest();
  }

  #pollByRest() {
    this.#outbox?.kick();
    if (!this.#timers.has("poll")) this.#after("poll", POLL, () => this.#poll());
  }

  async #poll() {
    if (!this.#usesRest) return;
    if (this.#store && document.visibilityState === "visible") {
      await this.#catchUpByRest().catch(() => {});
    }
    this.#after("poll", POLL, () => this.#poll());
  }

  async #catchUpByRest() {
    const from = this.#store.position;
    /** @type {Wire.Changes} */
    const changes = await this.#rest.get(this.#messagesPath, { since_version: from });
    this.#onSynced({ conversation: this.#conversation, from, ...changes, more: false });
    this.#outbox?.kick();
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

  // Internal: gaps

  #checkGap() {
    if (!this.#store.behind) this.#clear("gap");
    else if (!this.#timers.has("gap")) this.#after("gap", GAP, () => this.#sync());
  }

  #sync() {
    const { position } = this.#store;
    this.#socket.send({ type: "sync", conversation: this.#conversation, version: position });
    // Retry if there is no answer. After a disconnect, the next hello syncs instead.
    this.#after("gap", ANSWER, () => this.#socket.online && this.#store.behind && this.#sync());
  }

  // Internal: sending

  #deliverBySocket(record) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#loseAnswer(record.key), ANSWER);
      this.#answers.set(record.key, { resolve, reject, timer });
      const { conversation, key } = record;
      /** @type {Wire.Send} */
      const frame = { ...contentOf(record), type: "send", conversation, key };
      if (!this.#socket.send(frame)) this.#loseAnswer(key);
    });
  }

  async #deliverByRest(record) {
    const path = `conversations/${record.conversation}/messages/`;
    /** @type {Wire.Message} */
    const message = await this.#rest.post(path, { ...contentOf(record), key: record.key });
    if (record.conversation === this.#conversation) this.#store?.merge([message]);
    return { id: message.id, seq: message.seq, version: message.version };
  }

  #settle(key, how) {
    const answer = this.#answers.get(key);
    if (!answer) return;
    clearTimeout(answer.timer);
    this.#answers.delete(key);
    how(answer);
  }

  /** It is unknown whether the message was stored. Sending the same key again is safe. */
  #loseAnswer(key) {
    const detail = this.#t("error.unreachable");
    this.#settle(key, ({ reject }) => reject(new ApiError({ code: "unreachable", detail, retry: true })));
  }

  #loseAnswers() {
    for (const key of [...this.#answers.keys()]) this.#loseAnswer(key);
  }

  #showPending({ conversation, key }) {
    if (conversation !== this.#conversation || !this.#store) return;
    const entry = this.#outbox.entry(key);
    if (entry) this.#store.addPending(entry);
    else if (this.#store.getPending(key)?.state !== "sent") this.#store.drop(key);
  }

  #showSent(record, answer) {
    if (record.conversation === this.#conversation) this.#store?.settle(record.key, answer);
  }

  // Internal: reading and counting

  #markRead(seq, conversation = this.#conversation) {
    const here = conversation === this.#conversation;
    const unread = here ? (this.#store?.unreadAfter(seq, WINDOW) ?? null) : null;
    this.#conversationList.read({ conversation, seq, unread });
  }

  /**
   * Apply the server's counts. It may not have received the latest read marks of this window yet.
   * @param {Wire.Conversation[]} conversations
   * @param {number} [asOf]
   */
  #setCounts(conversations, asOf) {
    this.#conversationList.setCounts(conversations, asOf);
    const seq = conversations.find(({ id }) => id === this.#conversation)?.last_read_seq;
    // The list ignored them as outdated and has requested a recount.
    if (seq === undefined || this.#conversationList.get(this.#conversation).last_read_seq !== seq) return;
    const isMovedBack = seq < this.#serverMark;
    this.#serverMark = seq;
    if (isMovedBack || seq > this.#lastRead) {
      this.#lastRead = seq;
      this.emit("read_mark", { seq });
    } else if (seq < this.#lastRead) {
      this.#markRead(this.#lastRead);
      this.#after("read", 0, () => this.#sendRead());
    }
  }

  #sendRead() {
    const seq = this.#lastRead;
    if (this.#socket.send({ type: "read", conversation: this.#conversation, seq })) return;
    if (this.#usesRest) {
      // A lost mark is included in the next one, or resent after the next hello.
      this.#rest.post(`conversations/${this.#conversation}/read/`, { seq }).catch(() => {});
    }
  }

  /** Batched. Throttled, not debounced: recounts also happen while messages keep arriving. */
  #recountSoon(id, pause = RECOUNT_PAUSE) {
    this.#recounts.add(id);
    if (!this.#timers.has("recount")) this.#after("recount", pause, () => this.#recount());
  }

  async #recount() {
    const ids = [...this.#recounts];
    this.#recounts.clear();
    for (const id of ids) {
      const asOf = this.#conversationList.asOf(id);
      try {
        this.#setCounts([await this.#rest.get(`conversations/${id}/`)], asOf);
      } catch (error) {
        // No longer accessible, or offline: the next hello has the counts.
        const { retry, status, retryAfter } = error;
        if (retry && status) this.#recountSoon(id, Math.max(1_000 * retryAfter, RECOUNT_PAUSE));
      }
    }
  }

  // Internal: helpers

  get #messagesPath() {
    return `conversations/${this.#conversation}/messages/`;
  }

  /** @returns {Promise<Wire.History>} */
  #history(query) {
    return this.#rest.get(this.#messagesPath, { limit: PAGE, ...query });
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

  #after(name, delay, work) {
    this.#clear(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        work();
      }, delay),
    );
  }

  #clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}

/** The content of a record of the outbox. Those of earlier versions have no `content`. */
function contentOf({ content, body, reply_to }) {
  return content ?? { body, reply_to };
}
