// Keyboard shortcuts that work on every page, and the buttons for the same dialogs ([data-opens]).

import { fromTemplate, isMac, isTypedInto, view } from "chatty/views/dom.js";

/** Modules for dialogs with dynamic content. */
const LOADERS = { switcher: () => view("switcher", { isAwaited: true }) };

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  const { me, rest, conversationList } = page;
  new Shortcuts({ me: me.id, rest, conversationList }).connect();
}

class Shortcuts {
  #page;

  /** `page`: {me, rest, conversationList}, for the dialogs. */
  constructor(page) {
    this.#page = page;
  }

  connect() {
    document.addEventListener("keydown", (event) => this.#onKeydown(event));
    document.addEventListener("click", (event) => this.#onClick(event));
    nameKeys(document);
  }

  #onKeydown(event) {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const { key, ctrlKey, metaKey, shiftKey } = event;
    if (key === "?" && !ctrlKey && !metaKey && !isTypedInto(event.target)) {
      this.#open("shortcuts", event);
    } else if (key.toLowerCase() === "k" && (isMac ? metaKey : ctrlKey) && !shiftKey) {
      this.#open("switcher", event);
    }
  }

  #onClick(event) {
    const press = event.target.closest?.("[data-opens]");
    if (press) this.#open(press.dataset.opens, event, press);
  }

  /**
   * Open a dialog, unless one is open. It opens before its module has loaded, because people type
   * immediately after pressing the keys. If the module can't be loaded, the button's form is submitted.
   */
  async #open(name, event, press = null) {
    event.preventDefault();
    if (document.querySelector("dialog[open]")) return;
    const dialog = fromTemplate(`${name}-template`);
    // Not at once: Chromium would give the focus back to the composer, but not what is typed.
    dialog.addEventListener("close", () => setTimeout(() => dialog.remove()));
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // on the backdrop
    nameKeys(dialog);
    document.body.append(dialog);
    dialog.showModal();
    const loading = LOADERS[name]?.().catch(() => {
      dialog.close();
      press?.form?.submit();
    });
    if (!loading) return;
    let isEntered = false; // Enter was pressed before the module had loaded
    const pressed = ({ key, target }) => (isEntered ||= key === "Enter" && isTypedInto(target));
    dialog.addEventListener("keydown", pressed);
    const module = await loading;
    dialog.removeEventListener("keydown", pressed);
    module?.fillIn(dialog, { ...this.#page, isEntered });
  }
}

/** Show Mac names of keys on a Mac. */
function nameKeys(root) {
  if (!isMac) return;
  for (const key of root.querySelectorAll("[data-mac]")) key.textContent = key.dataset.mac;
}
