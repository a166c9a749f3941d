// Confirmation dialogs.

import { fromTemplate, slot } from "chatty/views/dom.js";

/** Resolves with true for yes. Escape means no. */
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
      setTimeout(() => dialog.remove()); // see shortcuts.js
      resolve(dialog.returnValue === "yes");
    });
    dialog.showModal();
  });
}
