// Applies a changed name or avatar everywhere on the page, and to messages rendered later.

import { fill, part, setText, slot } from "chatty/views/dom.js";
import { showAvatar } from "chatty/views/avatar.js";

/**
 * @param {Wire.Person} person
 * @param {import("chatty/views/page.js").Page} page
 */
export function updatePerson(person, { me, conversationList, conversation }) {
  const { id, name } = person;
  conversation?.chat.store.updatePerson(person);
  conversationList.updatePerson(person);
  for (const each of document.querySelectorAll(`#messages [data-author="${id}"]`)) {
    if (each.matches(".quote")) {
      fill(each, "reply-author", name);
    } else {
      setText(part(each, "message__author"), name);
      showAvatar(part(each, "avatar"), person);
    }
  }
  // In the member list.
  const row = document.getElementById(`person-${id}`);
  fill(row, "name", name);
  for (const avatar of [row, ...document.querySelectorAll(`[data-person="${id}"]`)]) {
    if (avatar) showAvatar(avatar.matches(".avatar") ? avatar : avatar.querySelector(".avatar"), person);
  }
  if (id !== me.id) return;
  Object.assign(me, person); // pending messages are rendered from this
  fill(document, "my-name", name);
  const avatar = slot(document, "my-avatar");
  showAvatar(avatar, person);
  avatar.classList.add("avatar--small");
}
