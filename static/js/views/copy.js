// A message's words or its address, into the clipboard.

import { slot } from "chatty/views/dom.js";
import { note } from "chatty/views/dialog.js";
import { say } from "chatty/views/words.js";

/** As they are read, not as they were written: what is bold has no asterisks. */
export async function copyText(row) {
  await put(slot(row, "body").innerText.trim());
  note(say("copied.text"));
}

export async function copyLink(row) {
  await put(new URL(`/m/${row.dataset.messageId}/`, location.origin).href);
  note(say("copied.link"));
}

export async function copyDraft(text) {
  await put(text);
  note(say("copied.text"));
}

/** The clipboard proper exists on https alone. */
async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    putByHand(text);
  }
}

function putByHand(text) {
  const focused = document.activeElement;
  const box = document.createElement("textarea");
  box.className = "visually-hidden";
  box.value = text;
  document.body.append(box);
  box.select();
  const done = document.execCommand("copy");
  box.remove();
  focused?.focus({ preventScroll: true });
  if (!done) throw Object.assign(new Error("not copied"), { detail: say("copied.not") });
}
