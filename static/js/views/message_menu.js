// The menu of a message, loaded when it is first opened: below its link "More", at the pointer, or in narrow
// windows a sheet from below.

import { fromTemplate, part } from "chatty/views/dom.js";

const GAP = 4; // px between the link and the menu
const EDGE = 8; // px between the menu and the edge of the timeline

export class Menu {
  #menu = fromTemplate("menu-template");
  #row = null;
  #ending = new AbortController();

  get isOpen() {
    return this.#menu.isConnected;
  }

  /** `point`: {x, y} in the window, or null for below the link. */
  open(row, point) {
    this.#row = row;
    this.#ending = new AbortController();
    part(row, "message__tools").after(this.#menu); // the next Tab stop
    this.#menu.classList.toggle("message-menu--whole", Boolean(point));
    this.#link?.setAttribute("aria-expanded", "true");
    this.#position(point);
    const { signal } = this.#ending;
    const left = ({ target }) => {
      if (!this.#menu.contains(target) && !target.closest(".message__more")) this.close();
    };
    document.addEventListener("pointerdown", left, { signal });
    const shown = [...this.#menu.querySelectorAll("button")].find((each) => each.offsetParent);
    if (point) shown?.focus({ preventScroll: true });
  }

  /** If it contains the focus, return it to the link. Returns false if it was not open. */
  close() {
    if (!this.isOpen) return false;
    this.#ending.abort();
    const hadFocus = this.#menu.contains(document.activeElement);
    this.#link?.setAttribute("aria-expanded", "false");
    this.#menu.remove();
    if (hadFocus) (this.#link ?? this.#row).focus({ preventScroll: true });
    return true;
  }

  // Internal

  get #link() {
    return part(this.#row, "message__more");
  }

  /** Below the link or point, or above if there is no room, and within the timeline. */
  #position(point) {
    const { style } = this.#menu;
    style.left = style.top = "";
    const timeline = this.#row.closest(".timeline");
    const box = timeline.getBoundingClientRect();
    const from = this.#menu.offsetParent?.getBoundingClientRect() ?? box;
    const { width, height } = this.#menu.getBoundingClientRect();
    const at = point
      ? { left: point.x, right: point.x + width, top: point.y, bottom: point.y - GAP }
      : this.#link.getBoundingClientRect();
    const isEnd = !point && getComputedStyle(timeline).direction !== "rtl";
    const left = isEnd ? at.right - width : at.left;
    const fits = at.bottom + GAP + height <= box.bottom;
    const inside = Math.max(box.left + EDGE, Math.min(left, box.right - EDGE - width));
    const top = Math.max(box.top, fits ? at.bottom + GAP : at.top - GAP - height);
    style.left = `${inside - from.left}px`;
    style.top = `${top - from.top}px`;
  }
}
