// Keyboard shortcuts that work on every page, and the buttons for the same dialogs ([data-opens]).

import { fromTemplate, isMac, isTypedInto, showDialog, view } from "chatty/views/dom.js";

/** Modules for dialogs with dynamic content. */
const LOADERS = { switcher: () => view("switcher", { isAwaited: true }) };

/** @typedef {import("chatty/views/page.js").Page} Page */

/** @param {Page} page */
export function connect(_element, page) {
  document.addEventListener("keydown", (event) => onKeydown(event, page));
  document.addEventListener("click", (event) => onClick(event, page));
  nameKeys(document);
}

function onKeydown(event, page) {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const { key, ctrlKey, metaKey, shiftKey } = event;
  if (key === "?" && !ctrlKey && !metaKey && !isTypedInto(event.target)) openDialog("shortcuts", event, page);
  if (key.toLowerCase() === "k" && (isMac ? metaKey : ctrlKey) && !shiftKey)
    openDialog("switcher", event, page);
}

function onClick(event, page) {
  const button = event.target.closest?.("[data-opens]");
  if (button) openDialog(button.dataset.opens, event, page, button);
}

/**
 * Open a dialog, unless one is open. It opens before its module has loaded, because people type
 * immediately after pressing the keys. If the module can't be loaded, the button's form is submitted.
 */
async function openDialog(name, event, page, button) {
  event.preventDefault();
  if (document.querySelector("dialog[open]")) return;
  const dialog = fromTemplate(`${name}-template`);
  showDialog(dialog);
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // on the backdrop
  nameKeys(dialog);
  const loading = LOADERS[name]?.().catch(() => {
    dialog.close();
    button?.form?.submit();
  });
  if (!loading) return;
  let isEntered = false; // Enter was pressed before the module had loaded
  dialog.addEventListener(
    "keydown",
    ({ key, target }) => (isEntered ||= key === "Enter" && isTypedInto(target)),
  );
  const module = await loading;
  module?.fillIn(dialog, page, isEntered);
}

/** Show Mac names of keys on a Mac. */
function nameKeys(root) {
  if (!isMac) return;
  for (const key of root.querySelectorAll("[data-mac]")) key.textContent = key.dataset.mac;
}
