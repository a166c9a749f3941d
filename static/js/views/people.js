// Somebody has another name or face: everywhere on the page at once, and on what is drawn later.

import { fill, slot } from "chatty/views/dom.js";
import { showFace } from "chatty/views/face.js";

/** `person`: of a `person` frame. `retitle(name)`: what the page is about has another name. */
export function meet(person, { me, roster, store, conversation, retitle }) {
  const { id, name } = person;
  store?.meet(person);
  for (const row of document.querySelectorAll(`#messages > [data-author="${id}"]`)) {
    fill(row, "author", name);
    const face = slot(row, "avatar");
    if (face) showFace(face, person);
  }
  for (const quote of document.querySelectorAll("#messages .quote[data-reply-to]")) {
    const quoted = document.getElementById(`m${quote.dataset.replyTo}`);
    if (quoted?.dataset.author === String(id)) fill(quote, "reply-author", name);
  }
  for (const face of document.querySelectorAll(`[data-person="${id}"]`)) {
    showFace(face.matches(".avatar") ? face : face.querySelector(".avatar"), person);
    const row = face.closest("#conversations > [data-conversation]");
    if (row && id !== me) roster.rename(Number(row.dataset.conversation), name);
  }
  if (id === me) fill(document, "my-name", name);
  else if (conversation?.kind === "direct" && document.querySelector(`.topbar [data-person="${id}"]`)) {
    retitle(name);
  }
}
