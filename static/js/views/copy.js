// Copies the text of a message or its link to the clipboard.

import { idOf, part } from "chatty/views/dom.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

/** Copies the rendered text, without Markdown. */
export async function copyText(row) {
  // biome-ignore lint/performance/useDomNodeTextContent: innerText keeps the visible line breaks.
  await put(part(row, "message__body").innerText.trim());
  toast.info(t("copied.text"));
}

export async function copyLink(row) {
  await put(new URL(`/m/${idOf(row)}/`, location.origin).href);
  toast.info(t("copied.link"));
}

export async function copyDraft(text) {
  await put(text);
  toast.info(t("copied.text"));
}

/** The Clipboard API exists only on HTTPS. */
async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    putByHand(text);
  }
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
