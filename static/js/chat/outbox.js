// My words on their way: a persistent first-in, first-out queue per conversation.
//
//   queued -> sending -> sent      (the record goes; the message itself comes back by the socket)
//                     -> queued    (try again: same key, without limit)
//                     -> failed    (the server will not have it: retry, edit or discard by hand)
//
// Memory is the truth about what this page has queued. The storage (IndexedDB) is a copy for the next
// page: whatever becomes of it, what is in memory is shown and goes out in order. Tabs tell each other
// of every record that comes, changes or goes. Whichever tab holds a conversation's lock sends its
// records one by one, the next after the answer to the one before; a key sent twice is one message,
// so a crash at any point costs nothing. Each step touches one record, however many are waiting.

import { retryDelay } from "chatty/lib/backoff.js";
import { Emitter } from "chatty/lib/emitter.js";
import { newKey } from "chatty/lib/idempotency_key.js";

const LOCK_WAIT = 10_000; // ms after which a tab that holds the lock and says nothing counts as gone
const BROADCAST_DELAY = 100; // ms within which another tab's word arrives

export class Outbox extends Emitter {
  #name;
  #storage;
  #deliver;
  #locks;
  #lockWait;
  #channel;
  #delay;
  #records = new Map(); // key -> record
  #queues = new Map(); // conversation -> Queue
  #unstored = new Set(); // keys of records that are in memory only
  #lastHeard = new Map(); // conversation -> when another tab last told that it sends there
  #removed = new Set(); // keys that were discarded, or sent by another tab before the copy was read
  #draining = new Set(); // conversations this tab is busy with
  #drainAgain = new Set(); // conversations to look at once more afterwards
  #wakers = new Set();
  #order = 0; // the highest one known
  #loaded = false;
  #running = false;
  #stops = [];

  /**
   * `deliver(record)` resolves with {id, seq, version} or rejects with {code, detail, retry,
   * retryAfter?}; while `deliver.ready()` is false nothing is tried. Emits "change" {conversation,
   * key}, "sent" {record, answer}, "discarded" {record} and "stored" {} when `stored` may differ.
   */
  constructor({
    scope,
    storage,
    deliver,
    locks = globalThis.navigator?.locks,
    delay = retryDelay,
    lockWait = LOCK_WAIT,
  }) {
    super();
    this.#name = `chatty.outbox.${scope}`;
    this.#storage = storage;
    this.#deliver = deliver;
    this.#locks = locks ?? new TabLocks();
    this.#delay = delay;
    this.#lockWait = lockWait;
  }

  // Lifecycle

