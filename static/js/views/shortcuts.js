// Keys that work on every page, and the buttons that do the same: [data-opens] names the dialog.

import { fromTemplate, isTypedInto } from "chatty/views/dom.js";

/** What fills a dialog that is not whole as the server drew it. */
const LOADERS = { switcher: () => import("chatty/views/switcher.js") };
const IS_MAC = /mac|iphone|ipad/i.test(navigator.platform);

export class Shortcuts {
  #page;

  /** `page`: what the dialogs need, {me, rest, conversation list}. */
  constructor(page) {
    this.#page = page;
  }

  connect() {
    document.addEventListener("keydown", (event) => this.#onKeydown(event));
    document.addEventListener("click", (event) => this.#onClick(event));
    nameKeys(document);
    // Fetched before it is asked for: by then the line may be gone.
    (globalThis.requestIdleCallback ?? setTimeout)(() => LOADERS.switcher().catch(() => {}));
  }

  #onKeydown(event) {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const { key, ctrlKey, metaKey, shiftKey } = event;
    if (key === "?" && !ctrlKey && !metaKey && !isTypedInto(event.target)) {
      this.#open("shortcuts", event);
    } else if (key.toLowerCase() === "k" && (IS_MAC ? metaKey : ctrlKey) && !shiftKey) {
      this.#open("switcher", event);
    }
  }

  #onClick(event) {
    const press = event.target.closest?.("[data-opens]");
    if (press) this.#open(press.dataset.opens, event, press);
  }

  /**
   * One at a time. Who presses the keys goes on typing at once, so the dialog is there before its
   * module. A form behind the button does what it can if that cannot be had.
   */
  async #open(name, event, press = null) {
    event.preventDefault();
    if (document.querySelector("dialog[open]")) return;
    const dialog = fromTemplate(`${name}-template`);
    dialog.addEventListener("close", () => dialog.remove()); // the focus goes back to where it was
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // beside it
    nameKeys(dialog);
    document.body.append(dialog);
    dialog.showModal();
    const loading = LOADERS[name]?.().catch(() => {
      dialog.close();
      press?.form?.submit();
    });
    if (!loading) return;
    let isEntered = false; // already, by somebody who knows what they want
    const pressed = ({ key, target }) => (isEntered ||= key === "Enter" && isTypedInto(target));
    dialog.addEventListener("keydown", pressed);
    const module = await loading;
    dialog.removeEventListener("keydown", pressed);
    module?.fillIn(dialog, { ...this.#page, isEntered });
  }
}

/** Keys are called on a Mac what is printed on them there. */
function nameKeys(root) {
  if (!IS_MAC) return;
  for (const key of root.querySelectorAll("[data-mac]")) key.textContent = key.dataset.mac;
}
