// The bar that replaces the composer when the conversation is inaccessible or read-only.

import { parsePage } from "chatty/lib/pages.js";
import { button, byId, element } from "chatty/views/dom.js";
import { announce } from "chatty/views/live_region.js";
import { copy } from "chatty/views/copy.js";
import { t } from "chatty/views/i18n.js";
import { PASSING } from "chatty/views/permissions.js";

/**
 * `root`: #main. `change`: "removed", "deleted", "archived", "posting" (only admins can post now), "foreign" (the
 * browser is signed in as someone else) or "restored" (the server restored a backup). `composer`: the locked
 * composer, or null. Only PASSING ones can be replaced by a later change.
 */
export function showLocked({ root, change, composer, home }) {
  const before = byId(root, "locked-bar");
  if (before && !PASSING.includes(before.dataset.change)) return;
  if (before) hideLocked(root);
  const bar = element("section", "locked-bar", element("p", "locked-bar__reason", t(`gone.${change}`)));
  bar.id = "locked-bar";
  bar.dataset.change = change;
  bar.tabIndex = -1;
  const buttons = element("p", "actions");
  if (composer?.text) {
    const note = element("p", "", t("gone.kept"));
    bar.append(note);
    const copyButton = button("button button--small", t("copy"), () => copy(composer.text));
    const discard = button("button button--quiet button--small", t("status.discard"), () => {
      composer.discard();
      for (const each of [note, copyButton, discard]) each.remove();
      (buttons.querySelector(".button") ?? bar).focus(); // the focused button was removed
    });
    buttons.append(copyButton, discard);
  }
  if (!PASSING.includes(change)) {
    const isForeign = change === "foreign" || change === "restored";
    // Actions on messages would be performed as the other account.
    if (isForeign) byId(root, "timeline").inert = true;
    const text = t(isForeign ? "connection.stopped.way" : "gone.home");
    const away = element("a", "button button--quiet button--small", text);
    away.href = isForeign ? location.pathname : `${home}?list`;
    if (isForeign) away.target = "_self"; // a load: see navigation.js
    buttons.append(away);
  }
  bar.append(buttons);
  byId(root, "conversation").append(bar);
  announce([...bar.querySelectorAll(":scope > p:not(.actions)")].map((each) => each.textContent).join(" "));
  // Where only admins can post, edits can still be saved.
  const editors = change === "posting" ? [] : root.querySelectorAll(".editor:not([data-locked])");
  for (const editor of editors) lockEditor(editor);
  if (change === "removed") offerToJoin(buttons);
}

/** If the conversation is public, the server shows a form to join it at this URL. Add it to the bar. */
async function offerToJoin(buttons) {
  try {
    const answer = await fetch(location.pathname, {
      headers: { Accept: "text/html", "Chatty-Part": "background" },
    });
    const drawn = await parsePage(answer);
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

export function hideLocked(root) {
  byId(root, "locked-bar")?.remove();
  for (const editor of root.querySelectorAll(".editor[data-locked]")) unlockEditor(editor);
}

/** Edits in progress can't be saved any more, but their text can be copied. */
function lockEditor(editor) {
  const { body } = editor.elements;
  const cancel = editor.querySelector("[data-action=cancel]");
  editor.dataset.locked = cancel.textContent; // the label to restore
  cancel.textContent = t("status.discard");
  body.readOnly = true;
  editor.addEventListener("submit", refuse, { capture: true });
  const copyButton = button("button button--small editor__copy", t("copy"), () => copy(body.value));
  cancel.before(copyButton);
}

function unlockEditor(editor) {
  editor.querySelector("[data-action=cancel]").textContent = editor.dataset.locked;
  delete editor.dataset.locked;
  editor.elements.body.readOnly = false;
  editor.removeEventListener("submit", refuse, { capture: true });
  editor.querySelector(".editor__copy").remove();
}

function refuse(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}
