// All my conversations with their numbers: what the sidebar, the title and the badge show. Pure.
//
// `hello` brings the numbers as they are; afterwards every change is counted once, by its version.
// Where counting cannot be sure (a mark moved into the middle) "recount" asks.

import { Emitter } from "chatty/lib/emitter.js";
import { isWord } from "chatty/chat/store.js";

// The server looks at so many entries after the mark, and says "+" when there are more: so do we.
export const WINDOW = 200;

export class Roster extends Emitter {
  #me;
  #rows = new Map(); // id -> row

  /**
   * `rows`: [{id, unread, unread_more}], as the page was drawn. Emits "change" {id, moved},
   * "gone" {id} and "recount" {id}: fetch the conversation and give it to count().
   */
  constructor({ me, rows }) {
    super();
    this.#me = me;
    for (const row of rows) this.#rows.set(row.id, { ...row, version: 0, counted: false });
  }

  get(id) {
    return this.#rows.get(id);
  }

  /** {count, more} over all conversations. */
  total() {
    let count = 0;
    let more = false;
    for (const row of this.#rows.values()) {
      count += row.unread;
      more ||= Boolean(row.unread_more);
    }
    return { count, more };
  }

  /** The conversations of a `hello`, or one fetched by itself. What is older than known asks again. */
  count(conversations) {
    for (const given of conversations) {
      const row = this.#rows.get(given.id);
      if (row?.counted && given.version < row.version) this.#recount(given.id);
      else this.#put(given, { moved: !row });
    }
  }

  /** Changed messages, live or caught up, that bring the conversation to `version`. */
  hear({ conversation, version, messages }) {
    const row = this.#rows.get(conversation);
    if (!row?.counted) return this.#recount(conversation);
    if (version <= row.version) return undefined;
    // Caught-up messages come in order of their last change: a new one may follow a newer one.
    const fresh = messages.filter((message) => message.version > row.version);
    const arrived = fresh.filter((message) => message.seq > row.last_seq);
    const buried = fresh.filter((message) => message.seq <= row.last_seq && message.deleted_at);
    row.version = version;
    row.last_seq = Math.max(row.last_seq, ...arrived.map((message) => message.seq));
    row.unread_more = row.last_seq - row.last_read_seq > WINDOW;
    row.unread += arrived.filter((message) => isWord(message) && this.#counts(row, message)).length;
    // A message is deleted once and never changes again, so it is taken off once.
    row.unread -= buried.filter((message) => this.#counts(row, message)).length;
    row.name = arrived.findLast(({ kind }) => kind === "renamed")?.notice.data.new ?? row.name;
    return this.#changed(conversation, arrived.some(isWord));
  }

  /** My mark stands at `seq` now. `unread` when the page can tell the number, else null. */
  read({ conversation, seq, unread = null }) {
    const row = this.#rows.get(conversation);
    if (!row?.counted || row.last_read_seq === seq) return;
    row.last_read_seq = seq;
    if (seq >= row.last_seq || unread !== null) {
      row.unread = seq >= row.last_seq ? 0 : unread;
      row.unread_more = row.last_seq - seq > WINDOW;
      this.#changed(conversation);
    } else {
      this.#recount(conversation);
    }
  }

  /** A `conversation` frame: I was added, removed, given a role; it was renamed, archived, deleted. */
  revise({ change, conversation }) {
    if (change === "removed" || change === "deleted") {
      if (this.#rows.delete(conversation.id)) this.emit("gone", { id: conversation.id });
    } else {
      this.#put(conversation, { moved: change === "added" });
    }
  }

  // Internal

  #put(given, { moved }) {
    const row = this.#rows.get(given.id) ?? { unread: 0, unread_more: false, version: 0 };
    const counted = Boolean(row.counted) || given.last_seq !== undefined;
    this.#rows.set(given.id, { ...row, ...given, counted });
    this.#changed(given.id, moved);
  }

  #counts(row, { kind, author, seq }) {
    const isOthers = kind === "text" && author?.id !== this.#me;
    return isOthers && seq > row.last_read_seq && seq <= row.last_read_seq + WINDOW;
  }

  #changed(id, moved = false) {
    this.emit("change", { id, moved });
  }

  #recount(id) {
    this.emit("recount", { id });
  }
}
