// Moving through the messages by keyboard: arrows or j and k in the log, one key per action, and Tab
// through one message instead of all.

import { isTypedInto } from "chatty/views/dom.js";

const ACTION_OF_KEY = {
  r: "reply",
  e: "edit",
  "+": "react",
  c: "copy",
  l: "link",
  u: "unread",
  Delete: "delete",
};

export class Keyboard {
  #timeline;
  #actions;
  #composer;
  #box = document.getElementById("timeline");
  #current = null; // the row whose buttons Tab goes through
  #ending = new AbortController();

  constructor({ timeline, actions, composer }) {
    this.#timeline = timeline;
    this.#actions = actions;
    this.#composer = composer;
  }

  connect() {
    const { signal } = this.#ending;
    this.#box.addEventListener("keydown", (event) => this.#onKeydown(event), { signal });
    const onTab = ({ key, target }) => key === "Tab" && this.#setTabStops(target);
    document.addEventListener("keydown", onTab, { signal, capture: true });
  }

  disconnect() {
    this.#ending.abort();
  }

  /**
   * Tab passes the log with one message: the one in hand, else the last in sight. All its buttons and
   * links are on the way, and those of the others once one of them is taken in hand.
   */
  #setTabStops(from) {
    const rows = this.#timeline.rows();
    const current = from.closest?.("#messages > [data-message-id]");
    if (current) this.#current = current;
    else if (!this.#current?.isConnected || !this.#timeline.isInSight(this.#current)) {
      // Of a message taller than the view no end is in sight.
      const seq = this.#timeline.lastSeen() || this.#timeline.place().seq;
      this.#current = rows.find((row) => Number(row.dataset.seq) === seq) ?? rows.at(-1);
    }
    // They are followed by themselves where one comes near; to be there would lead away from the end.
    for (const link of document.querySelectorAll("#older a, #newer a")) {
      link.tabIndex = link.closest("nav").querySelector(".timeline__error") ? 0 : -1;
    }
    for (const row of rows) {
      const tabIndex = row === this.#current ? 0 : -1;
      row.tabIndex = tabIndex;
      for (const press of row.querySelectorAll("a, button, summary")) {
        if (!press.closest(".editor, .picker")) press.tabIndex = tabIndex;
      }
    }
  }

  #onKeydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (isTypedInto(target) || target.closest(".picker, details[open]")) return;
    // On the log itself the arrows scroll, as everywhere; j and k take a message in hand. The buttons
    // and links of a message count as the message: Shift+Tab from the composer arrives at one of them.
    const row = target.closest("[data-kind]");
    const step = { k: -1, j: 1, ...(row && { ArrowUp: -1, ArrowDown: 1 }) }[key];
    if (step) this.#step(row, step, event);
    else if (row && this.#run(key, row)) event.preventDefault();
    else if (row && key === "Escape") this.#composer?.focus();
  }

  #run(key, row) {
    return /^[1-9]$/.test(key)
      ? this.#actions.reactWith(Number(key), row)
      : this.#actions.run(ACTION_OF_KEY[key], row);
  }

  #step(row, step, event) {
    const rows = this.#timeline.rows();
    const next = row ? rows[rows.indexOf(row) + step] : rows.at(-1);
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
}
