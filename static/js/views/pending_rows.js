// The rows of my messages that are not stored yet, at the end of a timeline.

import { element, part } from "chatty/views/dom.js";
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
    if (state === "failed") this.#showFailure(status, entry);
    else showState(row, status, state);
  }

  #showFailure(status, { key, failure }) {
    // If the page must be reloaded instead, the server's error is shown.
    const isHere = ["removed", "deleted", "archived"].includes(this.#locked);
    const why = isHere ? t(`unsent.${this.#locked}`) : failure.detail;
    status.replaceChildren(element("span", "message__failure", why));
    for (const action of this.#locked ? ["copy", "discard"] : ["retry", "amend", "discard"]) {
      const press = element("button", "message__action", t(`status.${action}`));
      press.type = "button";
      press.dataset.action = action;
      press.dataset.key = key;
      status.append(press);
    }
  }
}

/** Delayed: most messages are sent before anyone could read their state. */
function showState(row, status, state) {
  const wait = status.textContent ? 0 : PATIENCE;
  setTimeout(() => {
    if (row.isConnected && row.dataset.state === state) status.textContent = t(`status.${state}`);
  }, wait);
}
