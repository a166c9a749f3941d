// The list of conversations: unread counts, order, and adding and removing rows.

import { notifiableCount } from "chatty/chat/conversation_list.js";
import { fill, fromTemplate, part, slot } from "chatty/views/dom.js";
import { showAvatar } from "chatty/views/avatar.js";

export class Sidebar {
  #conversationList;
  #list;
  #current; // id of the open conversation, or null

  constructor({ conversationList, current }) {
    this.#conversationList = conversationList;
    this.#list = document.getElementById("conversations");
    this.#current = current;
  }

  connect() {
    this.#conversationList.on("change", ({ id, moved }) => this.#onChange(id, moved));
    this.#conversationList.on("removed", ({ id }) => this.#row(id)?.remove());
  }

  #row(id) {
    return this.#list?.querySelector(`:scope > [data-conversation="${id}"]`);
  }

  #onChange(id, moved) {
    const data = this.#conversationList.get(id);
    if (!this.#list || !data.name) return;
    const known = this.#row(id);
    const row = known ?? fromTemplate("sidebar-row-template");
    if (!known) this.#fillNew(row, data);
    fill(row, "name", data.name);
    showBadge(row, data);
    showArchived(row, data.archived);
    this.#showUnread(row, data);
    if ((moved || !known) && this.#list.firstElementChild !== row) this.#moveToTop(row);
  }

  #fillNew(row, { id, kind, other }) {
    row.dataset.conversation = id;
    const link = row.querySelector("a");
    link.href = `/c/${id}/`;
    if (id === this.#current) link.setAttribute("aria-current", "page");
    if (kind === "direct") part(row, "avatar").dataset.person = other?.id;
    document.querySelector(".sidebar__empty")?.remove();
  }

  #showUnread(row, data) {
    const { unread, unread_more: more } = data;
    row.classList.toggle("row--unread", unread > 0);
    row.classList.toggle("row--muted", !notifiableCount(data));
    row.classList.toggle("row--mentioned", Boolean(data.mentions?.length));
    slot(row, "unread").hidden = !unread;
    fill(row, "unread-count", `${unread}${more ? "+" : ""}`);
  }

  /** Move a row to the top. If it contains the focus, keep it. */
  #moveToTop(row) {
    const active = /** @type {HTMLElement} */ (document.activeElement);
    const focused = row.contains(active) ? active : null;
    this.#list.prepend(row);
    focused?.focus({ preventScroll: true });
  }
}

/** The other person's avatar in a direct message, or an icon for the group's access. */
function showBadge(row, { kind, access, other }) {
  const avatar = part(row, "avatar");
  if (kind === "direct") showAvatar(avatar, other);
  else avatar.querySelector("use").setAttribute("href", access === "open" ? "#i-hash" : "#i-lock");
}

function showArchived(row, isArchived) {
  row.classList.toggle("row--archived", isArchived);
  const mark = part(row, "row__mark");
  if (!isArchived) mark?.remove();
  else if (!mark) slot(row, "name").after(part(fromTemplate("sidebar-row-template"), "row__mark"));
}
