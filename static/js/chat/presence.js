// Who is online, and how far the others in the open conversation have read. Pure: no DOM, no network.

import { hueOf, initials } from "chatty/lib/people.js";

export class Presence {
  #me;
  #online;
  #hasReceipts; // false if the conversation is too large for read receipts
  #members; // id -> {id, name, hue, seq, since}

  /**
   * `here`: ids of people online when the page was rendered. `members`: see open(). `me` is online, too, but
   * the server only sends who else is.
   */
  constructor({ me, here, members }) {
    this.#me = me;
    this.#online = new Set([...here, me]);
    this.open(members);
  }

  /** Another conversation is open. `members`: see #members, with `online`; null without one, or if too many. */
  open(members) {
    this.#hasReceipts = members !== null;
    this.#members = new Map((members ?? []).map((member) => [member.id, { ...member }]));
    for (const { id, online } of members ?? []) if (online) this.#online.add(id);
  }

  isOnline(id) {
    return this.#online.has(id);
  }

  /** Names of the other members who are online. */
  get names() {
    return this.#list.filter(({ id }) => this.#online.has(id)).map(({ name }) => name);
  }

  /** True if there are members with read receipts. */
  get hasReaders() {
    return this.#members.size > 0;
  }

  /** The names of members who have seen my message at `seq`, and whether all of them (two or more) have. */
  seenBy(seq) {
    const readers = this.#list.filter((member) => member.seq >= seq && seq > member.since);
    const names = readers.map(({ name }) => name);
    const faces = readers.map(({ id, name, hue }) => ({ id, initial: [...initials(name)][0], hue }));
    return { names, faces, everybody: names.length > 1 && names.length === this.#members.size };
  }

  /** Apply a `presence` frame. */
  applyPresence({ online, offline, reset }) {
    if (reset) this.#online.clear();
    for (const id of offline) this.#online.delete(id);
    for (const id of [...online, this.#me]) this.#online.add(id);
  }

  /** Apply the marks of a `seen` frame. */
  applyMarks(marks) {
    for (const { user, seq } of marks) {
      const member = this.#members.get(user);
      if (member) member.seq = seq;
    }
  }

  /** Apply a `person` frame. */
  updatePerson({ id, name, hue }) {
    const member = this.#members.get(id);
    if (member) Object.assign(member, { name, hue });
  }

  /** Apply a system message: members join and leave. */
  applyNotice({ kind, author, seq, notice: { data } }) {
    if (kind === "left") this.#members.delete(author.id);
    if (kind === "removed") this.#members.delete(data.user);
    if (!this.#hasReceipts) return;
    if (kind === "joined") this.#addMember(author, seq);
    if (kind === "added") this.#addMember({ id: data.user, name: data.name }, seq);
  }

  /** After a long disconnect: the presence data is outdated. */
  clearOnline() {
    this.#online.clear();
  }

  get #list() {
    return [...this.#members.values()];
  }

  /** Messages from before someone joined do not count as seen by them. */
  #addMember({ id, name, hue = hueOf(id) }, since) {
    this.#members.set(id, { id, name, hue, seq: since, since });
  }
}
