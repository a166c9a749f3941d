// Who is here, and how far the others in the open conversation have read. Pure.

export class Presence {
  #online;
  #hasReceipts; // false where there are too many to be told of each other
  #members; // id -> {id, name, seq, since}

  /** `online`: ids, as the page was drawn. `members`: the others of the open conversation, or null. */
  constructor({ here, members }) {
    this.#online = new Set(here);
    this.#hasReceipts = members !== null;
    this.#members = new Map((members ?? []).map((member) => [member.id, { ...member }]));
  }

  isOnline(id) {
    return this.#online.has(id);
  }

  /** The names of the others of the open conversation who are here. */
  get names() {
    return this.#list.filter(({ id }) => this.#online.has(id)).map(({ name }) => name);
  }

  /** Whether there is anybody of whom one is told what they have read. */
  get hasReaders() {
    return this.#members.size > 0;
  }

  /** {names, everybody} of those who have seen my message at `seq`. */
  seenBy(seq) {
    const readers = this.#list.filter((member) => member.seq >= seq && seq > member.since);
    const names = readers.map(({ name }) => name);
    return { names, everybody: names.length > 1 && names.length === this.#members.size };
  }

  /** A `presence` frame. */
  applyPresence({ online, offline, reset }) {
    if (reset) this.#online.clear();
    for (const id of online) this.#online.add(id);
    for (const id of offline) this.#online.delete(id);
  }

  /** The marks of a `seen` frame of the open conversation. */
  applyMarks(marks) {
    for (const { user, seq } of marks) {
      const member = this.#members.get(user);
      if (member) member.seq = seq;
    }
  }

  /** A `person` frame. */
  updatePerson({ id, name }) {
    const member = this.#members.get(id);
    if (member) member.name = name;
  }

  /** A notice of the open conversation: people come and go. */
  applyNotice({ kind, author, seq, notice: { data } }) {
    if (kind === "left") this.#members.delete(author.id);
    if (kind === "removed") this.#members.delete(data.user);
    if (!this.#hasReceipts) return;
    if (kind === "joined") this.#addMember(author.id, author.name, seq);
    if (kind === "added") this.#addMember(data.user, data.name, seq);
  }

  /** Nothing was heard for so long that it may not be true any more. */
  clearOnline() {
    this.#online.clear();
  }

  get #list() {
    return [...this.#members.values()];
  }

  /** What was said before somebody came does not count as seen by them. */
  #addMember(id, name, since) {
    this.#members.set(id, { id, name, seq: since, since });
  }
}
