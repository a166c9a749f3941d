// The messages of one conversation, by id and version. Pure: no DOM, no network, no timers.
//
// Two things are tracked separately. The *window* is the range of messages the page shows, from `first`
// to `last` by seq; `last` is open-ended if the window includes the newest message. The *position* is
// the version up to which every change is known, and where a sync starts. Live versions are consecutive
// but stored ones are not (an edit moves a row from version 5 to 9, and no row has version 5 any more),
// so only two things move the position:
//   - a live `message` with version = position + 1;
//   - a `synced` whose `from` is not beyond the position.
// Any other live message is shown immediately, and its version counts once the gap below it is closed.
// `sent` only shows which version the server has reached.
//
// Quotes have no version of their own: a new version of the quoted message is the only signal. So every
// update of a message is copied into all known quotes of it, even if the message is outside the window,
// and a late response does not overwrite a newer quote.

import { isLiveText } from "chatty/chat/live_text.js";
import { Emitter } from "chatty/lib/emitter.js";

export class Store extends Emitter {
  #me;
  /** @type {Map<number, Wire.Message>} By id, including some outside the window. */
  #messages = new Map();
  /** @type {Map<number, Wire.Quote>} By id of the quoted message: the newest quote of it. */
  #quotes = new Map();
  #pending = new Map(); // key -> outbox entry whose message has not arrived yet, oldest first
  #touched = new Set(); // keys of `pending` that changed since the last "change"
  #ahead = new Set(); // versions received beyond position + 1
  #position;
  #head; // the highest version the server is known to have reached
  #first = 0; // seq; 0 if the window includes the first message
  #last = Infinity; // seq; Infinity if the window includes the newest message
  #era = 0; // incremented whenever messages are dropped

  /**
   * `me` is my user id.
   * @param {{ me: number, page: Wire.History }} given
   */
  constructor({ me, page }) {
    super();
    this.#me = me;
    this.#replace(page);
  }

  // State

  get position() {
    return this.#position;
  }

  /** True if the server is known to have changes that have not arrived here. */
  get behind() {
    return this.#head > this.#position;
  }

  get hasOlder() {
    return this.#first > 0;
  }

  get hasNewer() {
    return this.#last < Infinity;
  }

