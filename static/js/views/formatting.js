// Formatting what is written: shortcuts, a bar of buttons that can be hidden, lists that continue, and a link that is
// made by pasting an address over words. Also opens the picker of emoji. Loaded when someone begins to write.

import {
  continueList,
  linkPasted,
  MARKS,
  makeCodeBlock,
  makeLink,
  toggleLines,
  toggleMark,
} from "chatty/lib/markdown_editing.js";
import { fromTemplate, isMac, isTouch, slot, view } from "chatty/views/dom.js";
import { loadStyle } from "chatty/views/page_head.js";
import { replaceText } from "chatty/views/typed_text.js";
import { writingFiles } from "chatty/views/writing_templates.js";

const YEAR = 31_536_000; // seconds

// data-format of a button, and the key with Ctrl or ⌘ -> the change
const FORMATS = {
  ...Object.fromEntries(
    Object.entries(MARKS).map(([name, mark]) => [name, (...at) => toggleMark(...at, mark)]),
  ),
  link: makeLink,
  bullets: (...at) => toggleLines(...at, "bullets"),
  numbers: (...at) => toggleLines(...at, "numbers"),
  quote: (...at) => toggleLines(...at, "quote"),
  block: makeCodeBlock,
};
const KEYS = { b: "bold", i: "italic" };

/** Add the shortcuts to a field. */
export function formatKeys(box, signal) {
  box.addEventListener("keydown", (event) => onKeydown(box, event), { signal });
  box.addEventListener("paste", (event) => onPaste(box, event), { signal });
}

/** `page`: {form, me}. */
export function connect(page) {
  const formatting = new Formatting(page);
  formatting.connect();
  return formatting;
}

class Formatting {
  #form;
  #box;
  #me;
  #ending = new AbortController();

  constructor({ form, me }) {
    this.#form = form;
    this.#box = form.elements.body;
    this.#me = me;
  }

  connect() {
    const { signal } = this.#ending;
    formatKeys(this.#box, signal);
    const bar = slot(this.#form, "format");
    loadStyle(writingFiles().styles).then(
      () => signal.aborted || bar.replaceChildren(fromTemplate("format-template")),
      () => {},
    );
    // Keep the focus and the keyboard of a phone.
    bar.addEventListener("pointerdown", (event) => event.preventDefault(), { signal });
    bar.addEventListener("click", (event) => this.#onClick(event), { signal });
  }

  disconnect() {
    this.#ending.abort();
  }

  /** Show or hide the bar. The server then draws it in the same way: see conversations/web/conversation_page.py. */
  toggle(press) {
    const bar = slot(this.#form, "format");
    bar.hidden = !bar.hidden;
    press.setAttribute("aria-expanded", String(!bar.hidden));
    // biome-ignore lint/suspicious/noDocumentCookie: Cookie Store is not available everywhere.
    document.cookie = `format=${bar.hidden ? "" : "1"}; path=/; max-age=${YEAR}; samesite=lax`;
    this.#box.focus();
  }

  /** Open or close the picker of emoji. */
  async pick(press) {
    const { openPicker } = await view("emoji_picker", { isAwaited: true });
    const { selectionStart: start, selectionEnd: end } = this.#box;
    openPicker({
      anchor: press,
      me: this.#me.id,
      picked: (emoji) => this.#insert(start, end, emoji),
      back: this.#box,
      signal: this.#ending.signal,
    });
  }

  // Internal

  #insert(start, end, emoji) {
    const { value } = this.#box;
    const space = start && !/\s$/.test(value.slice(0, start)) ? " " : "";
    replaceText(this.#box, start, end, `${space}${emoji} `);
  }

  #onClick(event) {
    const name = event.target.closest("[data-format]")?.dataset.format;
    if (name) apply(this.#box, FORMATS[name]);
  }
}

function onKeydown(box, event) {
  if (event.isComposing || event.keyCode === 229 || event.defaultPrevented || box.readOnly) return;
  const { key, altKey, shiftKey } = event;
  const isCommand = isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
  if (isCommand && !altKey && !shiftKey) {
    const name = KEYS[key.toLowerCase()] ?? (key.toLowerCase() === "k" && hasSelection(box) && "link");
    if (!name) return; // without selected text, Ctrl+K is the switcher
    apply(box, FORMATS[name]);
  } else if (key === "Enter" && !isCommand && !altKey && (shiftKey || isTouch.matches)) {
    if (!apply(box, continueList)) return;
  } else return;
  event.preventDefault();
}

function onPaste(box, event) {
  const pasted = event.clipboardData?.getData("text/plain") ?? "";
  if (box.readOnly || !hasSelection(box) || !pasted) return;
  const change = (...at) => linkPasted(...at, pasted);
  if (apply(box, change)) event.preventDefault();
}

function hasSelection(box) {
  return box.selectionStart !== box.selectionEnd;
}

/** Apply a change of lib/markdown_editing.js. Returns false if there is none. */
function apply(box, changeOf) {
  const change = changeOf(box.value, box.selectionStart, box.selectionEnd);
  if (!change) return false;
  replaceText(box, change.from, change.to, change.text);
  box.setSelectionRange(...change.select);
  return true;
}
