// Somebody has another name or avatar: everywhere on the page at once, and on what is drawn later.

import { fill, slot } from "chatty/views/dom.js";
import { showAvatar } from "chatty/views/avatar.js";

/** `person`: of a `person` frame. `setTitle(name)`: what the page is about has another name. */
export function updatePerson(person, { me, conversationList, store, conversation, setTitle }) {
  const { id, name } = person;
  store?.updatePerson(person);
  for (const part of document.querySelectorAll(`#messages [data-author="${id}"]`)) {
    fill(part, part.matches(".quote") ? "reply-author" : "author", name);
    const avatar = slot(part, "avatar");
    if (avatar) showAvatar(avatar, person);
  }
  // Among the people of a conversation.
  const row = document.getElementById(`person-${id}`);
  fill(row, "name", name);
  for (const avatar of [row, ...document.querySelectorAll(`[data-person="${id}"]`)]) {
    if (avatar) showAvatar(avatar.matches(".avatar") ? avatar : avatar.querySelector(".avatar"), person);
    const direct = avatar?.closest("#conversations > [data-conversation]");
    if (direct) conversationList.updatePerson(Number(direct.dataset.conversation), person);
  }
  if (conversation?.kind === "direct" && document.querySelector(`.topbar [data-person="${id}"]`)) {
    setTitle(name);
  }
  if (id !== me.id) return;
  Object.assign(me, person); // my next words are drawn before the server has them
  fill(document, "my-name", name);
  const avatar = slot(document, "my-avatar");
  showAvatar(avatar, person);
  avatar.classList.add("avatar--small");
}
