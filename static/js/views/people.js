// Somebody has another name or face: everywhere on the page at once, and on what is drawn later.

import { fill, slot } from "chatty/views/dom.js";
import { showFace } from "chatty/views/face.js";

/** `person`: of a `person` frame. `retitle(name)`: what the page is about has another name. */
export function meet(person, { me, roster, store, conversation, retitle }) {
  const { id, name } = person;
  store?.meet(person);
  for (const words of document.querySelectorAll(`#messages [data-author="${id}"]`)) {
    fill(words, words.matches(".quote") ? "reply-author" : "author", name);
    const face = slot(words, "avatar");
    if (face) showFace(face, person);
  }
  // Among the people of a conversation.
  const row = document.getElementById(`person-${id}`);
  fill(row, "name", name);
  for (const face of [row, ...document.querySelectorAll(`[data-person="${id}"]`)]) {
    if (face) showFace(face.matches(".avatar") ? face : face.querySelector(".avatar"), person);
    const direct = face?.closest("#conversations > [data-conversation]");
    if (direct) roster.meet(Number(direct.dataset.conversation), person);
  }
  if (conversation?.kind === "direct" && document.querySelector(`.topbar [data-person="${id}"]`)) {
    retitle(name);
  }
  if (id !== me.id) return;
  Object.assign(me, person); // my next words are drawn before the server has them
  fill(document, "my-name", name);
  const face = slot(document, "my-face");
  showFace(face, person);
  face.classList.add("avatar--small");
}
