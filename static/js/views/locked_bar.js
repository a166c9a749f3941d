// The bar that replaces the composer when the conversation is inaccessible or read-only.

import { button, element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

/**
 * `change`: "removed", "deleted", "archived", "foreign" (the browser is signed in as someone else) or
 * "restored" (the server restored a backup). `composer`: the locked composer, or null. Only
 * "archived" can be replaced by a later change.
 */
export function showLocked({ change, composer, home }) {
  const before = document.getElementById("locked-bar");
  if (before && before.dataset.change !== "archived") return;
  before?.remove();
  const bar = element("section", "locked-bar", element("p", "locked-bar__reason", t(`gone.${change}`)));
  bar.id = "locked-bar";
  bar.dataset.change = change;
  bar.setAttribute("role", "status");
  bar.tabIndex = -1;
  const buttons = element("p", "actions");
  if (composer?.text) {
    const note = element("p", "", t("gone.kept"));
    bar.append(note);
    const copy = button("button button--small", t("copy"), async () => {
      (await import("chatty/views/copy.js")).copyDraft(composer.text);
    });
    const discard = button("button button--quiet button--small", t("status.discard"), () => {
      composer.discard();
      for (const each of [note, copy, discard]) each.remove();
      (buttons.querySelector(".button") ?? bar).focus(); // the focused button was removed
    });
    buttons.append(copy, discard);
  }
  if (change !== "archived") {
    const isForeign = change === "foreign" || change === "restored";
    // Actions on messages would be performed as the other account.
    if (isForeign) document.getElementById("timeline").inert = true;
    const text = t(isForeign ? "connection.stopped.way" : "gone.home");
    const away = element("a", "button button--quiet button--small", text);
    away.href = isForeign ? location.pathname : `${home}?list`;
    buttons.append(away);
  }
  bar.append(buttons);
  document.getElementById("conversation").append(bar);
  for (const editor of document.querySelectorAll(".editor:not([data-locked])")) lockEditor(editor);
  if (change === "removed") offerToJoin(buttons);
}

/** If the conversation is public, the server shows a form to join it at this URL. Add it to the bar. */
async function offerToJoin(buttons) {
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
    const form = drawn.querySelector(`#main form[action="${location.pathname}join/"]`);
    if (!form) return;
    const press = form.querySelector("button");
    press.className = "button button--small";
    press.textContent = t("gone.join");
    // Only "Join" is a primary button: unsent text is still there after joining.
    for (const other of buttons.querySelectorAll(".button")) other.classList.add("button--quiet");
    buttons.prepend(document.importNode(form, true));
  } catch {
    // Offline, joining is not possible anyway.
  }
}

export function hideLocked() {
  document.getElementById("locked-bar")?.remove();
  for (const editor of document.querySelectorAll(".editor[data-locked]")) unlockEditor(editor);
}

/** Edits in progress can't be saved any more, but their text can be copied. */
function lockEditor(editor) {
  const { body } = editor.elements;
  const cancel = editor.querySelector("[data-action=cancel]");
  editor.dataset.locked = cancel.textContent; // the label to restore
  cancel.textContent = t("status.discard");
  body.readOnly = true;
  editor.addEventListener("submit", stop, { capture: true });
  const copy = button("button button--small editor__copy", t("copy"), async () => {
    (await import("chatty/views/copy.js")).copyDraft(body.value);
  });
  cancel.before(copy);
}

function unlockEditor(editor) {
  editor.querySelector("[data-action=cancel]").textContent = editor.dataset.locked;
  delete editor.dataset.locked;
  editor.elements.body.readOnly = false;
  editor.removeEventListener("submit", stop, { capture: true });
  editor.querySelector(".editor__copy").remove();
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}
