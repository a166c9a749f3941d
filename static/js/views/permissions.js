// What I can do in the open conversation. Kept as attributes of #conversation, by which CSS decides what is
// shown: data-can (see can() in conversations/access.py) and data-archived.

import { Emitter } from "chatty/lib/emitter.js";
import { part } from "chatty/views/dom.js";

const READING = ["copy", "link", "unread"]; // always allowed

/** Reasons why no one, or only admins, can post. They can end while the page is open. */
export const PASSING = ["archived", "posting"];

/** Emits "locked" {locked} when I can no longer post, or can again, and "change" {}. */
export class PermissionsView extends Emitter {
  #place;
  #conversation; // {id, permissions, in_archive}, see page_data.py
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

  /** Why I can't post: one of PASSING, or "". */
  get locked() {
    if (this.archived) return "archived";
    return this.can("send") ? "" : "posting";
  }

  /** Whether I can do this: a word of the permission table. */
  can(word) {
    return this.#place.dataset.can.split(" ").includes(word);
  }

  /** True if I can do this with the message of a row, by the same rules as in message_actions.css. */
  allows(action, row) {
    if (!part(row, "message__more")) return false; // pending or deleted
    if (READING.includes(action)) return true;
    const wanted = [action, `${action}-any`, ...("own" in row.dataset ? [`${action}-own`] : [])];
    return wanted.some((each) => this.can(each));
  }

  /** `row`: the conversation as the server last reported it. */
  #update(row) {
    const { archived = this.archived } = row;
    const words = wordsOf({ ...row, archived }, this.#conversation);
    const can = words?.join(" ") ?? this.#place.dataset.can;
    const isArchivedNow = archived !== this.archived;
    const { locked: before } = this;
    if (can === this.#place.dataset.can && !isArchivedNow) return;
    this.#place.dataset.can = can;
    this.#place.toggleAttribute("data-archived", archived);
    if (isArchivedNow) {
      for (const chip of this.#place.querySelectorAll(".chip")) chip.disabled = archived;
    }
    if (this.locked !== before) this.emit("locked", { locked: this.locked });
    this.emit("change", {});
  }
}

/**
 * What I can do with a conversation, as permissions.can() in Python. Undefined for a role that the page doesn't know.
 * `known`: {permissions, in_archive}, see page_data.py.
 */
export function wordsOf(row, known) {
  const words = known.permissions[row.role];
  const isAllowed = (word) =>
    row[words[word]] !== "admins" && (!row.archived || known.in_archive.includes(word));
  return words && Object.keys(words).filter(isAllowed);
}
