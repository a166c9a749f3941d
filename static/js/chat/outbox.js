// My unsent messages: a persistent FIFO queue per conversation.
//
//   queued -> sending -> sent      (the record is removed; the message itself arrives over the socket)
//                     -> queued    (retried with the same key, without limit)
//                     -> failed    (rejected by the server: the user can retry, edit or discard it)
//
// Memory is the source of truth for what this page has queued. The storage (IndexedDB) is a copy for the
// next page: even if it fails, records in memory are shown and sent in order. Tabs broadcast every
// record that is added, changed or removed. The tab that holds a conversation's lock sends its records
// one at a time, each after the answer to the previous one. Sending a key twice creates no duplicate,
// so a crash at any point loses nothing. Each step handles one record, however many are queued.

import { retryDelay } from "chatty/lib/backoff.js";
import { Emitter } from "chatty/lib/emitter.js";
import { newKey } from "chatty/lib/idempotency_key.js";
import { Sleeper } from "chatty/lib/sleeper.js";
import { OutboxLocks } from "chatty/chat/outbox_locks.js";
import { OutboxQueue } from "chatty/chat/outbox_queue.js";

const BROADCAST_DELAY = 100; // ms within which another tab's broadcast arrives

export class Outbox extends Emitter {
  #name;
  #storage;
  #deliver;
  #locks;
  #channel;
  #delay;
  #records = new Map(); // key -> record
  #queues = new Map(); // conversation -> OutboxQueue
  #unstored = new Set(); // keys of records that are in memory only
  #removed = new Set(); // keys discarded, or sent by another tab before the copy was read
  #draining = new Set(); // conversations this tab is sending in
  #drainAgain = new Set(); // conversations to drain once more afterwards
  #sleeper = new Sleeper();
  #order = 0; // the highest order so far
  #loaded = false;
  #running = false;
  #stops = [];

  /**
   * `deliver(record)` resolves with {id, seq, version} or rejects with {code, detail, retry,
   * retryAfter?}. Nothing is sent while `deliver.ready()` is false. Emits "change" {conversation, key},
   * "sent" {record, answer}, "discarded" {record}, "waiting" {conversation, seconds} in slow mode, and "stored" {} when `stored` may have changed.
   */
  constructor({ scope, storage, deliver, locks = undefined, delay = retryDelay, lockWait = undefined }) {
    super();
    this.#name = `chatty.outbox.${scope}`;
    this.#storage = storage;
    this.#deliver = deliver;
    this.#locks = new OutboxLocks({ name: this.#name, locks, wait: lockWait });
    this.#delay = delay;
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
    this.#sleeper.wake();
    this.#storage.close();
  }

  // Actions

