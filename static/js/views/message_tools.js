// The toolbar and menu of messages. There is one of each: they move to the message that is hovered, focused
// or touched, beside its link "More", which then opens the menu. Without scripts, that link leads to a page
// with the same actions. What is shown in them is decided by CSS: see message_actions.css.

import { byId, fromTemplate, part, view } from "chatty/views/dom.js";

export class MessageTools {
  #inner;
  #me;
  #toolbar = fromTemplate("toolbar-template");
  #menu = null; // message_menu.js, loaded on first use
  #row = null; // where the toolbar is
  #ending = new AbortController();

  constructor({ root, me }) {
    this.#inner = byId(root, "messages");
    this.#me = me;
  }

  connect() {
    const { signal } = this.#ending;
    const on = (type, work) => this.#inner.addEventListener(type, work, { signal });
    const placeAt = ({ target }) => !this.isOpen && this.place(target.closest(".message"));
    on("pointerover", placeAt);
    on("focusin", placeAt);
    on("contextmenu", (event) => this.#onContextMenu(event));
    // Long presses and swipes
    if (matchMedia("(any-pointer: coarse)").matches) {
      view("gestures").then(({ watch }) => watch(this.#inner, this, signal));
    }
  }

  disconnect() {
    this.#ending.abort();
    this.#leave();
  }

  get isOpen() {
    return this.#menu?.isOpen;
  }

  /** Move the toolbar to a message. Pending and deleted ones have none. */
  place(row) {
    const tools = row && part(row, "message__tools");
    if (!tools || tools.contains(this.#toolbar)) return;
    this.#leave();
    this.#row = row;
    part(tools, "message__more").setAttribute("aria-expanded", "false");
    this.#nameQuick();
    tools.prepend(this.#toolbar);
  }

  /** Open or close the menu of a message, below its link. */
  async toggle(row) {
    if (!this.close() || row !== this.#row) await this.open(row);
  }

  /** Open the menu of a message: below its link, or at a point {x, y} of the window. */
  async open(row, point = null) {
    const { Menu } = await view("message_menu", { isAwaited: true });
    this.#menu ??= new Menu();
    if (this.isOpen || !row.isConnected || this.#ending.signal.aborted) return;
    this.place(row);
    this.#menu.open(row, point);
  }

  /** Close the menu. If it contains the focus, return it to the link that opened it. */
  close() {
    return this.#menu?.close();
  }

  // Internal

  /** The browser's menu remains for selected text, links and fields, and with Shift. */
  #onContextMenu(event) {
    const { target } = event;
    const row = target.closest(".message");
    const isTouch = event.pointerType === "touch"; // gestures.js says who reacted
    const isOther = target.closest(`a, input, textarea, .message-menu${isTouch ? ", .chip" : ""}`);
    if (!row || !part(row, "message__tools") || event.shiftKey || isOther || `${getSelection()}`) return;
    event.preventDefault();
    this.open(row, event);
  }

  /** Two buttons for the reactions that were used last: see lib/emoji_choices.js. */
  #nameQuick() {
    let used = [];
    try {
      used = JSON.parse(localStorage.getItem(`chatty.emoji.${this.#me}`)).recent;
    } catch {
      // None yet, or storage is blocked.
    }
    const buttons = [...this.#toolbar.querySelectorAll("[data-quick]")];
    const shown = [...new Set([...used, ...buttons.map(({ dataset }) => dataset.quick)])];
    buttons.forEach((button, index) => {
      button.value = button.textContent = shown[index];
    });
  }

  #leave() {
    const link = this.#row && part(this.#row, "message__more");
    this.close();
    // Removing the focused element would lose the focus.
    if (this.#toolbar.contains(document.activeElement)) link?.focus({ preventScroll: true });
    this.#toolbar.remove();
    link?.removeAttribute("aria-expanded");
    this.#row = null;
  }
}
