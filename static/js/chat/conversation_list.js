// All my conversations and their unread counts, for the sidebar, the title and the badge. Pure: no DOM,
// no network.
//
// `hello` sends the current counts. After that, each change is counted once, by its version. If the
// count cannot be derived (a read mark moved into the middle), "recount" asks for it. The answer may be
// outdated: counts from before a message or read mark that has arrived since are ignored, and requested
// again.

import { Emitter } from "chatty/lib/emitter.js";
import { isLiveText, isMentioned } from "chatty/chat/live_text.js";

// The server counts unread messages in this many entries after the read mark and shows "+" if there are
// more.
export const WINDOW = 200;

/** By kind of notice, what it changes of the conversation: see conversations/notices.py. */
const CHANGES = {
  renamed: (data) => ({ name: data.new, unnamed: false }),
  topic: (data) => ({ topic: data.new }),
  access: ({ access }) => ({ access }),
  archived: () => ({ archived: true }),
  unarchived: () => ({ archived: false }),
  permissions: (data) => ({ [data.setting]: data.new }),
  role: ({ user, role }, me) => user === me && { role },
};

/**
 * A conversation with: `counted`, false until its counts come from a `hello`; `moves`, how often my read
 * mark has changed; `unverified`, after a mark that moved back; `first`, its first counts.
 * @typedef {Wire.Conversation & {
 *   counted: boolean, moves: number, unverified?: boolean, first?: { seq: number, count: number }
 * }} Row
 */

export class ConversationList extends Emitter {
  #me;
  /** @type {Map<number, Row>} */
  #rows = new Map();

  /**
   * `rows`: the conversations in the sidebar, as the page was rendered. Their counts are shown, but only
   * those of the next `hello` are continued. Emits
   * "change" {id, moved}, "removed" {id}, "messages" {id, messages} (the changed ones, before "change")
   * and "recount" {id}: fetch the conversation and pass it to setCounts(), with the value asOf(id) had
   * before the request.
   * @param {{ me: number, rows: Wire.Conversation[] }} given
   */
  constructor({ me, rows }) {
    super();
    this.#me = me;
    for (const row of rows) this.#rows.set(row.id, { ...row, moves: 0, counted: false });
  }

  get(id) {
    return this.#rows.get(id);
  }

