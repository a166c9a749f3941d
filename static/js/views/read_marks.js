// Read marks. A message counts as read once its end is in view, in a window that is visible and has focus.

import { isLiveText } from "chatty/chat/live_text.js";
import { byId, fill, isWatched } from "chatty/views/dom.js";
import { tn } from "chatty/views/i18n.js";

/** `events`: emits those of `chat`, also from before this was loaded. */
export class ReadMarksView {
  #chat;
  #events;
  #conversationList;
  #timeline;
  #conversation;
  #root;
  #bar;
  #lastRead;
  #waitsForLine; // the first unread message is not loaded yet, so nothing counts as read
  #isPaused = false; // after "mark as unread": messages in view must not count as read again
  #isScheduled = false;
  #stops = [];
  #ending = new AbortController();

  constructor({ root, chat, events, conversationList, timeline, conversation }) {
    this.#chat = chat;
    this.#events = events;
    this.#conversationList = conversationList;
    this.#timeline = timeline;
    this.#conversation = conversation;
    this.#root = root;
    this.#bar = byId(root, "unread-bar");
    this.#lastRead = conversation.last_read_seq;
    this.#waitsForLine = Boolean(this.#bar && !this.#bar.hidden && !this.#line);
  }

  // Lifecycle

  connect() {
    const { signal } = this.#ending;
    addEventListener("focus", () => this.look(), { signal });
    addEventListener("blur", () => (this.#isPaused = false), { signal });
    document.addEventListener("visibilitychange", () => this.look(), { signal });
    this.#bar?.addEventListener("submit", (event) => this.#markAll(event), { signal });
    this.#stops.push(
      this.#events.on("message", ({ message, own }) => this.#onMessage(message, own)),
      this.#events.on("read_mark", ({ seq }) => this.#onReadMark(seq)),
      this.#chat.store.on("change", () => this.#findLine()),
      this.#conversationList.on("change", ({ id }) => id === this.#conversation.id && this.#showBar()),
    );
    this.look();
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    this.#ending.abort();
  }

  /** Check which messages are in view, at most once per animation frame. */
  look() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    requestAnimationFrame(() => {
      this.#isScheduled = false;
      if (isWatched() && !this.#waitsForLine && !this.#isPaused) this.#markSeen(this.#timeline.lastSeen());
    });
  }

  /** I sent a message: everything before counts as read, and the "New" line is removed. */
  messageSent() {
    this.#waitsForLine = this.#isPaused = false;
    this.#timeline.dropNewLine();
    this.look();
  }

  // Internal

  get #line() {
    return byId(this.#root, "new");
  }

  #markSeen(seq) {
    if (seq <= this.#lastRead) return;
    this.#lastRead = seq;
    this.#chat.markRead(seq);
  }

  #onReadMark(seq) {
    if (seq < this.#lastRead) this.#setBack(seq);
    this.#lastRead = seq;
  }

  #setBack(seq) {
    this.#isPaused = true;
    const first = this.#chat.store.messages().find((message) => message.seq > seq);
    const row = first && this.#timeline.row(first.id);
    if (row) this.#timeline.placeNewLine(row);
    if (this.#bar) this.#bar.hidden = false;
  }

  /** Put the "New" line before the first message that arrives while no one is looking. */
  #onMessage(message, own) {
    if (!own && isLiveText(message) && !isWatched() && !this.#hasUnreadBefore(message)) {
      const row = this.#timeline.row(message.id);
      if (row) this.#timeline.placeNewLine(row);
    }
    this.look();
  }

  #hasUnreadBefore({ seq }) {
    return this.#chat.store.firstUnread(this.#lastRead)?.seq < seq;
  }

  /** Once the first unread message is loaded, put the "New" line before it. */
  #findLine() {
    if (!this.#waitsForLine) return;
    const messages = this.#chat.store.messages();
    if (!messages.length || messages[0].seq > this.#lastRead + 1) return;
    const first = this.#chat.store.firstUnread(this.#lastRead);
    this.#waitsForLine = false;
    const row = first && this.#timeline.row(first.id);
    if (row) this.#timeline.placeNewLine(row);
  }

  #markAll(event) {
    event.preventDefault();
    this.#waitsForLine = this.#isPaused = false;
    const row = this.#conversationList.get(this.#conversation.id);
    this.#markSeen(Math.max(row?.last_seq ?? 0, this.#conversation.last_seq));
    this.#bar.hidden = true;
  }

  #showBar() {
    const row = this.#conversationList.get(this.#conversation.id);
    if (!this.#bar || !row?.counted) return;
    if (!row.unread) this.#bar.hidden = true;
    const number = `${row.unread}${row.unread_more ? "+" : ""}`;
    fill(this.#bar, "unread", tn("new", row.unread, { n: number }));
  }
}
