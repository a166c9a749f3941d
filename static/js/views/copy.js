// Copies text to the clipboard. Call it before awaiting anything, or WebKit doesn't allow it.

import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

/** `done`: what to say then. The Clipboard API exists only on HTTPS. */
export async function copy(text, done = "copied.text") {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    putByHand(text);
  }
  toast.info(t(done));
}

function putByHand(text) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const box = document.createElement("textarea");
  box.className = "visually-hidden";
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  if (!done) throw Object.assign(new Error("not copied"), { detail: t("copied.not") });
}
