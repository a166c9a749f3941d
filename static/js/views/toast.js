// Toasts, which are also announced to screen readers. They never take the focus.

import { element } from "chatty/views/dom.js";
import { announce } from "chatty/views/live_region.js";

export const toast = {
  error: (text) => show("toast", text, 8_000),

  /** Confirm something that has no visible effect. */
  info: (text) => show("toast toast--note", text, 2_500),
};

/** `duration` in ms. */
function show(className, text, duration) {
  document.querySelector(".toast")?.remove();
  const shown = element("p", className, text);
  document.body.append(shown);
  announce(text);
  setTimeout(() => shown.remove(), duration);
}
