// Keys that work on every page, and the buttons that do the same: [data-opens], named after the module
// of the dialog that comes when it is first asked for.

import { isTypedInto } from "chatty/views/dom.js";

const IS_MAC = /mac|iphone|ipad/i.test(navigator.platform);

export class Quick {
  #page;
  #openers = new Map(); // name -> open(page), of what is here already
  #ending = new AbortController();

  /** `page`: what the dialogs need, {me, rest, roster}. */
  constructor(page) {
    this.#page = page;
  }

  connect() {
    const { signal } = this.#ending;
    document.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    document.addEventListener("click", (event) => this.#clicked(event), { signal });
    nameKeys(document);
    // Who presses the keys goes on typing at once: the box must be there before the next letter.
    (globalThis.requestIdleCallback ?? setTimeout)(() => this.#load("switcher").catch(() => {}));
  }

  disconnect() {
    this.#ending.abort();
  }

  #pressed(event) {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const { key, ctrlKey, metaKey, shiftKey } = event;
    if (key === "?" && !ctrlKey && !metaKey && !isTypedInto(event.target)) {
      this.#open("shortcuts", event);
    } else if (key.toLowerCase() === "k" && (IS_MAC ? metaKey : ctrlKey) && !shiftKey) {
      this.#open("switcher", event);
    }
  }

  #clicked(event) {
    const press = event.target.closest?.("[data-opens]");
    if (press) this.#open(press.dataset.opens, event, press);
  }

  /** One at a time. A form behind the button does what it can if the dialog cannot be had. */
  #open(name, event, press = null) {
    event.preventDefault();
    if (document.querySelector("dialog[open]")) return;
    if (this.#openers.has(name)) this.#openers.get(name)(this.#page);
    else this.#load(name).then(() => this.#open(name, event), () => press?.form?.submit());
  }

  async #load(name) {
    this.#openers.set(name, (await import(`chatty/views/${name}.js`)).open);
  }
}

/** Keys are called on a Mac what is printed on them there. */
export function nameKeys(root) {
  if (!IS_MAC) return;
  for (const key of root.querySelectorAll("[data-mac]")) key.textContent = key.dataset.mac;
}