  /** The messages in the window, oldest first. */
  messages() {
    return [...this.#messages.values()]
      .filter((message) => this.#isInWindow(message))
      .sort((a, b) => a.seq - b.seq);
  }

  /** My pending messages, oldest first. */
  pending() {
    return [...this.#pending.values()];
  }

  /** The pending message with this key, or undefined. */
  getPending(key) {
    return this.#pending.get(key);
  }

  /** The message, or undefined if it is unknown or outside the window. */
  get(id) {
    const message = this.#messages.get(id);
    return message && this.#isInWindow(message) ? message : undefined;
  }

  /**
   * The current quote of a message. Undefined if unknown; it can be known for messages outside the window.
   * @returns {Wire.Quote | undefined}
   */
  quoteOf(id) {
    const message = this.#messages.get(id);
    const quote = this.#quotes.get(id);
    if (!message || message.version <= quote?.version) return quote;
    const { seq, version, author, excerpt, deleted_at: deletedAt } = message;
    return { id, seq, version, author, excerpt, deleted: Boolean(deletedAt) };
  }

  // Updates

  /**
   * Apply a live `message` frame. Returns true if this version of the message is new.
   * @param {Pick<Wire.MessageFrame, "version" | "message">} frame
   */
  applyMessage({ version, message }) {
    this.#raiseHead(version);
    if (version > this.#position) this.#ahead.add(version);
    this.#closeGap();
    const fresh = this.#upsert(message);
    this.#emitChanges(fresh ? [message.id] : []);
    return fresh;
  }

  /**
   * Apply a `synced` frame without reset. Returns the messages that were new or changed.
   * A frame that starts beyond the position is shown, but doesn't move the position past the gap.
   * @param {Pick<Wire.SyncedFrame, "from" | "version" | "messages">} frame
   */
  catchUp({ from, version, messages }) {
    this.#raiseHead(version);
    if (from <= this.#position) this.#advance(version);
    const fresh = messages.filter((message) => this.#upsert(message));
    this.#emitChanges(fresh.map((message) => message.id));
    return fresh;
  }

  /**
   * Show messages from a response. They don't move the position.
   * @param {Wire.Message[]} messages
   */
  merge(messages) {
    for (const message of messages) this.#raiseHead(message.version);
    const fresh = messages.filter((message) => this.#upsert(message));
    this.#emitChanges(fresh.map((message) => message.id));
  }

  /** The number of unread messages in the `span` entries after `seq`, or null if they aren't all loaded. */
  unreadAfter(seq, span) {
    if (this.hasNewer || this.#first > seq + 1) return null;
    return this.#unreadAfter(seq).filter((message) => message.seq <= seq + span).length;
  }

  /** The first unread message after `seq` in the window, or undefined. */
  firstUnread(seq) {
    return this.#unreadAfter(seq)[0];
  }

  /**
   * Someone changed their name or avatar: use it in everything rendered from now on.
   * @param {Wire.Person} person
   */
  updatePerson(person) {
    for (const message of this.#messages.values()) {
      const { author, reply_to: quoted } = message;
      if (author?.id === person.id) message.author = person;
      if (quoted?.author?.id === person.id) message.reply_to = { ...quoted, author: person };
    }
    for (const [id, quote] of this.#quotes) {
      if (quote.author?.id === person.id) this.#quotes.set(id, { ...quote, author: person });
    }
  }

  // Pages of history. They don't move the position, as they contain only some of the messages.
  // A page requested in an earlier `era` is ignored: messages that arrived since may have been dropped.

  get era() {
    return this.#era;
  }

  /** @param {Wire.History} page */
  addOlder(page, era) {
    if (era !== this.#era) return;
    const fresh = page.messages.filter((message) => this.#upsert(message));
    this.#first = page.has_older && page.messages.length ? page.messages[0].seq : 0;
    this.#emitChanges(
      fresh.map((message) => message.id),
      page.messages,
    );
  }

  /** @param {Wire.History} page */
  addNewer(page, era) {
    if (era !== this.#era) return;
    const fresh = page.messages.filter((message) => this.#upsert(message));
    this.#last = page.has_newer && page.messages.length ? page.messages.at(-1).seq : Infinity;
    this.#emitChanges(
      fresh.map((message) => message.id),
      page.messages,
    );
  }

  /**
   * Replace the window, after a reset or when jumping to another part of the history.
   * @param {Wire.History} page
   */
  replace(page) {
    const gone = [...this.#messages.keys()];
    this.#replace(page);
    this.#emitChange([...gone, ...this.#messages.keys()], true);
  }

  /** Drop messages at `end` ("older" or "newer"), leaving `keep`. */
  trim(end, keep) {
    const shown = this.messages();
    if (shown.length <= keep) return;
    const gone = end === "older" ? shown.slice(0, shown.length - keep) : shown.slice(keep);
    for (const message of gone) {
      this.#messages.delete(message.id);
      this.#ahead.delete(message.version); // unknown again, so the sync of the gap must include it
    }
    if (end === "older") this.#first = shown[shown.length - keep].seq;
    else this.#last = shown[keep - 1].seq;
    this.#era += 1;
    this.#emitChanges(gone.map((message) => message.id));
  }

  // My pending messages

  /** Show `entry` {key, body, reply_to, state, error?} until the message with its key arrives. */
  addPending(entry) {
    if (this.#hasArrived(entry.key)) return;
    this.#setPending({ ...this.#pending.get(entry.key), ...entry });
    this.#emitChanges([]);
  }

  /** The server has stored it (`sent`). The bubble stays until the message itself arrives. */
  settle(key, { version }) {
    if (version) this.#raiseHead(version);
    const entry = this.#pending.get(key);
    if (!entry) return;
    this.#setPending({ ...entry, state: "sent", error: undefined });
    this.#emitChanges([]);
  }

  /** It was discarded before it was sent. */
  drop(key) {
    if (this.#dropPending(key)) this.#emitChanges([]);
  }

  // Internal

  #unreadAfter(seq) {
    return this.messages().filter(
      (message) => message.seq > seq && isLiveText(message) && message.author?.id !== this.#me,
    );
  }

  /** @param {Wire.History} page */
  #replace(page) {
    const { messages, position, has_older: hasOlder, has_newer: hasNewer } = page;
    this.#era += 1;
    // Messages newer than the page arrived live after it was read. Keep them.
    const later = [...this.#messages.values()].filter((message) => message.version > position);
    this.#messages = new Map();
    this.#quotes = new Map();
    this.#position = position;
    this.#head = later.reduce((head, message) => Math.max(head, message.version), position);
    this.#first = hasOlder && messages.length ? messages[0].seq : 0;
    this.#last = hasNewer && messages.length ? messages.at(-1).seq : Infinity;
    for (const message of [...messages, ...later]) this.#upsert(message);
    this.#ahead = new Set([...this.#ahead].filter((version) => version > position));
    this.#closeGap();
  }

  /** @param {Wire.Message} message */
  #upsert(message) {
    const known = this.#messages.get(message.id);
    if (known && message.version <= known.version) return false;
    this.#messages.set(message.id, message);
    this.#requote(message);
    if (message.author?.id === this.#me && message.key) this.#dropPending(message.key);
    return true;
  }

  /**
   * Update the quote in `message`, and quotes of `message` elsewhere, to the newest known.
   * @param {Wire.Message} message
   */
  #requote(message) {
    const { id, reply_to: quoted } = message;
    if (quoted) {
      const known = this.quoteOf(quoted.id);
      const newest = known?.version > quoted.version ? known : quoted;
      this.#messages.set(id, { ...message, reply_to: newest });
      this.#updateQuotes(newest);
    }
    if (this.#quotes.has(id)) this.#updateQuotes(this.quoteOf(id));
  }

  /** @param {Wire.Quote} quote */
  #updateQuotes(quote) {
    if (this.#quotes.get(quote.id) === quote) return;
    this.#quotes.set(quote.id, quote);
    for (const other of this.#messages.values()) {
      if (other.reply_to?.id !== quote.id || other.reply_to === quote) continue;
      this.#messages.set(other.id, { ...other, reply_to: quote });
    }
  }

  #setPending(entry) {
    this.#pending.set(entry.key, entry);
    this.#touched.add(entry.key);
  }

  #dropPending(key) {
    const wasThere = this.#pending.delete(key);
    if (wasThere) this.#touched.add(key);
    return wasThere;
  }

  #hasArrived(key) {
    for (const message of this.#messages.values()) {
      if (message.key === key && message.author?.id === this.#me) return true;
    }
    return false;
  }

  /** @param {Wire.Message} message */
  #isInWindow(message) {
    return message.seq >= this.#first && message.seq <= this.#last;
  }

  #raiseHead(version) {
    this.#head = Math.max(this.#head, version);
  }

  #advance(version) {
    this.#position = Math.max(this.#position, version);
    this.#closeGap();
  }

  #closeGap() {
    while (this.#ahead.delete(this.#position + 1)) this.#position += 1;
    for (const version of this.#ahead) {
      if (version <= this.#position) this.#ahead.delete(version);
    }
  }

  #emitChanges(ids, messages = []) {
    this.#emitChange([...ids, ...messages.map((message) => message.id)], false);
  }

  /** "change": ids of messages and keys of pending messages that may need rendering. */
  #emitChange(ids, replaced) {
    const keys = [...this.#touched];
    this.#touched.clear();
    this.emit("change", { ids: [...new Set(ids)], keys, replaced });
  }
}
