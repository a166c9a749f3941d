// The total unread count in the title, the favicon and the app badge, visible from other tabs.

import { view } from "chatty/views/dom.js";
import { siteName } from "chatty/views/site_name.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  const badge = new Badge({ conversationList: page.conversationList });
  badge.connect();
  page.on("shown", ({ title }) => (badge.title = title));
  return badge;
}

class Badge {
  #conversationList;
  #title = document.title;
  #cover = "";
  #icon = document.querySelector('link[rel="icon"][type="image/svg+xml"]');
  #plain;
  #shown = "";
  #number = ""; // in the icon, or about to be

  constructor({ conversationList }) {
    this.#conversationList = conversationList;
    this.#plain = this.#icon?.href;
  }

  connect() {
    this.#conversationList.on("change", () => this.#show());
    this.#show();
  }

  /** Show the title of something that covers the page, until it is "". */
  cover(title) {
    this.#cover = title;
    this.#show();
  }

  /** The conversation was renamed. */
  rename(name) {
    this.title = `${name} · ${siteName()}`;
  }

  set title(title) {
    if (title === this.#title) return;
    this.#title = title;
    this.#show();
  }

  #show() {
    const { count, more } = this.#conversationList.total();
    const shown = count ? `${count}${more ? "+" : ""}` : "";
    const own = this.#cover || this.#title;
    const title = shown ? `(${shown}) ${own}` : own;
    if (document.title !== title) document.title = title;
    if (this.#shown === shown) return;
    this.#shown = shown;
    this.#showIcon(count ? (count > 99 ? "99" : String(count)) : "");
    this.#setAppBadge(count);
  }

  #setAppBadge(count) {
    const told = count ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.();
    told?.catch(() => {}); // not installed or not allowed: the title shows it
  }

  #showIcon(number) {
    if (!this.#icon) return;
    this.#number = number;
    if (!number) this.#icon.href = this.#plain;
    else view("badge_icon").then(({ iconWith }) => this.#setIcon(number, iconWith(number)));
  }

  #setIcon(number, address) {
    if (number === this.#number) this.#icon.href = address;
  }
}
