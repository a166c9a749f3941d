// Keeps the copy for reading offline up to date: the latest messages of the latest conversations.
//
// Never on the way of a message: changes are collected, and stored when the browser is idle. Only removals are
// stored at once. Each copy has a position like that of a Store, so versions and quotes follow the same rules, and a
// copy that missed changes asks for those over HTTP.

import { Store } from "chatty/chat/store.js";
import { Timers } from "chatty/lib/timers.js";
import { claim, clear, confirmCopies, update } from "chatty/chat/offline_storage.js";

const CONVERSATIONS = 20;
const MESSAGES = 50; // of each
const PAUSE = 1_500; // ms in which changes are collected
const IDLE = 3_000; // ms to wait for an idle moment
const FETCH_AFTER = 2_000; // ms after a hello; up to twice that, so that clients don't all ask at once
const FETCH_PAUSE = 1_000; // ms between two requests
const FETCH_LATER = 60_000; // ms after a failed one, or while no one looks at the page
const CONFIRM = 60_000; // ms between storing that everything is up to date

export class OfflineCopy {
  #me;
  #scope;
  #page;
  #chat;
  #conversationList;
  #rest;
  #isOwner = false;
  #isStopped = false;
  #positions = new Map(); // id -> position of its stored copy
  #heard = new Map(); // id -> when its last message was sent (ms), of those that arrived on this page
  #changed = new Map(); // id -> messages that have changed since the last update
  #fetched = new Map(); // id -> a History or Changes, to be stored
  #fetchDelay = 0;
  #isFetching = false;
  #timers = new Timers();
  #work = Promise.resolve(); // updates run one after another
  #stops = [];
  #ending = new AbortController();

  /** `page`: what the offline page needs, see offline_page.js. */
  constructor({ me, scope, page, chat, conversationList, rest }) {
    this.#me = me;
    this.#scope = scope;
    this.#page = page;
    this.#chat = chat;
    this.#conversationList = conversationList;
    this.#rest = rest;
  }

  // Lifecycle

  connect() {
    const list = this.#conversationList;
    const { signal } = this.#ending;
    this.#stops = [
      this.#chat.on("hello", ({ conversations }) => this.#onHello(conversations)),
      this.#chat.on("status", ({ state }) => state === "waiting" && this.#confirm()),
      this.#chat.on("opened", () => this.#storeLater()),
      list.on("messages", ({ id, messages }) => this.#onMessages(id, messages)),
      list.on("change", () => this.#storeLater()),
      list.on("removed", () => this.#store()),
    ];
    addEventListener("pagehide", () => this.#isOnline && this.#confirm(), { signal });
    // The hello before this was loaded.
    const rows = list.ids().map((id) => list.get(id));
    if (this.#isOnline) this.#onHello(rows.filter(({ counted }) => counted));
  }

  disconnect() {
    this.#isStopped = true;
    for (const stop of this.#stops) stop();
    this.#ending.abort();
    this.#timers.close();
  }

  /** Remove the copy, and store nothing any more. */
  async remove() {
    this.disconnect();
    await this.#work;
    await clear().catch(() => {});
  }

  // Internal: what to store

  get #isOnline() {
    return this.#chat.status.state === "online";
  }

  /** `conversations`: all that I am in, or the latest ones. */
  async #onHello(conversations) {
    this.#isOwner ||= await claim(this.#scope, this.#page).then(
      () => true,
      () => false, // the browser refuses: nothing can be read offline
    );
    this.#fetchDelay = FETCH_AFTER * (1 + Math.random());
    await this.#store(new Map(conversations.map(({ id, version }) => [id, version])));
    this.#confirmLater();
  }

  #onMessages(id, messages) {
    this.#changed.set(id, [...(this.#changed.get(id) ?? []), ...messages]);
    const sent = messages.map(({ created_at: at }) => Date.parse(at) || 0);
    this.#heard.set(id, Math.max(this.#heard.get(id) ?? 0, ...sent));
    // What was deleted must not be read any more.
    if (messages.some(({ deleted_at: deletedAt }) => deletedAt)) this.#store();
    else this.#storeLater();
  }

  /** All conversations, latest first. */
  #sorted() {
    const rows = this.#conversationList.ids().map((id) => this.#conversationList.get(id));
    const latest = ({ id, last_text_at: at }) => Math.max(Date.parse(at) || 0, this.#heard.get(id) ?? 0);
    return rows.filter(({ name }) => name).sort((a, b) => latest(b) - latest(a));
  }

  /** Those of `rows` to be stored: the open one, and the latest ones. */
  #chosen(rows) {
    const here = rows.filter(({ id }) => id === this.#chat.here?.id);
    return [...new Set([...here, ...rows])].slice(0, CONVERSATIONS);
  }

  // Internal: storing

  #storeLater() {
    if (this.#isStopped || this.#timers.has("store")) return;
    const idle = globalThis.requestIdleCallback ?? ((work) => setTimeout(work));
    this.#timers.set("store", PAUSE, () => idle(() => this.#store(), { timeout: IDLE }));
  }

  /** `versions`: id -> version of the conversations in a hello. */
  #store(versions = null) {
    this.#timers.clear("store");
    this.#work = this.#work.then(() => this.#update(versions)).catch(() => {}); // full: tried again
    return this.#work;
  }

