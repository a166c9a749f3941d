// All my conversations with their numbers: what the sidebar, the title and the badge show. Pure.
//
// `hello` brings the numbers as they are; afterwards every change is counted once, by its version.
// Where counting cannot be sure (a mark moved into the middle) "recount" asks. What is answered may be
// late: numbers from before a message or a mark that was heard since are not taken, but asked for again.

import { Emitter } from "chatty/lib/emitter.js";
import { isLiveText } from "chatty/chat/store.js";

// The server looks at so many entries after the mark, and says "+" when there are more: so do we.
export const WINDOW = 200;

export class ConversationList extends Emitter {
  #me;
  #rows = new Map(); // id -> row

  /**
   * `rows`: [{id, kind, level, unread, unread_more, mentions}], as the page was drawn. Emits
   * "change" {id, moved}, "removed" {id}, "messages" {id, messages} (changed ones, before the "change") and
   * "recount" {id}: fetch the conversation and give it to setCounts(), with what asOf(id) was before.
   */
  constructor({ me, rows }) {
    super();
    this.#me = me;
    for (const row of rows) this.#rows.set(row.id, { ...row, version: 0, moves: 0, counted: false });
  }

  get(id) {
    return this.#rows.get(id);
  }

  ids() {
    return [...this.#rows.keys()];
  }

  /** {count, more} over all conversations, of what one wants to be told of. */
  total() {
    let count = 0;
    let more = false;
    for (const row of this.#rows.values()) {
      count += notifiableCount(row);
      more ||= Boolean(row.unread_more) && levelOf(row) === "all";
    }
    return { count, more };
  }

  /** How often my mark was told: marks have no version that says which one is later. */
  asOf(id) {
    return this.#rows.get(id)?.moves ?? 0;
  }

  /** My mark was told: numbers on their way may be from before. */
  invalidate(id) {
    const row = this.#rows.get(id);
    if (row) row.moves += 1;
  }

  /** The conversations of a `hello`, or one fetched by itself, asked for when asOf(id) was `asOf`. */
  setCounts(conversations, asOf = null) {
    for (const given of conversations) {
      const row = this.#rows.get(given.id);
      const isLate = given.version < row?.version || (asOf !== null && asOf !== this.asOf(given.id));
      if (row?.counted && isLate) this.#requestRecount(given.id);
      else this.#put(given, { moved: !row });
    }
  }

  /** Changed messages, live or caught up, that bring the conversation to `version`. */
  applyMessages({ conversation, version, messages }) {
    const row = this.#rows.get(conversation);
    if (!row?.counted) return this.#requestRecount(conversation);
    if (version <= row.version) return;
    // Caught-up messages come in order of their last change: a new one may follow a newer one.
    const fresh = messages.filter((message) => message.version > row.version);
    const arrived = fresh.filter((message) => message.seq > row.last_seq);
    const deleted = fresh.filter((message) => message.seq <= row.last_seq && message.deleted_at);
    row.version = version;
    row.last_seq = Math.max(row.last_seq, ...arrived.map((message) => message.seq));
    row.unread_more = row.last_seq - row.last_read_seq > WINDOW;
    row.unread += arrived.filter((message) => isLiveText(message) && this.#counts(row, message)).length;
    // A message is deleted once and never changes again, so it is taken off once.
    row.unread -= deleted.filter((message) => this.#counts(row, message)).length;
    const changed = new Set(fresh.map(({ seq }) => seq));
    row.mentions = [
      ...(row.mentions ?? []).filter((seq) => !changed.has(seq)),
      ...fresh.filter((each) => this.#mentionsMe(each) && this.#counts(row, each)).map(({ seq }) => seq),
    ];
    row.name = arrived.findLast(({ kind }) => kind === "renamed")?.notice.data.new ?? row.name;
    this.emit("messages", { id: conversation, messages: fresh });
    this.#emitChange(conversation, arrived.some(isLiveText));
  }

  /** My mark stands at `seq` now. `unread` when the page can tell the number, else null. */
  read({ conversation, seq, unread = null }) {
    const row = this.#rows.get(conversation);
    if (!row?.counted) return;
    this.invalidate(conversation);
    if (row.last_read_seq === seq) return;
    const isMovedBack = seq < row.last_read_seq;
    row.last_read_seq = seq;
    const isUnsure = isMovedBack || row.unverified;
    row.unverified = isMovedBack;
    row.mentions = row.mentions?.filter((each) => each > seq);
    // What is unread again, or was beyond the window, may call me: only the server knows. The first
    // mark beyond one that was set back may be from before, and late.
    if (isUnsure || (row.unread_more && seq < row.last_seq)) this.#requestRecount(conversation);
    if (seq >= row.last_seq || unread !== null) {
      row.unread = seq >= row.last_seq ? 0 : unread;
      row.unread_more = row.last_seq - seq > WINDOW;
      this.#emitChange(conversation);
    } else {
      this.#requestRecount(conversation);
    }
  }

  /** The `other` of a direct conversation has another name or avatar. */
  updatePerson(id, other) {
    if (this.#rows.has(id)) this.#put({ id, name: other.name, other }, { moved: false });
  }

  /** A `conversation` frame: I was added, removed, given a role; it was renamed, archived, deleted. */
  applyConversation({ change, conversation }) {
    if (change === "removed" || change === "deleted") {
      if (this.#rows.delete(conversation.id)) this.emit("removed", { id: conversation.id });
    } else {
      this.#put(this.#withoutStaleCounts(conversation), { moved: change === "added" });
    }
  }

  // Internal

  /** A frame that tells of a name or a role has numbers too, read when it was made. */
  #withoutStaleCounts(given) {
    const row = this.#rows.get(given.id);
    if (!row?.counted) return given;
    if (given.version >= row.version && given.last_read_seq === row.last_read_seq) return given;
    this.#requestRecount(given.id);
    const { version, last_seq, last_read_seq, unread, unread_more, mentions } = row;
    return { ...given, version, last_seq, last_read_seq, unread, unread_more, mentions };
  }

  #put(given, { moved }) {
    const row = this.#rows.get(given.id) ?? { unread: 0, unread_more: false, version: 0, moves: 0 };
    const counted = Boolean(row.counted) || given.last_seq !== undefined;
    const unverified = row.unverified || given.last_read_seq < row.last_read_seq;
    const put = { ...row, ...given, counted, unverified };
    // The first numbers of a row the page was drawn with: what comes after them is new.
    if (counted && row.counted === false) put.first = { seq: put.last_seq, count: notifiableCount(put) };
    this.#rows.set(given.id, put);
    this.#emitChange(given.id, moved);
  }

  #counts(row, { kind, author, seq }) {
    const isOthers = kind === "text" && author?.id !== this.#me;
    return isOthers && seq > row.last_read_seq && seq <= row.last_read_seq + WINDOW;
  }

  #mentionsMe(message) {
    return isLiveText(message) && Boolean(message.mentions?.includes(this.#me));
  }

  #emitChange(id, moved = false) {
    this.emit("change", { id, moved });
  }

  #requestRecount(id) {
    this.emit("recount", { id });
  }
}

/** What is worth a notification: "all", "mentions" or "nothing". Directs know no mentions. */
export function levelOf({ kind, level }) {
  return kind === "direct" && level === "mentions" ? "all" : (level ?? "all");
}

/** How many unread messages of a conversation one wants to be told of. */
export function notifiableCount(row) {
  const level = levelOf(row);
  if (level === "all") return row.unread;
  return level === "mentions" ? (row.mentions?.length ?? 0) : 0;
}
