// Asking before something is gone, and telling what could not be done.

import { element, fromTemplate, slot } from "chatty/views/dom.js";

const SHOWN = { alert: 8_000, status: 2_500 }; // ms

/** A question with two answers; resolves with true for yes. Escape means no. */
export function ask({ question, about = "", yes, no }) {
  const dialog = fromTemplate("dialog-template");
  slot(dialog, "question").textContent = question;
  slot(dialog, "about").textContent = about;
  slot(dialog, "about").hidden = !about;
  dialog.querySelector("[value=yes]").textContent = yes;
  dialog.querySelector("[value=no]").textContent = no;
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}

/** Say in words what went wrong, for eyes and screen readers, without taking the focus. */
export function tell(words) {
  show("toast", "alert", words);
}

/** Say in words that something was done which is not to be seen. */
export function note(words) {
  show("toast toast--note", "status", words);
}

function show(look, role, words) {
  document.querySelector(".toast")?.remove();
  const toast = element("p", look, words);
  toast.setAttribute("role", role);
  document.body.append(toast);
  setTimeout(() => toast.remove(), SHOWN[role]);
}
