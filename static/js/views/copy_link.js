// A button that copies the field before it.

import { copy } from "chatty/views/copy.js";

/** @param {HTMLButtonElement} element */
export function connect(element) {
  const field = /** @type {HTMLInputElement} */ (element.previousElementSibling);
  element.addEventListener("click", () => copy(field.value, "copied.link"));
  element.hidden = false;
}
