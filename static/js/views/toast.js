// Toasts, which are also announced to screen readers. They never take the focus.

import { element } from "chatty/views/dom.js";

const SHOWN = { alert: 8_000, status: 2_500 }; // ms

export const toast = {
  error: (text) => show("toast", "alert", text),

  /** Confirm something that has no visible effect. */
  info: (text) => show("toast toast--note", "status", text),
};

function show(className, role, text) {
  document.querySelector(".toast")?.remove();
  const shown = element("p", className, text);
  shown.setAttribute("role", role);
  document.body.append(shown);
  setTimeout(() => shown.remove(), SHOWN[role]);
}
