// A short message at the edge of the page, for eyes and screen readers. It never takes the focus.

import { element } from "chatty/views/dom.js";

const SHOWN = { alert: 8_000, status: 2_500 }; // ms

export const toast = {
  /** Say what went wrong. */
  error: (text) => show("toast", "alert", text),

  /** Say that something was done which cannot be seen. */
  info: (text) => show("toast toast--note", "status", text),
};

function show(className, role, text) {
  document.querySelector(".toast")?.remove();
  const shown = element("p", className, text);
  shown.setAttribute("role", role);
  document.body.append(shown);
  setTimeout(() => shown.remove(), SHOWN[role]);
}
