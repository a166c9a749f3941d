// The toolbar and menu of messages. There is one of each: they move to the message that is hovered, focused
// or touched, beside its link "More", which then opens the menu. Without scripts, that link leads to a page
// with the same actions. What is shown in them is decided by CSS: see message_actions.css.

import { fromTemplate, part } from "chatty/views/dom.js";

const GAP = 4; // px between the link and the menu
const EDGE = 8; // px between the menu and the edge of the timeline

export class MessageTools {
  #inner = document.getElementById("messages");
  #box = document.getElementById("timeline");
  #toolbar = fromTemplate("toolbar-template");
  #menu = fromTemplate("menu-template");
  #row = null; // where they are
  #ending = new AbortController();

  connect() {
    const { signal } = this.#ending;
    const on = (target, type, work) => target.addEventListener(type, work, { signal });
    this.#menu.hidden = true;
    const placeAt = ({ target }) => !this.isOpen && this.place(target.closest(".message"));
    on(this.#inner, "pointerover", placeAt);
    on(this.#inner, "focusin", placeAt);
    on(document, "pointerdown", ({ target }) => {
      if (!this.#menu.contains(target) && !target.closest(".message__more")) this.close();
    });
  }

  disconnect() {
    this.#ending.abort();
    this.#leave();
  }

  get isOpen() {
    return !this.#menu.hidden && this.#menu.isConnected;
  }

  /** Move toolbar and menu to a message. Pending and deleted ones have none. */
  place(row) {
    const link = row && part(row, "message__more");
    if (!link || (row === this.#row && this.#toolbar.parentElement === link.parentElement)) return;
    this.#leave();
    this.#row = row;
    link.setAttribute("aria-expanded", "false");
    link.before(this.#toolbar);
    link.after(this.#menu);
  }

  /** Open or close the menu of a message. */
  toggle(row) {
    const wasOpen = this.isOpen && row === this.#row;
    this.close();
    if (wasOpen) return;
    this.place(row);
    this.#menu.hidden = false;
    this.#link.setAttribute("aria-expanded", "true");
    this.#position();
  }

  /** Close the menu. If it contains the focus, return it to the link that opened it. */
  close({ focus = this.#menu.contains(document.activeElement) } = {}) {
    if (!this.isOpen) return false;
    if (focus) this.#link?.focus({ preventScroll: true });
    this.#menu.hidden = true;
    this.#link?.setAttribute("aria-expanded", "false");
    return true;
  }

  // Internal

  get #link() {
    return this.#row && part(this.#row, "message__more");
  }

  #leave() {
    const link = this.#link;
    const focused = document.activeElement;
    // Removing the focused element would lose the focus.
    if (this.#toolbar.contains(focused) || this.#menu.contains(focused)) link?.focus({ preventScroll: true });
    this.#menu.hidden = true;
    this.#toolbar.remove();
    this.#menu.remove();
    link?.removeAttribute("aria-expanded");
    this.#row = null;
  }

  /** Below the link, or above if there is no room, and within the timeline. Narrow windows show a sheet. */
  #position() {
    const { style } = this.#menu;
    style.left = style.top = "";
    const box = this.#box.getBoundingClientRect();
    const at = this.#link.getBoundingClientRect();
    const from = this.#row.getBoundingClientRect();
    const { width, height } = this.#menu.getBoundingClientRect();
    const isRight = getComputedStyle(this.#box).direction === "rtl" || "own" in this.#row.dataset;
    const left = isRight ? at.right - width : at.left;
    const fits = at.bottom + GAP + height <= box.bottom;
    const inside = Math.max(box.left + EDGE, Math.min(left, box.right - EDGE - width));
    style.left = `${inside - from.left}px`;
    style.top = `${(fits ? at.bottom + GAP : at.top - GAP - height) - from.top}px`;
  }
}
