// The button beside a field for one emoji, which opens the picker.

import { view } from "chatty/views/dom.js";

/**
 * @param {HTMLButtonElement} button
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(button, page) {
  const field = /** @type {HTMLInputElement} */ (button.previousElementSibling);
  const ending = new AbortController();
  button.hidden = false;
  button.addEventListener("click", async () => {
    const { openPicker } = await view("emoji_picker", { isAwaited: true });
    openPicker({
      anchor: button,
      me: page.me.id,
      picked: (emoji) => (field.value = emoji),
      back: field,
      signal: ending.signal,
      isPlain: true,
    });
  });
  return { disconnect: () => ending.abort() };
}