  async connect() {
    this.#running = true;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = (event) => this.#onBroadcast(event.data);
    this.#broadcast({ type: "asking" });
    this.#stops = [
      this.#storage.on("opened", () => this.#loaded && this.#reconcile()),
      this.#storage.on("lost", () => this.#onLost()),
    ];
    const kept = await this.#storage.all();
    for (const record of kept ?? []) this.#adopt(record);
    this.#loaded = true;
    this.kick();
    this.#storage.removeOld();
  }

  disconnect() {
    this.#running = false;
    for (const stop of this.#stops) stop();
    this.#channel?.close();
    this.#channel = null;
    this.#wake();
    this.#storage.close();
  }

  // Actions

  /** Take words in. The record is shown at once and sent as soon as the copy of it is made. */
  add({ conversation, body, reply_to: replyTo = null }) {
    const record = {
      key: newKey(),
      conversation,
      body,
      reply_to: replyTo,
      created_at: new Date().toISOString(),
      failure: null,
      order: this.#order + 1,
    };
    this.#set(record);
    this.#queue(conversation).adding.add(record.key);
    this.#emitChange(record);
    return { record, kept: this.#persist(record) };
  }

  /** Send a failed one again, as it is and with its key. */
  async retry(key) {
    const record = this.#records.get(key);
    if (!record?.failure) return;
    await this.#change({ ...record, failure: null });
    this.#drain(record.conversation);
  }

  /** Take one back that is not on its way; returns it, or undefined when it is too late. */
  async discard(key) {
    const record = this.#records.get(key);
    const { adding, sending } = this.#queue(record?.conversation);
    if (!record || adding.has(key) || sending.has(key)) return undefined;
    this.#removed.add(key);
    this.#remove(record);
    this.#broadcast({ type: "discarded", record });
    this.emit("discarded", { record });
    await this.#storage.remove(key);
    return record;
  }

  /** What is waiting in a conversation, oldest first, each with its `state`. */
  entries(conversation) {
    const { waiting, failed } = this.#queue(conversation);
    return [...waiting.values(), ...failed.values()].sort(byOrder).map((record) => this.#entryOf(record));
  }

  /** The one with this key and its `state`, or undefined. */
  entry(key) {
    const record = this.#records.get(key);
    return record && this.#entryOf(record);
  }

  /** Ids of the conversations in which something waits. */
  conversations() {
    return [...new Set([...this.#records.values()].map((record) => record.conversation))];
  }

  get size() {
    return this.#records.size;
  }

  /** False when a reload would lose words: this browser does not keep them. */
  get stored() {
    return !this.#unstored.size;
  }

  /** Look again, now: the connection is open, or somebody asked. */
  kick() {
    this.#wake();
    for (const [conversation, { waiting }] of this.#queues) {
      if (waiting.size) this.#drain(conversation);
    }
  }

  /** Forget everything, in every tab: signing out. */
  async clear() {
    this.#broadcast({ type: "cleared" });
    this.#removeAll();
    await this.#storage.clear();
  }

  // Internal: sending

  async #persist(record) {
    const { key, conversation } = record;
    const order = await this.#storage.add(record);
    this.#queue(conversation).adding.delete(key);
    if (!this.#records.has(key)) {
      await this.#storage.remove(key); // cleared meanwhile
      return;
    }
    const stored = { ...record, order: order ?? record.order };
    this.#set(stored);
    this.#markStored(key, order !== null);
    this.#emitChange(stored);
    this.#broadcastRecord(stored);
    this.#drain(conversation);
  }

  async #drain(conversation) {
    if (!this.#loaded) return; // what an earlier page left goes first
    if (this.#draining.has(conversation)) {
      // It may just have looked for the last time; a wake-up must not fall between two stools.
      this.#drainAgain.add(conversation);
      return;
    }
    this.#draining.add(conversation);
    try {
      await this.#withLock(conversation, () => this.#sendAll(conversation));
    } finally {
      this.#draining.delete(conversation);
      if (this.#drainAgain.delete(conversation) && this.#running) this.#drain(conversation);
    }
  }

  /**
   * The lock spares double requests, no more: each tab sends in order and waits for each answer, so
   * the order holds without it. A frozen tab that holds it must not stop the others for ever.
   */
  async #withLock(conversation, work) {
    while (this.#running) {
      const gate = new AbortController();
      const timer = setTimeout(() => gate.abort(), this.#lockWait);
      let begun = false;
      try {
        return await this.#locks.request(`${this.#name}.${conversation}`, { signal: gate.signal }, () => {
          begun = true;
          clearTimeout(timer);
          return work();
        });
      } catch (error) {
        if (begun) throw error;
        const silence = Date.now() - (this.#lastHeard.get(conversation) ?? 0);
        if (!gate.signal.aborted || silence > 4 * this.#lockWait) return work();
      } finally {
        clearTimeout(timer);
      }
    }
    return undefined;
  }

  async #sendAll(conversation) {
    const queue = this.#queue(conversation);
    // With the lock here nobody else is sending: such marks are of a tab that is gone.
    for (const key of queue.sending) this.#updateSending(this.#records.get(key), false);
    if (this.#lastHeard.has(conversation)) await this.#awaitLastSent(queue);
    for (let attempt = 0; this.#running && this.#deliver.ready(); ) {
      const record = queue.first();
      // One that is still being added drains again when it is; what comes behind it waits.
      if (!record || queue.adding.has(record.key)) return;
      const error = await this.#sendOne(record);
      if (!error) {
        attempt = 0;
        continue;
      }
      if (!this.#deliver.ready()) return; // the connection is gone; kick() comes when it is back
      await this.#sleep(Math.max(this.#delay(attempt), (error.retryAfter ?? 0) * 1000));
      attempt += 1;
    }
  }

  /** The tab that had the lock before may have sent the first one; its word may still be on its way. */
  async #awaitLastSent(queue) {
    const first = queue.first();
    if (!first || this.#unstored.has(first.key) || !this.#deliver.ready()) return;
    if ((await this.#storage.has(first.key)) === false) await this.#sleep(BROADCAST_DELAY);
  }

  /** Returns the error when the same record should be tried again, else undefined. */
  async #sendOne(record) {
    this.#setSending(record, true);
    try {
      const answer = await this.#deliver(record);
      this.#remove(record, { quietly: true });
      this.#broadcast({ type: "sent", record, answer });
      this.emit("sent", { record, answer });
      await this.#storage.remove(record.key);
    } catch (error) {
      if (error.retry) return error;
      const failure = { code: error.code, detail: error.detail };
      // Cleared meanwhile: it is not brought back.
      if (this.#records.has(record.key)) await this.#change({ ...record, failure });
    } finally {
      this.#setSending(record, false);
    }
    return undefined;
  }

  #setSending(record, sending) {
    this.#updateSending(record, sending);
    this.#broadcast({ type: "sending", key: record.key, conversation: record.conversation, sending });
  }

  #updateSending(record, sending) {
    const keys = this.#queue(record.conversation).sending;
    if (sending) keys.add(record.key);
    else keys.delete(record.key);
    if (this.#records.has(record.key)) this.#emitChange(record);
  }

  // Internal: the records

  /** The change is made in memory, told, and then copied. */
  async #change(record) {
    this.#set(record);
    this.#emitChange(record);
    this.#broadcastRecord(record);
    await this.#copy([record]);
  }

  /** Put records on disk; what was sent or discarded meanwhile must not stay behind there. */
  async #copy(records) {
    const isStored = await this.#storage.put(...records);
    for (const { key } of records) {
      if (this.#records.has(key)) this.#markStored(key, isStored);
      else this.#storage.remove(key);
    }
  }

  #set(record) {
    this.#order = Math.max(this.#order, record.order);
    this.#records.set(record.key, record);
    this.#queue(record.conversation).set(record);
  }

  #remove(record, { quietly = false } = {}) {
    this.#records.delete(record.key);
    this.#queue(record.conversation).delete(record.key);
    this.#markStored(record.key, true);
    if (!quietly) this.#emitChange(record);
  }

  #removeAll() {
    for (const record of [...this.#records.values()]) this.#remove(record);
  }

  #adopt(record) {
    if (this.#records.has(record.key) || this.#removed.has(record.key)) return false;
    this.#set(record);
    this.#emitChange(record);
    return true;
  }

  /** A database that was not there before: give it what it lacks, and take what it has. */
  async #reconcile() {
    const kept = await this.#storage.all();
    const taken = (kept ?? []).filter((record) => this.#adopt(record));
    const there = new Set((kept ?? []).map(({ key }) => key));
    const lacking = [...this.#records.values()].filter(({ key }) => !there.has(key));
    if (lacking.length) await this.#copy(lacking);
    for (const conversation of new Set(taken.map((record) => record.conversation))) {
      this.#drain(conversation);
    }
  }

  #onLost() {
    for (const key of this.#records.keys()) this.#markStored(key, false);
  }

  #markStored(key, stored) {
    const before = this.stored;
    if (stored) this.#unstored.delete(key);
    else if (this.#records.has(key)) this.#unstored.add(key);
    if (before !== this.stored) this.emit("stored", {});
  }

  #entryOf(record) {
    return { ...record, state: this.#stateOf(record) };
  }

  #stateOf(record) {
    if (record.failure) return "failed";
    return this.#queue(record.conversation).sending.has(record.key) ? "sending" : "queued";
  }

  #queue(conversation) {
    if (!this.#queues.has(conversation)) this.#queues.set(conversation, new Queue());
    return this.#queues.get(conversation);
  }

  #emitChange({ conversation, key }) {
    this.emit("change", { conversation, key });
  }

  // Between tabs

  #broadcast(message) {
    this.#channel?.postMessage(message);
  }

  #broadcastRecord(record) {
    this.#broadcast({ type: "record", record, stored: !this.#unstored.has(record.key) });
  }

  #onBroadcast(message) {
    const { type, record, key, conversation, sending } = message;
    if (type === "record") {
      if (this.#removed.has(record.key)) return;
      this.#set(record);
      this.#emitChange(record);
      if (!message.stored) this.#copy([record]);
      this.#drain(record.conversation);
    } else if (type === "sent" || type === "discarded") {
      if (type === "discarded" || !this.#loaded) this.#removed.add(record.key);
      this.#remove(record, { quietly: type === "sent" });
      this.emit(type, message);
    } else if (type === "sending") {
      this.#lastHeard.set(conversation, Date.now());
      const known = this.#records.get(key);
      if (known) this.#updateSending(known, sending);
    } else if (type === "cleared") {
      this.#removeAll();
    } else if (type === "asking") {
      // A new tab reads the copy; what was never copied it hears from who holds it.
      for (const each of this.#unstored) this.#broadcastRecord(this.#records.get(each));
    }
  }

  // Waiting

  /** @returns {Promise<void>} */
  #sleep(duration) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, duration);
      this.#wakers.add(wake);
    });
  }

  #wake() {
    for (const wake of [...this.#wakers]) wake();
  }
}

/** One conversation's records, by key and in order; those that failed stand aside. */
class Queue {
  waiting = new Map();
  failed = new Map();
  adding = new Set(); // keys of those of which no copy is made yet
  sending = new Set(); // keys
  #last = 0; // the highest order among those waiting

  first() {
    const [record] = this.waiting.values();
    return record;
  }

  set(record) {
    const isNew = !this.waiting.has(record.key);
    if (record.failure) {
      this.waiting.delete(record.key);
      this.failed.set(record.key, record);
      return;
    }
    this.failed.delete(record.key);
    const isBehind = record.order >= this.#last;
    const isMoved = !isNew && this.waiting.get(record.key).order !== record.order;
    this.waiting.set(record.key, record);
    this.#last = Math.max(this.#last, record.order);
    // Seldom: sent again after it failed, or another tab's word came in between.
    if (isNew ? !isBehind : isMoved) {
      this.waiting = new Map([...this.waiting].sort(([, a], [, b]) => byOrder(a, b)));
    }
  }

  delete(key) {
    this.waiting.delete(key);
    this.failed.delete(key);
    this.adding.delete(key);
    this.sending.delete(key);
    if (!this.waiting.size) this.#last = 0;
  }
}

function byOrder(a, b) {
  return a.order - b.order || (a.key < b.key ? -1 : 1);
}

/** Where the browser has no Web Locks (plain http in a network): one tab at a time is all we know. */
class TabLocks {
  #held = new Map();

  request(name, _options, work) {
    const turn = (this.#held.get(name) ?? Promise.resolve()).then(work, work);
    this.#held.set(
      name,
      turn.catch(() => {}),
    );
    return turn;
  }
}
