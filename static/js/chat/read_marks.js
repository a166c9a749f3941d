// My read mark of the open conversation, as read in this window and as the server knows it.
//
// Emits:
//   read_mark  {seq}   my read mark was moved, in another window or back to unread

import { Emitter } from "chatty/lib/emitter.js";
import { Timers } from "chatty/lib/timers.js";
import { WINDOW } from "chatty/chat/conversation_list.js";
import { sendMark } from "chatty/chat/send_mark.js";

const READ_PAUSE = 400; // ms within which read marks are combined into one frame

export class ReadMarks extends Emitter {
  #conversation; // id
  /** @type {import("chatty/chat/connection.js").Connection} */
  #connection;
  #rest;
  #store;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #recount;
  #timers = new Timers();
  #lastRead; // seq of the last message seen in this window
  #serverMark; // the read mark the server last reported, often lower than #lastRead

  constructor({ conversation, lastRead, connection, rest, store, conversationList, recount }) {
    super();
    this.#conversation = conversation;
    this.#lastRead = this.#serverMark = lastRead;
    this.#connection = connection;
    this.#rest = rest;
    this.#store = store;
    this.#conversationList = conversationList;
    this.#recount = recount;
  }

  /**
   * Send what is pending. Returns {seq, serverMark} if that is impossible, otherwise null: the mark, and the
   * one that the server last reported.
   */
  disconnect() {
    const isPending = this.#timers.has("read");
    this.#timers.close();
    const isBehind = this.#lastRead > this.#serverMark;
    if ((isPending || isBehind) && !this.#send()) {
      return { seq: this.#lastRead, serverMark: this.#serverMark };
    }
    return null;
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

  /**
   * My read mark is at `seq`, as a `read` frame says.
   * @param {number} seq
   */
  applyRead(seq) {
    if (seq < this.#serverMark) {
      // Either marked unread elsewhere or a late frame. The frame doesn't say which, so ask the server.
      this.#timers.clear("read"); // a pending mark would undo "unread"; if the frame was late, it is resent later
      this.#conversationList.invalidate(this.#conversation);
      this.#recount(this.#conversation, 0);
      return;
    }
    this.#serverMark = seq;
    // A lower mark than ours is late: more has been read in this window since.
    if (seq > this.#lastRead) this.#moveMark(seq);
    else this.#conversationList.invalidate(this.#conversation);
  }

  /**
   * The list has applied counts of the server, which may not have received the latest marks of this window.
   * @param {Wire.Conversation[]} conversations
   */
  applyCounts(conversations) {
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

  // Internal

  /** `seq` can be lower: after "mark as unread", the mark stays there until a later message is seen. */
  #moveMark(seq) {
    this.#lastRead = seq;
    this.#showMark(seq);
    this.emit("read_mark", { seq });
  }

  #showMark(seq) {
    const unread = this.#store.unreadAfter(seq, WINDOW);
    this.#conversationList.read({ conversation: this.#conversation, seq, unread });
  }

  /** A lost mark is included in the next one, or resent after the next hello. */
  #send() {
    return sendMark(this.#conversation, this.#lastRead, { connection: this.#connection, rest: this.#rest });
  }
}
