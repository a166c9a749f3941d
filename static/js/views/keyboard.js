// Keyboard navigation in the message list: arrows or j/k to move, one key per action, and Tab stops in
// only one message.

import { byId, isTypedInto } from "chatty/views/dom.js";

const ACTION_OF_KEY = {
  r: "reply",
  e: "edit",
  "+": "react",
  c: "copy",
  l: "link",
  p: "pin",
  u: "unread",
  Delete: "delete",
};

export class Keyboard {
  #timeline;
  #actions;
  #composer;
  #root;
  #box;
  #current = null; // the row with Tab stops
  #ending = new AbortController();

  constructor({ root, timeline, actions, composer }) {
    this.#root = root;
    this.#box = byId(root, "timeline");
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
   * Only one message has Tab stops: the focused one, else the last visible one. Its buttons and links
   * can be reached with Tab; those of another message once that one has focus.
   */
  #setTabStops(from) {
    const rows = this.#timeline.rows();
    const current = from.closest?.("#messages > [data-seq]");
    if (current) this.#current = current;
    else if (!this.#current?.isConnected || !this.#timeline.isInSight(this.#current)) {
      // lastSeen() is 0 if a message is taller than the view.
      const seq = this.#timeline.lastSeen() || this.#timeline.place().seq;
      this.#current = rows.find((row) => Number(row.dataset.seq) === seq) ?? rows.at(-1);
    }
    // Focusing these would scroll to them, and they load by themselves on scrolling near. So they are
    // Tab stops only after an error.
    for (const link of this.#root.querySelectorAll("#older a, #newer a, .day a")) {
      link.tabIndex = link.closest("nav")?.querySelector(".timeline__error") ? 0 : -1;
    }
    if (this.#current) this.#actions.place(this.#current);
    for (const row of rows) {
      row.tabIndex = row === this.#current ? 0 : -1;
      for (const press of row.querySelectorAll("a, button, input, pre, .table, [controls]")) {
        // Names are not shown in messages that continue a group: the first one has it.
        if (press.matches(".message--continued .message__author")) press.tabIndex = -1;
        else if (!press.closest(".editor")) press.tabIndex = row.tabIndex;
      }
    }
  }

  #onKeydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (isTypedInto(target) || target.closest(".message-menu, [aria-expanded=true]")) return;
    // With focus on the list itself, arrows scroll as usual and j/k focus a message. A message's buttons
    // and links count as the message, since Shift+Tab from the composer focuses one of them.
    const row = target.closest(".message, .notice");
    const step = { k: -1, j: 1, ...(row && { ArrowUp: -1, ArrowDown: 1 }) }[key];
    if (step) this.#step(row, step, event);
    else if (row && this.#run(key, row)) event.preventDefault();
    else if (row && key === "Escape") this.#composer.focus();
  }

  #run(key, row) {
    return /^[1-9]$/.test(key)
      ? this.#actions.reactWith(Number(key), row)
      : this.#actions.run(ACTION_OF_KEY[key], row);
  }

  #step(row, step, event) {
    const rows = this.#timeline.rows().filter((each) => !each.matches(".notice--folded"));
    const next = row ? rows[rows.indexOf(row) + step] : rows.at(-1);
    if (!next) return;
    event.preventDefault();
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
}
