// The rows of my messages that are not stored yet, at the end of a timeline.

import { part, view } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

const PATIENCE = 600; // ms before a pending message shows its state

export class PendingRows {
  #store;
  #message; // MessageView
  #insert;
  #locked;
  #rows = new Map(); // key -> element, oldest first
  #isShown = false;

  /** `locked`: as for lock(). `insert(row)` puts a new row at the end of the timeline. */
  constructor({ store, message, locked, insert }) {
    this.#store = store;
    this.#message = message;
    this.#locked = locked;
    this.#insert = insert;
  }

  /** The oldest row, or undefined. Only it can have a different message before it after a change. */
  get first() {
    return this.#rows.values().next().value;
  }

  /** The row with this key, which is no longer pending, or undefined. */
  take(key) {
    const row = this.#rows.get(key);
    this.#rows.delete(key);
    return row;
  }

  /** `keys`: of changed entries. All are drawn again when the end of the history appears or disappears. */
  draw(keys, replaced) {
    const isShown = !this.#store.hasNewer;
    const isAnew = replaced || isShown !== this.#isShown;
    this.#isShown = isShown;
    const changed = isAnew ? [...this.#rows.keys(), ...this.#store.pending().map(({ key }) => key)] : keys;
    for (const key of new Set(changed)) {
      const entry = isShown && this.#store.getPending(key);
      if (entry) this.#drawEntry(entry);
      else this.take(key)?.remove();
    }
  }

  /** Show on failed messages why they can't be sent, with the remaining actions. `why`: "" to unlock. */
  lock(why) {
    this.#locked = why;
    for (const row of this.#rows.values()) delete row.dataset.state;
    this.draw([...this.#rows.keys()], false);
  }

  // Internal

  #drawEntry(entry) {
    let row = this.#rows.get(entry.key);
    if (!row) {
      row = this.#message.drawPending({ ...entry, quote: this.#store.quoteOf(entry.reply_to) });
      this.#rows.set(entry.key, row);
      this.#insert(row);
    }
    const state = entry.state === "sent" ? "sending" : entry.state;
    if (row.dataset.state === state) return;
    row.dataset.state = state;
    row.classList.toggle("message--failed", state === "failed");
    const status = part(row, "message__status");
    if (state !== "failed") showState(row, status, state);
    else view("failed_message").then(({ showFailure }) => showFailure(row, entry, this.#locked));
  }
}

/** Delayed: most messages are sent before anyone could read their state. Without a network, none is. */
function showState(row, status, state) {
  const wait = status.textContent || !navigator.onLine ? 0 : PATIENCE;
  setTimeout(() => {
    if (row.isConnected && row.dataset.state === state) status.textContent = t(`status.${state}`);
  }, wait);
}