  /** Queue a message: its conversation, and its content. It is shown immediately and sent once stored. */
  add({ conversation, ...content }) {
    const record = {
      ...content, // for showing it, and for open pages of versions without `content`
      content,
      key: newKey(),
      conversation,
      created_at: new Date().toISOString(),
      failure: null,
      order: this.#order + 1,
    };
    this.#set(record);
    this.#queue(conversation).adding.add(record.key);
    this.#emitChange(record);
    return { record, kept: this.#persist(record) };
  }

  /** Send a failed record again, unchanged and with the same key. */
  async retry(key) {
    const record = this.#records.get(key);
    if (!record?.failure) return;
    await this.#change({ ...record, failure: null });
    this.#drain(record.conversation);
  }

  /** Remove a record that is not being sent. Returns it, or undefined if it is too late. */
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

  /** The records of a conversation, oldest first, each with its `state`. */
  entries(conversation) {
    return this.#queue(conversation)
      .all()
      .map((record) => this.#entryOf(record));
  }

  /** The record with this key and its `state`, or undefined. */
  entry(key) {
    const record = this.#records.get(key);
    return record && this.#entryOf(record);
  }

  /** Ids of the conversations with records. */
  conversations() {
    return [...new Set([...this.#records.values()].map((record) => record.conversation))];
  }

  get size() {
    return this.#records.size;
  }

  /** False if a reload would lose records, because the browser has not stored them. */
  get stored() {
    return !this.#unstored.size;
  }

  /** Retry immediately, for example once connected. */
  kick() {
    this.#sleeper.wake();
    for (const [conversation, { waiting }] of this.#queues) {
      if (waiting.size) this.#drain(conversation);
    }
  }

  /** Remove all records, in every tab, on signing out. */
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
      await this.#storage.remove(key); // cleared in the meantime
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
    if (!this.#loaded) return; // records of an earlier page are sent first
    if (this.#draining.has(conversation)) {
      // The current run may already be past its last check. Run again, so that no wake-up is lost.
      this.#drainAgain.add(conversation);
      return;
    }
    this.#draining.add(conversation);
    try {
      await this.#locks.run(
        conversation,
        () => this.#sendAll(conversation),
        () => this.#running,
      );
    } finally {
      this.#draining.delete(conversation);
      if (this.#drainAgain.delete(conversation) && this.#running) this.#drain(conversation);
    }
  }

  async #sendAll(conversation) {
    const queue = this.#queue(conversation);
    // This tab has the lock, so no other is sending: these flags are from a tab that is gone.
    for (const key of queue.sending) this.#updateSending(this.#records.get(key), false);
    if (this.#locks.isShared(conversation)) await this.#awaitLastSent(queue);
    for (let attempt = 0; this.#running && this.#deliver.ready(); ) {
      const record = queue.first();
      // A record that is still being stored starts another drain afterwards; later ones wait for it.
      if (!record || queue.adding.has(record.key)) return;
      const error = await this.#sendOne(record);
      if (!error) {
        attempt = 0;
        continue;
      }
      if (!this.#deliver.ready()) return; // disconnected: kick() is called on reconnecting
      if (error.code === "slow_mode") this.emit("waiting", { conversation, seconds: error.retryAfter });
      await this.#sleeper.sleep(Math.max(this.#delay(attempt), (error.retryAfter ?? 0) * 1000));
      attempt += 1;
    }
  }

  /** The previous holder of the lock may have sent the first record. Wait for its broadcast. */
  async #awaitLastSent(queue) {
    const first = queue.first();
    if (!first || this.#unstored.has(first.key) || !this.#deliver.ready()) return;
    if ((await this.#storage.has(first.key)) === false) await this.#sleeper.sleep(BROADCAST_DELAY);
  }

  /** Returns the error if the record should be retried, else undefined. */
  async #sendOne(record) {
    this.#setSending(record, true);
    try {
      const answer = await this.#deliver(record);
      this.#remove(record, { quietly: true });
      this.#broadcast({ type: "sent", record, answer });
      this.emit("sent", { record, answer });
      await this.#storage.remove(record.key);
    } catch (error) {
      // Also if it isn't the server's, such as of a module that can't be loaded.
      if (error.retry !== false) return error;
      const failure = { code: error.code, detail: error.detail };
      // Unless cleared in the meantime.
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

  // Internal: records

  /** Apply a change in memory, broadcast it, then store it. */
  async #change(record) {
    this.#set(record);
    this.#emitChange(record);
    this.#broadcastRecord(record);
    await this.#copy([record]);
  }

  /** Store records, then remove those that were sent or discarded in the meantime. */
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

  /** The database was (re)opened: store records it doesn't have, and load those missing here. */
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
    if (!this.#queues.has(conversation)) this.#queues.set(conversation, new OutboxQueue());
    return this.#queues.get(conversation);
  }

  #emitChange({ conversation, key }) {
    this.emit("change", { conversation, key });
  }

  // Internal: other tabs

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
      this.#locks.noteSending(conversation);
      const known = this.#records.get(key);
      if (known) this.#updateSending(known, sending);
    } else if (type === "cleared") {
      this.#removeAll();
    } else if (type === "asking") {
      // A new tab reads the stored records. Send it those that are only in memory here.
      for (const each of this.#unstored) this.#broadcastRecord(this.#records.get(each));
    }
  }
}
