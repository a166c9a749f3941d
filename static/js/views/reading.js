// Read means seen: the end of a message in sight, in a window that is visible and has the focus.

import { fill, isWatched } from "chatty/views/dom.js";
import { sayCount } from "chatty/views/words.js";

export class Reading {
  #chat;
  #store;
  #roster;
  #timeline;
  #conversation;
  #me;
  #bar = document.getElementById("unread-bar");
  #lastRead;
  #waitsForLine; // the first unread message is too far up to have been seen
  #held = false; // set back by hand: what is in sight now is not to count as read again
  #asked = false;
  #stops = [];
  #ending = new AbortController();

  constructor({ chat, store, roster, timeline, conversation, me }) {
    this.#chat = chat;
    this.#store = store;
    this.#roster = roster;
    this.#timeline = timeline;
    this.#conversation = conversation;
    this.#me = me;
    this.#lastRead = conversation.last_read_seq;
    this.#waitsForLine = Boolean(this.#bar && !this.#bar.hidden && !this.#line);
  }

  // Lifecycle

  connect() {
    const { signal } = this.#ending;
    addEventListener("focus", () => this.look(), { signal });
    addEventListener("blur", () => (this.#held = false), { signal });
    document.addEventListener("visibilitychange", () => this.look(), { signal });
    this.#bar?.addEventListener("submit", (event) => this.#markAll(event), { signal });
    this.#stops.push(
      this.#chat.on("spoken", ({ message, own }) => this.#spoken(message, own)),
      this.#chat.on("marked", ({ seq }) => this.#marked(seq)),
      this.#store.on("change", () => this.#findLine()),
      this.#roster.on("change", ({ id }) => id === this.#conversation.id && this.#showBar()),
    );
    this.look();
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    this.#ending.abort();
  }

  /** Something else may be in sight; looked at once per frame. */
  look() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      if (isWatched() && !this.#waitsForLine && !this.#held) this.#saw(this.#timeline.lastSeen());
    });
  }

  /** I have spoken: what was before has been read, and the line has done its duty. */
  spoke() {
    this.#waitsForLine = this.#held = false;
    this.#timeline.dropNewLine();
    this.look();
  }

  // Internal

  get #line() {
    return document.getElementById("new");
  }

  #saw(seq) {
    if (seq <= this.#lastRead) return;
    this.#lastRead = seq;
    this.#chat.read(seq);
  }

  #marked(seq) {
    if (seq < this.#lastRead) this.#setBack(seq);
    this.#lastRead = seq;
  }

  #setBack(seq) {
    this.#held = true;
    const first = this.#store.messages().find((message) => message.seq > seq);
    const row = first && this.#timeline.row(first.id);
    if (row) this.#timeline.placeNewLine(row);
    if (this.#bar) this.#bar.hidden = false;
  }

  /** A message nobody looks at: the New line goes before the first of them and then stays. */
  #spoken(message, own) {
    if (!own && message.kind === "text" && !isWatched() && !this.#hasUnreadBefore(message)) {
      const row = this.#timeline.row(message.id);
      if (row) this.#timeline.placeNewLine(row);
    }
    this.look();
  }

  #hasUnreadBefore({ seq }) {
    return this.#store
      .messages()
      .some(
        (message) =>
          message.seq > this.#lastRead &&
          message.seq < seq &&
          message.kind === "text" &&
          message.author?.id !== this.#me.id,
      );
  }

  /** Older pages came in: perhaps the first unread message with them. */
  #findLine() {
    if (!this.#waitsForLine) return;
    const messages = this.#store.messages();
    if (!messages.length || messages[0].seq > this.#lastRead + 1) return;
    const first = messages.find(
      (message) =>
        message.seq > this.#lastRead &&
        message.kind === "text" &&
        message.author?.id !== this.#me.id,
    );
    this.#waitsForLine = false;
    const row = first && this.#timeline.row(first.id);
    if (row) this.#timeline.placeNewLine(row);
  }

  #markAll(event) {
    event.preventDefault();
    this.#waitsForLine = this.#held = false;
    const row = this.#roster.get(this.#conversation.id);
    this.#saw(Math.max(row?.last_seq ?? 0, this.#conversation.last_seq));
    this.#bar.hidden = true;
  }

  #showBar() {
    const row = this.#roster.get(this.#conversation.id);
    if (!this.#bar || !row?.counted) return;
    if (!row.unread) this.#bar.hidden = true;
    const number = `${row.unread}${row.unread_more ? "+" : ""}`;
    fill(this.#bar, "unread", sayCount("new", row.unread, { n: number }));
  }
}
