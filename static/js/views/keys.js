// Moving through the messages by keyboard: arrows or j and k in the log, one key per deed.

import { isTypedInto } from "chatty/views/dom.js";

const DEED_OF_KEY = {
  r: "reply",
  e: "edit",
  "+": "react",
  c: "copy",
  l: "link",
  u: "unread",
  Delete: "delete",
};

export class Keys {
  #timeline;
  #deeds;
  #composer;
  #box = document.getElementById("timeline");
  #ending = new AbortController();

  constructor({ timeline, deeds, composer }) {
    this.#timeline = timeline;
    this.#deeds = deeds;
    this.#composer = composer;
  }

  connect() {
    this.#box.addEventListener("keydown", (event) => this.#pressed(event), {
      signal: this.#ending.signal,
    });
  }

  disconnect() {
    this.#ending.abort();
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { target, key } = event;
    if (isTypedInto(target) || target.closest(".picker, details[open]")) return;
    // On the log itself the arrows scroll, as everywhere; j and k take a message in hand.
    const row = target.closest("[data-kind]");
    const step = { k: -1, j: 1, ...(row === target && { ArrowUp: -1, ArrowDown: 1 }) }[key];
    if (step) this.#step(row, step, event);
    else if (row === target && this.#perform(key, row)) event.preventDefault();
    else if (row && key === "Escape") this.#composer?.focus();
  }

  #perform(key, row) {
    return /^[1-9]$/.test(key)
      ? this.#deeds.reactWith(Number(key), row)
      : this.#deeds.perform(DEED_OF_KEY[key], row);
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
