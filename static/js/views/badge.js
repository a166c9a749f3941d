// The total unread count in the title, the favicon and the app badge, visible from other tabs.

export class Badge {
  #conversationList;
  #title = document.title;
  #icon = document.querySelector('link[rel="icon"][type="image/svg+xml"]');
  #plain;
  #shown = "";

  constructor({ conversationList }) {
    this.#conversationList = conversationList;
    this.#plain = this.#icon?.href;
  }

  connect() {
    this.#conversationList.on("change", () => this.#show());
    this.#show();
    return this;
  }

  /** The conversation was renamed. */
  set title(title) {
    if (title === this.#title) return;
    this.#title = title;
    this.#show();
  }

  #show() {
    const { count, more } = this.#conversationList.total();
    const shown = count ? `${count}${more ? "+" : ""}` : "";
    const title = shown ? `(${shown}) ${this.#title}` : this.#title;
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
    this.#icon.href = number ? `data:image/svg+xml,${encodeURIComponent(drawing(number))}` : this.#plain;
  }
}

function drawing(number) {
  const size = number.length > 1 ? 30 : 36;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M32 4a28 28 0 1 1-13.5 52.5L4 60l3.5-14.5A28 28 0 0 1 32 4z" fill="#4f39f6"/><circle cx="42" cy="42" r="22" fill="#d4183d"/><text x="42" y="53" font-family="system-ui,sans-serif" font-weight="700" font-size="${size}" text-anchor="middle" fill="#fff">${number}</text></svg>`;
}
