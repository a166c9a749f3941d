// My read marks and counts of unread messages: of this conversation as read in this window, and of all
// conversations as the server counts them.
//
// Emits:
//   read_mark  {seq}   my read mark was moved, in another window or back to unread

import { Emitter } from "chatty/lib/emitter.js";
import { Timers } from "chatty/lib/timers.js";
import { WINDOW } from "chatty/chat/conversation_list.js";

const READ_PAUSE = 400; // ms within which read marks are combined into one frame
const RECOUNT_PAUSE = 300; // ms

export class ReadMarks extends Emitter {
  #me;
  #conversation;
  /** @type {import("chatty/chat/connection.js").Connection} */
  #connection;
  #rest;
  #store;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #timers = new Timers();
  #recounts = new Set();
  #lastRead; // seq of the last message seen in this window
  #serverMark; // the read mark the server last reported, often lower than #lastRead

  constructor({ me, conversation, lastRead, connection, rest, store, conversationList }) {
    super();
    this.#me = me;
    this.#conversation = conversation;
    this.#lastRead = this.#serverMark = lastRead;
    this.#connection = connection;
    this.#rest = rest;
    this.#store = store;
    this.#conversationList = conversationList;
  }

  connect() {
    this.#conversationList.on("recount", ({ id }) => this.recountSoon(id));
  }

  disconnect() {
    this.#timers.clearAll();
  }

  /** Mark everything up to `seq` as read. Calls in quick succession result in one frame. */
  markRead(seq) {
    if (seq <= this.#lastRead) return;
    this.#lastRead = seq;
    this.#showMark(seq);
    // Throttled, not debounced: marks are also sent while messages keep arriving.
    if (!this.#timers.has("read")) this.#timers.set("read", READ_PAUSE, () => this.#send());
  }

  /** Mark the message at `seq` and all later ones as unread. Rejects with an ApiError. */
  async markUnread(seq) {
    this.#timers.clear("read"); // a pending read mark would undo it
    await this.#rest.post(`conversations/${this.#conversation}/unread/`, { seq });
    this.#serverMark = seq - 1;
    this.#moveMark(seq - 1);
  }

  /** @param {Wire.ReadFrame} frame */
  applyRead({ conversation, user, seq }) {
    if (user !== this.#me) return;
    if (conversation !== this.#conversation) {
      this.#showMark(seq, conversation);
      return;
    }
    if (seq < this.#serverMark) {
      // Either marked unread elsewhere or a late frame. The frame doesn't say which, so ask the server.
      this.#timers.clear("read"); // a pending mark would undo "unread"; if the frame was late, it is resent later
      this.#conversationList.invalidate(conversation);
      this.recountSoon(conversation, 0);
      return;
    }
    this.#serverMark = seq;
    // A lower mark than ours is late: more has been read in this window since.
    if (seq > this.#lastRead) this.#moveMark(seq);
    else this.#conversationList.invalidate(conversation);
  }

  /**
   * Apply the server's counts. It may not have received the latest read marks of this window yet.
   * @param {Wire.Conversation[]} conversations
   * @param {number} [asOf]
   */
  setCounts(conversations, asOf) {
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
      this.#showMark(this.#lastRead);
      this.#timers.set("read", 0, () => this.#send());
    }
  }

  /** Batched. Throttled, not debounced: recounts also happen while messages keep arriving. */
  recountSoon(id, pause = RECOUNT_PAUSE) {
    this.#recounts.add(id);
    if (!this.#timers.has("recount")) this.#timers.set("recount", pause, () => this.#recount());
  }

  // Internal

  /** `seq` can be lower: after "mark as unread", the mark stays there until a later message is seen. */
  #moveMark(seq) {
    this.#lastRead = seq;
    this.#showMark(seq);
    this.emit("read_mark", { seq });
  }

  #showMark(seq, conversation = this.#conversation) {
    const here = conversation === this.#conversation;
    const unread = here ? (this.#store?.unreadAfter(seq, WINDOW) ?? null) : null;
    this.#conversationList.read({ conversation, seq, unread });
  }

  #send() {
    const seq = this.#lastRead;
    if (this.#connection.send({ type: "read", conversation: this.#conversation, seq })) return;
    if (this.#connection.usesRest) {
      // A lost mark is included in the next one, or resent after the next hello.
      this.#rest.post(`conversations/${this.#conversation}/read/`, { seq }).catch(() => {});
    }
  }

  async #recount() {
    const ids = [...this.#recounts];
    this.#recounts.clear();
    for (const id of ids) {
      const asOf = this.#conversationList.asOf(id);
      try {
        this.setCounts([await this.#rest.get(`conversations/${id}/`)], asOf);
      } catch (error) {
        // No longer accessible, or offline: the next hello has the counts.
        const { retry, status, retryAfter } = error;
        if (retry && status) this.recountSoon(id, Math.max(1_000 * retryAfter, RECOUNT_PAUSE));
      }
    }
  }
}
