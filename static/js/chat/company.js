// Who is here, and how far the others in the open conversation have read. Pure.

export class Company {
  #here;
  #told; // false where there are too many to be told of each other
  #members; // id -> {id, name, seq, since}

  /** `here`: ids, as the page was drawn. `members`: the others of the open conversation, or null. */
  constructor({ here, members }) {
    this.#here = new Set(here);
    this.#told = members !== null;
    this.#members = new Map((members ?? []).map((member) => [member.id, { ...member }]));
  }

  isHere(id) {
    return this.#here.has(id);
  }

  /** The names of the others of the open conversation who are here. */
  get names() {
    return this.#all.filter(({ id }) => this.#here.has(id)).map(({ name }) => name);
  }

  /** Whether there is anybody of whom one is told what they have read. */
  get isTold() {
    return this.#members.size > 0;
  }

  /** {names, everybody} of those who have seen my message at `seq`. */
  seenBy(seq) {
    const readers = this.#all.filter((member) => member.seq >= seq && seq > member.since);
    const names = readers.map(({ name }) => name);
    return { names, everybody: names.length > 1 && names.length === this.#members.size };
  }

  /** A `presence` frame. */
  heardPresence({ online, offline, reset }) {
    if (reset) this.#here.clear();
    for (const id of online) this.#here.add(id);
    for (const id of offline) this.#here.delete(id);
  }

  /** The marks of a `seen` frame of the open conversation. */
  heardMarks(marks) {
    for (const { user, seq } of marks) {
      const member = this.#members.get(user);
      if (member) member.seq = seq;
    }
  }

  /** A `person` frame. */
  heardPerson({ id, name }) {
    const member = this.#members.get(id);
    if (member) member.name = name;
  }

  /** A notice of the open conversation: people come and go. */
  heardNotice({ kind, author, seq, notice: { data } }) {
    if (kind === "left") this.#members.delete(author.id);
    if (kind === "removed") this.#members.delete(data.user);
    if (!this.#told) return;
    if (kind === "joined") this.#came(author.id, author.name, seq);
    if (kind === "added") this.#came(data.user, data.name, seq);
  }

  /** Nothing was heard for so long that it may not be true any more. */
  forgetHere() {
    this.#here.clear();
  }

  get #all() {
    return [...this.#members.values()];
  }

  /** What was said before somebody came does not count as seen by them. */
  #came(id, name, since) {
    this.#members.set(id, { id, name, seq: since, since });
  }
}
