// Confirmation dialogs.

import { fromTemplate, showDialog, slot } from "chatty/views/dom.js";

/** Resolves with true for yes. Escape means no. */
export function ask({ question, about = "", yes, no }) {
  const dialog = fromTemplate("dialog-template");
  showDialog(dialog);
  slot(dialog, "question").textContent = question;
  slot(dialog, "about").textContent = about;
  slot(dialog, "about").hidden = !about;
  dialog.querySelector("[value=yes]").textContent = yes;
  dialog.querySelector("[value=no]").textContent = no;
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
}