  ids() {
    return [...this.#rows.keys()];
  }

  /** {count, more} over all conversations, by their notification levels. */
  total() {
    let count = 0;
    let more = false;
    for (const row of this.#rows.values()) {
      count += notifiableCount(row);
      more ||= Boolean(row.unread_more) && levelOf(row) === "all";
    }
    return { count, more };
  }

  /** How often my read mark has changed. Read marks have no version, so this tells which is newer. */
  asOf(id) {
    return this.#rows.get(id)?.moves ?? 0;
  }

  /** My read mark changed: counts requested before this may be outdated. */
  invalidate(id) {
    const row = this.#rows.get(id);
    if (row) row.moves += 1;
  }

  /**
   * Apply the conversations of a `hello`, or a single one requested when asOf(id) was `asOf`.
   * @param {Wire.Conversation[]} conversations
   * @param {number | null} [asOf]
   */
  setCounts(conversations, asOf = null) {
    for (const given of conversations) {
      const row = this.#rows.get(given.id);
      const isLate = given.version < row?.version || (asOf !== null && asOf !== this.asOf(given.id));
      if (row?.counted && isLate) this.#requestRecount(given.id);
      else this.#put(given, { moved: !row });
    }
  }

  /**
   * Apply changed messages, live or from a sync, that bring the conversation to `version`.
   * @param {{ conversation: number, version: number, messages: Wire.Message[] }} change
   */
  applyMessages({ conversation, version, messages }) {
    const row = this.#rows.get(conversation);
    if (!row?.counted) return this.#requestRecount(conversation);
    if (version <= row.version) return;
    // A sync is ordered by last change, so a new message may come after one with a higher seq.
    const fresh = messages.filter((message) => message.version > row.version);
    const arrived = fresh.filter((message) => message.seq > row.last_seq);
    const deleted = fresh.filter((message) => message.seq <= row.last_seq && message.deleted_at);
    row.version = version;
    row.last_seq = Math.max(row.last_seq, ...arrived.map((message) => message.seq));
    row.unread_more = row.last_seq - row.last_read_seq > WINDOW;
    row.unread += arrived.filter((message) => isLiveText(message) && this.#counts(row, message)).length;
    // Deleted messages never change again, so each is subtracted only once.
    row.unread -= deleted.filter((message) => this.#counts(row, message)).length;
    const changed = new Set(fresh.map(({ seq }) => seq));
    row.mentions = [
      ...(row.mentions ?? []).filter((seq) => !changed.has(seq)),
      ...fresh.filter((each) => this.#mentionsMe(row, each) && this.#counts(row, each)).map(({ seq }) => seq),
    ];
    for (const { kind, notice } of arrived) Object.assign(row, CHANGES[kind]?.(notice.data, this.#me));
    this.emit("messages", { id: conversation, messages: fresh });
    this.#emitChange(conversation, arrived.some(isLiveText));
  }

  /** My read mark is now at `seq`. `unread`: the new count, or null if the page cannot derive it. */
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
    // Messages that are unread again, or were outside the counted window, may mention me: only the
    // server knows. The first higher mark after one that moved back may be an old one arriving late.
    if (isUnsure || (row.unread_more && seq < row.last_seq)) this.#requestRecount(conversation);
    if (seq >= row.last_seq || unread !== null) {
      row.unread = seq >= row.last_seq ? 0 : unread;
      row.unread_more = row.last_seq - seq > WINDOW;
      this.#emitChange(conversation);
    } else {
      this.#requestRecount(conversation);
    }
  }

  /**
   * Someone changed their name or avatar: show it in direct messages with them.
   * @param {Wire.Person} other
   */
  updatePerson(other) {
    for (const [id, row] of this.#rows) {
      if (row.other?.id !== other.id) continue;
      this.#rows.set(id, { ...row, name: other.name, other });
      this.#emitChange(id);
    }
  }

  /**
   * Apply a `conversation` frame: I was added, removed or given a role, or have set a level.
   * @param {Wire.ConversationFrame | Wire.GoneFrame} frame
   */
  applyConversation(frame) {
    const { id } = frame.conversation;
    if (frame.change === "removed" || frame.change === "deleted") {
      if (this.#rows.delete(id)) this.emit("removed", { id });
    } else {
      const given = /** @type {Wire.Conversation} */ (frame.conversation);
      this.#put(this.#withoutOutdated(given), { moved: frame.change === "added" });
    }
  }

  // Internal

  /**
   * A frame about a role or level has the whole conversation, as it was then. Keep what is newer here.
   * @param {Wire.Conversation} given
   */
  #withoutOutdated(given) {
    const row = this.#rows.get(given.id);
    if (!row?.counted) return given;
    if (given.version >= row.version && given.last_read_seq === row.last_read_seq) return given;
    this.#requestRecount(given.id);
    const { version, last_seq, last_read_seq, unread, unread_more, mentions } = row;
    const ours = { version, last_seq, last_read_seq, unread, unread_more, mentions };
    if (given.version >= row.version) return { ...given, ...ours };
    // What is mine has no version.
    const { role, level, favourite, can } = given;
    return { ...row, role, level, favourite, can };
  }

  /** @param {Wire.Conversation} given */
  #put(given, { moved }) {
    const row = this.#rows.get(given.id);
    const isMovedBack = row?.counted && given.last_read_seq < row.last_read_seq;
    const unverified = Boolean(row?.unverified || isMovedBack);
    /** @type {Row} */
    const put = { moves: 0, ...row, ...given, counted: true, unverified };
    // The first counts of a row rendered by the server, the baseline for notifications.
    if (row && !row.counted) put.first = { seq: put.last_seq, count: notifiableCount(put) };
    this.#rows.set(given.id, put);
    this.#emitChange(given.id, moved);
  }

  /**
   * @param {Row} row
   * @param {Wire.Message} message
   */
  #counts(row, { kind, author, seq }) {
    const isOthers = kind === "text" && author?.id !== this.#me;
    return isOthers && seq > row.last_read_seq && seq <= row.last_read_seq + WINDOW;
  }

  /**
   * Direct messages have no mentions: all of them are to me.
   * @param {Row} row
   * @param {Wire.Message} message
   */
  #mentionsMe({ kind }, message) {
    return kind !== "direct" && isLiveText(message) && isMentioned(message, this.#me);
  }

  #emitChange(id, moved = false) {
    this.emit("change", { id, moved });
  }

  #requestRecount(id) {
    this.emit("recount", { id });
  }
}

/**
 * The notification level: "all", "mentions" or "nothing". Direct messages have no mentions.
 * @param {Wire.Conversation} conversation
 */
export function levelOf({ kind, level }) {
  return kind === "direct" && level === "mentions" ? "all" : (level ?? "all");
}

/**
 * How many unread messages of a conversation count for notifications at its level.
 * @param {Wire.Conversation} row
 */
export function notifiableCount(row) {
  const level = levelOf(row);
  if (level === "all") return row.unread;
  return level === "mentions" ? (row.mentions?.length ?? 0) : 0;
}
