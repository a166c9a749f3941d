// The menu of a conversation in the list. Without scripts, its link "Options" leads to a page with the same.

import { fromTemplate } from "chatty/views/dom.js";
import { setFavourite, setLevel } from "chatty/views/own_settings.js";
import { t } from "chatty/views/i18n.js";
import { toast } from "chatty/views/toast.js";

const EDGE = 8; // px to the edges of the window

/** @type {RowMenu | null} */
let shown = null;

/**
 * Open the menu of a row: at the pointer, or under the link that was activated.
 * @param {import("chatty/views/page.js").Page} page
 */
export function openMenu(row, event, page) {
  const isToggled = shown?.row === row && event.type === "click";
  shown?.close();
  if (isToggled) return;
  shown = new RowMenu(row, page);
  shown.connect(event);
}

class RowMenu {
  #page;
  #id;
  #menu = fromTemplate("row-menu-template");
  #ending = new AbortController();

  constructor(row, page) {
    this.row = row;
    this.#page = page;
    this.#id = Number(row.dataset.conversation);
  }

  connect(event) {
    const { signal } = this.#ending;
    const { favourite, level, unread, kind } = this.#page.conversationList.get(this.#id);
    const offered = {
      favourite: !favourite,
      unfavourite: favourite,
      mute: level !== "nothing",
      unmute: level === "nothing",
      read: unread > 0,
      leave: kind !== "direct",
    };
    for (const item of this.#menu.querySelectorAll("[data-do]")) {
      if (offered[item.dataset.do] === false) item.remove();
      if (item.dataset.page) item.href = `/c/${this.#id}/${item.dataset.page}`;
    }
    this.#menu.addEventListener("click", (click) => this.#onClick(click));
    this.#menu.addEventListener("keydown", (key) => this.#onKeydown(key));
    this.#menu.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !this.#menu.contains(relatedTarget)) this.close({ focus: false });
    });
    const closes = (other) => this.#menu.contains(other.target) || this.close({ focus: false });
    document.addEventListener("pointerdown", closes, { signal });
    addEventListener("resize", () => this.close({ focus: false }), { signal });
    this.#link.setAttribute("aria-expanded", "true");
    document.body.append(this.#menu);
    this.#position(event);
    this.#items[0].focus({ preventScroll: true });
  }

  close({ focus = true } = {}) {
    if (shown === this) shown = null;
    this.#ending.abort();
    this.#menu.remove();
    this.#link.removeAttribute("aria-expanded");
    if (focus) this.row.querySelector("a").focus({ preventScroll: true });
  }

  // Internal

  get #link() {
    return this.row.querySelector(".row__more");
  }

  get #items() {
    return [...this.#menu.children];
  }

  /** A key has no pointer, but browsers report the place of the focused element. */
  #position(event) {
    const at = this.#link.getBoundingClientRect();
    const touch = event.touches?.[0] ?? event;
    const isLink = event.type === "click";
    const [x, y] = isLink ? [at.left, at.bottom] : [touch.clientX, touch.clientY];
    const { width, height } = this.#menu.getBoundingClientRect();
    const inside = (wanted, size, room) => Math.max(EDGE, Math.min(wanted, room - EDGE - size));
    this.#menu.style.left = `${inside(x, width, innerWidth)}px`;
    this.#menu.style.top = `${inside(y, height, innerHeight)}px`;
  }

  #onKeydown(event) {
    const items = this.#items;
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) items.at(next % items.length).focus();
    else if (event.key === "Escape") this.close();
    else if (event.key === "Tab") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async #onClick({ target }) {
    const item = target.closest("[data-do]");
    if (!item) return;
    if (item.localName === "a") return this.close({ focus: false });
    this.close();
    try {
      await this.#do(item.dataset.do);
    } catch (error) {
      toast.error(error.detail ?? t("error.server"));
    }
  }

  #do(what) {
    switch (what) {
      case "favourite":
      case "unfavourite":
        return setFavourite(this.#page, this.#id, what === "favourite");
      case "mute":
      case "unmute":
        return setLevel(this.#page, this.#id, what === "mute" ? "nothing" : "unmuted");
      default:
        return this.#markRead();
    }
  }

  async #markRead() {
    const { conversationList, rest } = this.#page;
    const seq = conversationList.get(this.#id).last_seq;
    await rest.post(`conversations/${this.#id}/read/`, { seq });
    conversationList.read({ conversation: this.#id, seq });
  }
}
