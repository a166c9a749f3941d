// One conversation's messages, by id and version. Pure: knows neither page nor network nor clock.
//
// Two things are kept apart. The *window* is the run of messages the page shows: from `first` to
// `last` by seq, `last` being open-ended while the page stands at the newest message. The *position*
// is the version up to which every change is known; it is what a catch-up starts from. It moves in
// two ways only, because live versions are consecutive and stored ones are not (an edit moves a row
// from version 5 to 9, and 5 then exists nowhere):
//   - a live `message` with version = position + 1;
//   - a `synced` whose `from` is not beyond the position.
// Any other live message is shown at once and remembered: it counts when the gap below it closes.
// `sent` tells only how far the server is.
//
// Quotes have no version of their own: a new version of the quoted message is the only signal. So whatever
// is heard about a message goes into every quote of it that is known here, also of one that lies outside
// the window, and an answer that comes late does not take it back.

import { Emitter } from "chatty/lib/emitter.js";

export class Store extends Emitter {
  #me;
  #messages = new Map(); // id -> message, also of some outside the window
  #quotes = new Map(); // id of a quoted message -> the newest quote of it
  #pending = new Map(); // key -> words of mine that have not come back yet, in the order of typing
  #touched = new Set(); // keys of `pending` that changed since the last "change"
  #ahead = new Set(); // versions heard beyond position + 1
  #position;
  #head; // the highest version the server is known to have reached
  #first = 0; // seq; 0 when the window begins where the conversation does
  #last = Infinity; // seq; Infinity while the window ends where the conversation does
  #era = 0; // rises whenever messages are forgotten

  /**
   * `page` is what a page of history answers: {messages, position, has_older, has_newer}.
   * `me` is my user id.
   */
  constructor({ me, page }) {
    super();
    this.#me = me;
    this.#replace(page);
  }

  // What is known

  get position() {
    return this.#position;
  }

  /** True while the server is known to have changes that have not been heard. */
  get behind() {
    return this.#head > this.#position;
  }

  get hasOlder() {
    return this.#first > 0;
  }

  get hasNewer() {
    return this.#last < Infinity;
  }

