// Keeps the list of conversations up to date over HTTP while no socket can be opened.
//
// Emits:
//   counted   {conversation, asOf}   as the server counts it; `asOf`: see ConversationList
//   gone      {id}                   I no longer have access

import { Emitter } from "chatty/lib/emitter.js";
import { Timers } from "chatty/lib/timers.js";

const INTERVAL = 5_000; // ms
const LATEST = 100; // conversations, the most that a request returns

export class ListPoll extends Emitter {
  /** @type {import("chatty/chat/connection.js").Connection} */
  #connection;
  #rest;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #timers = new Timers();

  constructor({ connection, rest, conversationList }) {
    super();
    this.#connection = connection;
    this.#rest = rest;
    this.#conversationList = conversationList;
  }

  /** Poll until the socket is back. */
  start() {
    if (!this.#timers.has("poll")) this.#timers.set("poll", INTERVAL, () => this.#poll());
  }

  disconnect() {
    this.#timers.close();
  }

  async #poll() {
    if (!this.#connection.usesRest) return;
    if (document.visibilityState === "visible") await this.#fetch().catch(() => {});
    this.start();
  }

  async #fetch() {
    const known = this.#conversationList.ids();
    const moves = new Map(known.map((id) => [id, this.#conversationList.asOf(id)]));
    /** @type {Wire.Conversations} */
    const { results, next } = await this.#rest.get("conversations/", { limit: LATEST });
    for (const conversation of results) {
      this.emit("counted", { conversation, asOf: moves.get(conversation.id) ?? 0 });
    }
    if (next) return; // those that are missing may be further down
    const there = new Set(results.map(({ id }) => id));
    for (const id of known) if (!there.has(id)) this.emit("gone", { id });
  }
}
