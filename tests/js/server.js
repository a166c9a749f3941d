// A fake server with one conversation, which implements seq, version, history and sync as specified.

const ME = 1;
const OTHER = 2;

export class Server {
  version = 0;
  messages = [];
  events = []; // one per version, in order

  create({ author = OTHER, key = null, kind = "text", mentions = [], all = false, replyTo = null } = {}) {
    const seq = this.messages.length + 1;
    return this.#stamp({
      id: 100 + seq,
      seq,
      kind,
      author: { id: author, name: `user ${author}` },
      key,
      body: `words ${seq}`,
      excerpt: `words ${seq}`,
      reply_to: replyTo && this.quoteOf(replyTo),
      mentions,
      mentions_all: all,
      deleted_at: null,
    });
  }

  edit(message, changes = {}) {
    const body = `edited at ${this.version + 1}`;
    return this.#stamp({ ...this.now(message), body, excerpt: body, ...changes });
  }

  delete(message) {
    const nothing = { body: "", excerpt: "", mentions: [], mentions_all: false, reply_to: null };
    return this.#stamp({ ...this.now(message), ...nothing, deleted_at: "2026-01-01T00:00:00Z" });
  }

  now(message) {
    return this.messages[message.seq - 1];
  }

  /** A quote of the current version of a message. */
  quoteOf(message) {
    const { id, seq, version, author, excerpt, deleted_at: deleted } = this.now(message);
    return { id, seq, version, author, excerpt, deleted: Boolean(deleted) };
  }

  /** A message with its quote in the current version, as read from the database. */
  #read(message) {
    const { reply_to: quoted } = message;
    return quoted ? { ...message, reply_to: this.quoteOf(quoted) } : message;
  }

  /** Create, edit or delete a random message. */
  live(random) {
    const alive = this.messages.filter((message) => message.kind === "text" && !message.deleted_at);
    const dice = random();
    const some = alive[Math.floor(random() * alive.length)];
    if (dice < 0.6 || !some) {
      const kind = random() < 0.1 ? "joined" : "text";
      const mentions = kind === "text" && random() < 0.3 ? [ME] : [];
      const all = kind === "text" && random() < 0.1;
      const replyTo = kind === "text" && some && random() < 0.5 ? some : null;
      return this.create({ author: random() < 0.3 ? ME : OTHER, kind, mentions, all, replyTo });
    }
    if (dice >= 0.85) return this.delete(some);
    return this.edit(some, { mentions: random() < 0.3 ? [ME] : [], mentions_all: random() < 0.1 });
  }

  history({ before, after, limit = 10 } = {}) {
    let rows = this.messages;
    if (after !== undefined) rows = rows.filter(({ seq }) => seq > after).slice(0, limit);
    else rows = rows.filter(({ seq }) => seq < (before ?? Infinity)).slice(-limit);
    return {
      messages: rows.map((message) => this.#read(message)),
      position: this.version,
      has_older: rows.length > 0 && rows[0].seq > 1,
      has_newer: rows.length > 0 && rows.at(-1).seq < this.messages.length,
    };
  }

  since(version, { limit = 5, reach = 1000 } = {}) {
    if (version > this.version || this.version - version > reach) {
      return { from: version, version: this.version, messages: [], more: false, reset: true };
    }
    const changed = this.messages
      .filter((message) => message.version > version)
      .sort((a, b) => a.version - b.version);
    const more = changed.length > limit;
    const messages = changed.slice(0, limit).map((message) => this.#read(message));
    const reached = more ? messages.at(-1).version : this.version;
    return { from: version, version: reached, messages, more, reset: false };
  }

  /** The number of unread messages among the first 200 entries after `read`, as the database counts them. */
  unread(read) {
    return this.#unread(read).length;
  }

  /** The seqs of unread messages that mention me. */
  mentions(read) {
    return this.#unread(read)
      .filter(({ mentions, mentions_all: all }) => all || mentions.includes(ME))
      .map(({ seq }) => seq);
  }

  #unread(read) {
    const window = this.messages.filter(({ seq }) => seq > read && seq <= read + 200);
    return window.filter(
      ({ kind, author, deleted_at: deleted }) => kind === "text" && author.id !== ME && !deleted,
    );
  }

  #stamp(message) {
    this.version += 1;
    const stamped = this.#read({ ...message, version: this.version });
    this.messages[stamped.seq - 1] = stamped;
    this.events.push({ version: this.version, message: stamped });
    return stamped;
  }
}