  /** The messages of the window, oldest first. */
  messages() {
    return [...this.#messages.values()]
      .filter((message) => this.#isInWindow(message))
      .sort((a, b) => a.seq - b.seq);
  }

  /** My words that have not come back as messages, oldest first. */
  pending() {
    return [...this.#pending.values()];
  }

  /** The one of them with this key, or undefined. */
  getPending(key) {
    return this.#pending.get(key);
  }

  /** The message, or undefined when it is unknown or outside the window. */
  get(id) {
    const message = this.#messages.get(id);
    return message && this.#isInWindow(message) ? message : undefined;
  }

  /**
   * What a quote of a message shows now: {id, seq, version, author, excerpt, deleted}. Undefined when the
   * message is unknown here; of one outside the window it may be known.
   */
  quoteOf(id) {
    const message = this.#messages.get(id);
    const quote = this.#quotes.get(id);
    if (!message || message.shallow || message.version <= quote?.version) return quote;
    const { seq, version, author, excerpt, deleted_at: deletedAt } = message;
    return { id, seq, version, author, excerpt, deleted: Boolean(deletedAt) };
  }

  // What is heard

  /** A live `message` frame. Returns true when this version of the message was new here. */
  applyMessage({ version, message }) {
    this.#raiseHead(version);
    if (version > this.#position) this.#ahead.add(version);
    this.#closeGap();
    const fresh = this.#upsert(message);
    this.#emitChanges(fresh ? [message.id] : []);
    return fresh;
  }

  /**
   * A `synced` frame that is no reset. Returns the messages that were new or newer than known.
   * A page that starts beyond the position is shown, but proves nothing about what lies between.
   */
  catchUp({ from, version, messages }) {
    this.#raiseHead(version);
    if (from <= this.#position) this.#advance(version);
    const fresh = messages.filter((message) => this.#upsert(message));
    this.#emitChanges(fresh.map((message) => message.id));
    return fresh;
  }

  /** Whole messages from an answer of the server: shown; the position is none of their business. */
  merge(messages) {
    for (const message of messages) this.#raiseHead(message.version);
    const fresh = messages.filter((message) => this.#upsert(message));
    this.#emitChanges(fresh.map((message) => message.id));
  }

  /** Others' live texts among the `span` entries after `seq`, or null when the window cannot tell. */
  unreadAfter(seq, span) {
    if (this.hasNewer || this.#first > seq + 1) return null;
    return this.messages().filter(
      (message) =>
        message.seq > seq &&
        message.seq <= seq + span &&
        isLiveText(message) &&
        message.author?.id !== this.#me,
    ).length;
  }

  /** Somebody has another name or avatar: all of theirs that is drawn from now on has it. */
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

  // Pages of history. None of them moves the position: they tell of some messages, not of all.
  // A page asked for in an earlier `era` is passed over: what was heard since may be forgotten.

  get era() {
    return this.#era;
  }

  addOlder(page, era) {
    if (era !== this.#era) return;
    const fresh = page.messages.filter((message) => this.#upsert(message));
    this.#first = page.has_older && page.messages.length ? page.messages[0].seq : 0;
    this.#emitChanges(
      fresh.map((message) => message.id),
      page.messages,
    );
  }

  addNewer(page, era) {
    if (era !== this.#era) return;
    const fresh = page.messages.filter((message) => this.#upsert(message));
    this.#last = page.has_newer && page.messages.length ? page.messages.at(-1).seq : Infinity;
    this.#emitChanges(
      fresh.map((message) => message.id),
      page.messages,
    );
  }

  /** Start again from a page: too far behind to catch up, or a jump to another place. */
  replace(page) {
    const gone = [...this.#messages.keys()];
    this.#replace(page);
    this.#emitChange([...gone, ...this.#messages.keys()], true);
  }

  /** Forget the messages beyond `keep` at the end that is out of sight: "older" or "newer". */
  trim(end, keep) {
    const shown = this.messages();
    if (shown.length <= keep) return;
    const gone = end === "older" ? shown.slice(0, shown.length - keep) : shown.slice(keep);
    for (const message of gone) {
      this.#messages.delete(message.id);
      this.#ahead.delete(message.version); // no longer known, so it is asked for with the gap below it
    }
    if (end === "older") this.#first = shown[shown.length - keep].seq;
    else this.#last = shown[keep - 1].seq;
    this.#era += 1;
    this.#emitChanges(gone.map((message) => message.id));
  }

  // My own words on their way

  /** Show `entry` {key, body, reply_to, state, error?} until the message with its key is here. */
  addPending(entry) {
    if (this.#hasArrived(entry.key)) return;
    this.#setPending({ ...this.#pending.get(entry.key), ...entry });
    this.#emitChanges([]);
  }

  /** The server has it: `sent`. The bubble stays until the message itself arrives. */
  settle(key, { version }) {
    if (version) this.#raiseHead(version);
    const entry = this.#pending.get(key);
    if (!entry) return;
    this.#setPending({ ...entry, state: "sent", error: undefined });
    this.#emitChanges([]);
  }

  /** The words were taken back before they were sent. */
  drop(key) {
    if (this.#dropPending(key)) this.#emitChanges([]);
  }

  // Internal

  #replace(page) {
    const { messages, position, has_older: hasOlder, has_newer: hasNewer } = page;
    this.#era += 1;
    // What was heard live after the page was read is newer than the page and stays.
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

  #upsert(message) {
    const known = this.#messages.get(message.id);
    // A shallow message, read from the page the server drew, gives way to the whole one.
    const better = !known || message.version > known.version || (known.shallow && !message.shallow);
    if (known && (message.version < known.version || !better)) return false;
    this.#messages.set(message.id, message);
    this.#requote(message);
    if (message.author?.id === this.#me && message.key) this.#dropPending(message.key);
    return !known || message.version > known.version;
  }

  /** Bring the quote in `message`, and the quotes of it elsewhere, up to the newest that is known. */
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

  /** "change": the ids of messages and the keys of pending words that may look different now. */
  #emitChange(ids, replaced) {
    const keys = [...this.#touched];
    this.#touched.clear();
    this.emit("change", { ids: [...new Set(ids)], keys, replaced });
  }
}

/** A live text of a person: what counts as unread. */
export function isLiveText(message) {
  return message.kind === "text" && !message.deleted_at;
}
