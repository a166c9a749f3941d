// The list of all keys.

import { fromTemplate } from "chatty/views/dom.js";
import { nameKeys } from "chatty/views/quick.js";

export function open() {
  const dialog = fromTemplate("shortcuts-template");
  nameKeys(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}
