// Who is online, and how far the others in the open conversation have read. Pure: no DOM, no network.

export class Presence {
  #online;
  #hasReceipts; // false if the conversation is too large for read receipts
  #members; // id -> {id, name, seq, since}

  /** `here`: ids of people online when the page was rendered. `members`: see #members; null if too many. */
  constructor({ here, members }) {
    this.#online = new Set(here);
    this.#hasReceipts = members !== null;
    this.#members = new Map((members ?? []).map((member) => [member.id, { ...member }]));
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
    return { names, everybody: names.length > 1 && names.length === this.#members.size };
  }

  /** Apply a `presence` frame. */
  applyPresence({ online, offline, reset }) {
    if (reset) this.#online.clear();
    for (const id of online) this.#online.add(id);
    for (const id of offline) this.#online.delete(id);
  }

  /** Apply the marks of a `seen` frame. */
  applyMarks(marks) {
    for (const { user, seq } of marks) {
      const member = this.#members.get(user);
      if (member) member.seq = seq;
    }
  }

  /** Apply a `person` frame. */
  updatePerson({ id, name }) {
    const member = this.#members.get(id);
    if (member) member.name = name;
  }

  /** Apply a system message: members join and leave. */
  applyNotice({ kind, author, seq, notice: { data } }) {
    if (kind === "left") this.#members.delete(author.id);
    if (kind === "removed") this.#members.delete(data.user);
    if (!this.#hasReceipts) return;
    if (kind === "joined") this.#addMember(author.id, author.name, seq);
    if (kind === "added") this.#addMember(data.user, data.name, seq);
  }

  /** After a long disconnect: the presence data is outdated. */
  clearOnline() {
    this.#online.clear();
  }

  get #list() {
    return [...this.#members.values()];
  }

  /** Messages from before someone joined do not count as seen by them. */
  #addMember(id, name, since) {
    this.#members.set(id, { id, name, seq: since, since });
  }
}