  async #update(versions) {
    if (!this.#isOwner || this.#isStopped) return;
    const [changed, fetched] = [this.#changed, this.#fetched];
    [this.#changed, this.#fetched] = [new Map(), new Map()];
    const open = this.#open;
    const rows = this.#sorted().filter(({ id }) => versions?.has(id) ?? true);
    const kept = new Set(this.#chosen(rows).map(({ id }) => id));
    const stored = await update({
      scope: this.#scope,
      // After a hello, all: other windows may have changed them.
      ids: versions ? kept : [...changed.keys(), ...fetched.keys(), ...(open ? [open.id] : [])],
      kept,
      conversations: rows.map(bare),
      change: (id, known) => {
        // A higher version than the server's is of a different history: see ConversationSync.catchUp().
        const isForeign = versions && known?.history.position > versions.get(id);
        const [messages, history] = [changed.get(id) ?? [], open?.id === id ? open.history : null];
        const given = { id, known: isForeign ? null : known, messages, fetched: fetched.get(id) };
        return changeCopy(this.#me, { ...given, open: history });
      },
    });
    if (!stored) return this.disconnect(); // another window has removed the copy, so it must not come back
    if (versions) this.#positions.clear();
    for (const id of this.#positions.keys()) if (!kept.has(id)) this.#positions.delete(id);
    for (const { id, history } of stored) this.#positions.set(id, history.position);
    this.#fetchLater();
  }

  /** The open conversation, unless it shows another part of its history. */
  get #open() {
    const { id, store } = this.#chat.here ?? {};
    return store && !store.hasNewer ? { id, history: latestOf(store) } : null;
  }

  #confirmLater() {
    this.#timers.set("confirm", CONFIRM, () => {
      if (this.#isOnline) this.#confirm();
      this.#confirmLater();
    });
  }

  #confirm() {
    if (this.#isOwner && !this.#isStopped) confirmCopies(this.#scope).catch(() => {});
  }

  // Internal: fetching

  /** The id of the first conversation that is not stored, or not up to date. */
  get #missing() {
    const isMissing = ({ id, version }) => !(this.#positions.get(id) >= version);
    return this.#chosen(this.#sorted()).find(isMissing)?.id;
  }

  #fetchLater() {
    if (!this.#missing || !this.#isOnline || this.#isFetching || this.#timers.has("fetch")) return;
    this.#timers.set("fetch", this.#fetchDelay, () => this.#fetchNext());
  }

  async #fetchNext() {
    const id = this.#missing;
    if (!id || !this.#isOnline) return;
    this.#fetchDelay = FETCH_LATER;
    if (document.visibilityState === "visible") {
      this.#isFetching = true;
      try {
        this.#fetched.set(id, await this.#fetch(id));
        this.#fetchDelay = FETCH_PAUSE;
        await this.#store();
      } catch {
        // Tried again later.
      }
      this.#isFetching = false;
    }
    this.#fetchLater();
  }

  async #fetch(id) {
    const path = `conversations/${id}/messages/`;
    const position = this.#positions.get(id);
    if (position !== undefined) {
      /** @type {Wire.Changes} */
      const changes = await this.#rest.get(path, { since_version: position });
      if (!changes.reset) return { from: position, ...changes };
    }
    return this.#rest.get(path, { limit: MESSAGES });
  }
}

/**
 * The new copy of a conversation, or null if there is nothing yet. `fetched`: a History, or Changes with `from`.
 * `open`: the History of the page.
 * @returns {import("chatty/chat/offline_storage.js").Copy | null}
 */
export function changeCopy(me, { id, known, messages = [], fetched = null, open = null, now = Date.now() }) {
  if (!fetched && !open && (!known || !messages.length)) return known;
  const changes = fetched && "from" in fetched ? fetched : null;
  const histories = [known?.history, changes ? null : fetched, open].filter(Boolean);
  if (!histories.length) return null; // fetched as a whole later
  histories.sort((a, b) => b.position - a.position);
  const store = new Store({ me, page: histories[0] });
  // The newest version of a message counts, whichever window has it.
  for (const other of histories.slice(1)) store.merge(other.messages);
  if (changes) store.catchUp(changes);
  for (const message of messages) store.applyMessage({ version: message.version, message });
  const history = latestOf(store);
  const isSame = known && JSON.stringify(known.history) === JSON.stringify(history);
  return isSame ? known : { id, at: now, history };
}

/**
 * The latest messages of a store. Pictures can't be loaded offline: there are initials.
 * @returns {Wire.History}
 */
function latestOf(store) {
  const all = store.messages();
  return {
    type: "history",
    messages: all.slice(-MESSAGES).map((message) => ({
      ...message,
      author: plain(message.author),
      reply_to: message.reply_to && { ...message.reply_to, author: plain(message.reply_to.author) },
    })),
    position: store.position,
    has_older: store.hasOlder || all.length > MESSAGES,
    has_newer: false,
  };
}

/** A row of the list as it is on the wire. */
function bare({ counted: _counted, moves: _moves, unverified: _unverified, first: _first, ...row }) {
  // The last message may be of a conversation that isn't kept, and frames don't change it here.
  return { ...row, last: null, other: plain(row.other) };
}

/** @param {Wire.Person | null} person */
function plain(person) {
  return person && { ...person, picture: null };
}
