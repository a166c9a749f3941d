// Asks the server for the unread counts of conversations whose counts can't be derived here.
//
// Emits:
//   counted   {conversation, asOf}   the conversation as the server counts it; `asOf`: see ConversationList

import { Emitter } from "chatty/lib/emitter.js";
import { Timers } from "chatty/lib/timers.js";

const PAUSE = 300; // ms within which requests are combined

export class Recounts extends Emitter {
  #rest;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #timers = new Timers();
  #ids = new Set();

  constructor({ rest, conversationList }) {
    super();
    this.#rest = rest;
    this.#conversationList = conversationList;
  }

  disconnect() {
    this.#timers.close();
  }

  /** Throttled, not debounced: recounts also happen while messages keep arriving. */
  request(id, pause = PAUSE) {
    this.#ids.add(id);
    if (!this.#timers.has("recount")) this.#timers.set("recount", pause, () => this.#recount());
  }

  async #recount() {
    const ids = [...this.#ids];
    this.#ids.clear();
    for (const id of ids) {
      const asOf = this.#conversationList.asOf(id);
      try {
        this.emit("counted", { conversation: await this.#rest.get(`conversations/${id}/`), asOf });
      } catch (error) {
        // No longer accessible, or offline: the next hello has the counts.
        const { retry, status, retryAfter } = error;
        if (retry && status) this.request(id, Math.max(1_000 * retryAfter, PAUSE));
      }
    }
  }
}
