// The list of conversations: numbers, order, and rows that come and go.

import { callsOf } from "chatty/chat/roster.js";
import { fill, fromTemplate, icon, slot } from "chatty/views/dom.js";
import { showFace } from "chatty/views/face.js";

export class Sidebar {
  #roster;
  #list;
  #current; // id of the open conversation, or null

  constructor({ roster, current }) {
    this.#roster = roster;
    this.#list = document.getElementById("conversations");
    this.#current = current;
  }

  connect() {
    this.#roster.on("change", ({ id, moved }) => this.#changed(id, moved));
    this.#roster.on("gone", ({ id }) => this.#row(id)?.remove());
  }

  /** The rows as the server drew them: what a roster starts with. */
  static read() {
    const rows = document.querySelectorAll("#conversations [data-conversation]");
    return [...rows].map((row) => {
      const number = slot(row, "unread").hidden ? "0" : slot(row, "unread-count").textContent;
      return {
        id: Number(row.dataset.conversation),
        name: slot(row, "name").textContent,
        kind: row.dataset.kind,
        level: row.dataset.level,
        mentions: row.dataset.mentions.split(" ").filter(Boolean).map(Number),
        unread: Number.parseInt(number, 10) || 0,
        unread_more: number.endsWith("+"),
      };
    });
  }

  #row(id) {
    return this.#list?.querySelector(`:scope > [data-conversation="${id}"]`);
  }

  #changed(id, moved) {
    const data = this.#roster.get(id);
    if (!this.#list || !data.name) return;
    const known = this.#row(id);
    const row = known ?? fromTemplate("sidebar-row-template");
    if (!known) this.#begin(row, data);
    fill(row, "name", data.name);
    if (data.other) showFace(row.querySelector(".avatar"), data.other);
    this.#showUnread(row, data);
    if ((moved || !known) && this.#list.firstElementChild !== row) this.#lift(row);
  }

  #begin(row, { id, kind, access, other }) {
    row.dataset.conversation = id;
    row.dataset.kind = kind;
    const link = row.querySelector("a");
    link.href = `/c/${id}/`;
    if (id === this.#current) link.setAttribute("aria-current", "page");
    const face = slot(row, "badge").querySelector(".avatar");
    if (kind === "direct") {
      face.dataset.person = other?.id;
    } else {
      face.replaceChildren(icon(access === "open" ? "hash" : "lock"));
    }
    document.querySelector(".sidebar__empty")?.remove();
  }

  #showUnread(row, data) {
    const { unread, unread_more: more } = data;
    row.classList.toggle("row--unread", unread > 0);
    row.classList.toggle("row--quiet", !callsOf(data));
    row.classList.toggle("row--called", Boolean(data.mentions?.length));
    slot(row, "unread").hidden = !unread;
    fill(row, "unread-count", `${unread}${more ? "+" : ""}`);
  }

  /** To the top, keeping the focus if it is inside. */
  #lift(row) {
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    this.#list.prepend(row);
    focused?.focus({ preventScroll: true });
  }
}
