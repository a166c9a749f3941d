// What I can do in the open conversation. Kept as attributes of #conversation, by which CSS decides what is
// shown: data-can (see permissions() in conversations/access.py) and data-archived.

import { Emitter } from "chatty/lib/emitter.js";
import { part } from "chatty/views/dom.js";

const READING = ["copy", "link", "unread"]; // always allowed

/** Emits "archived" {archived} when the conversation is archived or unarchived, and "change" {}. */
export class Permissions extends Emitter {
  #place;
  #conversation; // {id, permissions: role -> what it can do}
  #conversationList;
  #stop;

  constructor({ place, conversation, conversationList }) {
    super();
    this.#place = place;
    this.#conversation = conversation;
    this.#conversationList = conversationList;
  }

  connect() {
    const { id: here } = this.#conversation;
    this.#stop = this.#conversationList.on("change", ({ id }) => {
      if (id === here) this.#update(this.#conversationList.get(id));
    });
  }

  disconnect() {
    this.#stop();
  }

  get archived() {
    return "archived" in this.#place.dataset;
  }

  /** True if I can do this with the message of a row, by the same rules as in message_actions.css. */
  allows(action, row) {
    if (!part(row, "message__more")) return false; // pending or deleted
    if (READING.includes(action)) return true;
    const can = this.#place.dataset.can.split(" ");
    const wanted = [action, `${action}-any`, ...("own" in row.dataset ? [`${action}-own`] : [])];
    return !this.archived && wanted.some((each) => can.includes(each));
  }

  /** `row`: the conversation as the server last reported it. */
  #update({ role, archived = this.archived }) {
    const can = this.#conversation.permissions[role]?.join(" ") ?? this.#place.dataset.can;
    const isArchivedNow = archived !== this.archived;
    if (can === this.#place.dataset.can && !isArchivedNow) return;
    this.#place.dataset.can = can;
    this.#place.toggleAttribute("data-archived", archived);
    if (isArchivedNow) {
      for (const chip of this.#place.querySelectorAll(".chip")) chip.disabled = archived;
      this.emit("archived", { archived });
    }
    this.emit("change", {});
  }
}
