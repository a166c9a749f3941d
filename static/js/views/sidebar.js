// The list of conversations: numbers, order, and rows that come and go. And the same total in the
// title and on the icon, so that a tab in the background tells too.

import { callsOf } from "chatty/chat/roster.js";
import { fill, fromTemplate, icon, slot } from "chatty/views/dom.js";
import { showFace } from "chatty/views/face.js";

export class Sidebar {
  #roster;
  #list;
  #current; // id of the open conversation, or null
  #stops = [];

  constructor({ roster, current }) {
    this.#roster = roster;
    this.#list = document.getElementById("conversations");
    this.#current = current;
  }

  connect() {
    this.#stops.push(
      this.#roster.on("change", ({ id, moved }) => this.#changed(id, moved)),
      this.#roster.on("gone", ({ id }) => this.#row(id)?.remove()),
    );
  }

  disconnect() {
    for (const stop of this.#stops) stop();
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
      showFace(face, other);
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

export class Badge {
  #roster;
  #stop = null;
  #title = document.title;
  #icon = document.querySelector('link[rel="icon"][type="image/svg+xml"]');
  #plain;
  #shown = "";

  constructor({ roster }) {
    this.#roster = roster;
    this.#plain = this.#icon?.href;
  }

  connect() {
    this.#stop = this.#roster.on("change", () => this.#show());
    this.#show();
  }

  disconnect() {
    this.#stop?.();
  }

  /** The conversation was renamed. */
  set title(title) {
    this.#title = title;
    this.#shown = "";
    this.#show();
  }

  #show() {
    const { count, more } = this.#roster.total();
    const shown = count ? `${count}${more ? "+" : ""}` : "";
    const title = shown ? `(${shown}) ${this.#title}` : this.#title;
    if (document.title !== title) document.title = title;
    if (this.#shown === shown) return;
    this.#shown = shown;
    this.#showIcon(count ? (count > 99 ? "99" : String(count)) : "");
    this.#tellSystem(count);
  }

  #tellSystem(count) {
    const told = count ? navigator.setAppBadge?.(count) : navigator.clearAppBadge?.();
    told?.catch(() => {}); // not installed, or not allowed: the title says it
  }

  #showIcon(number) {
    if (!this.#icon) return;
    this.#icon.href = number
      ? `data:image/svg+xml,${encodeURIComponent(drawing(number))}`
      : this.#plain;
  }
}

function drawing(number) {
  const size = number.length > 1 ? 30 : 36;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><path d="M32 4a28 28 0 1 1-13.5 52.5L4 60l3.5-14.5A28 28 0 0 1 32 4z" fill="#4f39f6"/><circle cx="42" cy="42" r="22" fill="#d4183d"/><text x="42" y="53" font-family="system-ui,sans-serif" font-weight="700" font-size="${size}" text-anchor="middle" fill="#fff">${number}</text></svg>`;
}
