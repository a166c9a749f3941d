// My words on their way: a persistent first-in, first-out queue per conversation.
//
//   queued -> sending -> sent      (the record goes; the message itself comes back by the socket)
//                     -> queued    (try again: same key, without limit)
//                     -> failed    (the server will not have it: retry, edit or discard by hand)
//
// The shelf (IndexedDB) is the truth and the channel between tabs only a doorbell. Whichever tab
// holds a conversation's lock sends its records one by one, the next after the answer to the one
// before; a key sent twice is one message, so a crash at any point costs nothing.

import { retryDelay } from "chatty/lib/backoff.js";
import { Emitter } from "chatty/lib/emitter.js";
import { newKey } from "chatty/lib/keys.js";

export class Outbox extends Emitter {
  #name;
  #shelf;
  #deliver;
  #locks;
  #channel;
  #delay;
  #records = [];
  #adding = new Map(); // key -> record that is not on the shelf yet
  #sending = new Set(); // keys, in whichever tab
  #draining = new Set(); // conversations this tab is busy with
  #again = new Set(); // conversations to look at once more afterwards
  #wakers = new Set();
  #running = false;

  /**
   * `deliver(record)` resolves with {id, seq, version} or rejects with {code, detail, retry,
   * retryAfter?}; while `deliver.ready()` is false nothing is tried. Emits "change" {conversation},
   * "sent" {record, answer} and "discarded" {record}.
   */
  constructor({ scope, shelf, deliver, locks = globalThis.navigator?.locks, delay = retryDelay }) {
    super();
    this.#name = `chatty.outbox.${scope}`;
    this.#shelf = shelf;
    this.#deliver = deliver;
    this.#locks = locks ?? new TabLocks();
    this.#delay = delay;
  }

  // Lifecycle

  async connect() {
    this.#running = true;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = (event) => this.#told(event.data);
    await this.#reload();
    this.kick();
  }

  disconnect() {
    this.#running = false;
    this.#channel?.close();
    this.#channel = null;
    this.#wake();
    this.#shelf.close();
  }

  // Deeds

  /** Take words in. The record is shown at once and sent as soon as it is kept. */
  add({ conversation, body, reply_to: replyTo = null }) {
    const record = {
      key: newKey(),
      conversation,
      body,
      reply_to: replyTo,
      created_at: new Date().toISOString(),
      failure: null,
    };
    this.#adding.set(record.key, record);
    this.#changed(conversation);
    return { record, kept: this.#keep(record) };
  }

  /** Send a failed one again, as it is and with its key. */
  async retry(key) {
    const record = this.#find(key);
    if (!record?.failure) return;
    await this.#shelf.put({ ...record, failure: null });
    await this.#told({ type: "changed", conversation: record.conversation });
    this.#tell({ type: "changed", conversation: record.conversation });
  }

  /** Take one back that is not on its way; returns it, or undefined when it is too late. */
  async discard(key) {
    const record = this.#find(key);
    if (!record || record.order === undefined || this.#sending.has(key)) return undefined;
    this.#tell({ type: "discarded", record });
    await this.#shelf.remove(record.order);
    this.emit("discarded", { record });
    await this.#told({ type: "changed", conversation: record.conversation });
    return record;
  }

  /** What is waiting in a conversation, oldest first, each with its `state`. */
  entries(conversation) {
    return [...this.#records, ...this.#adding.values()]
      .filter((record) => record.conversation === conversation)
      .map((record) => ({ ...record, state: this.#stateOf(record) }));
  }

  get size() {
    return this.#records.length + this.#adding.size;
  }

  /** Look again, now: the line is open, or somebody asked. */
  kick() {
    this.#wake();
    for (const conversation of new Set(this.#records.map((record) => record.conversation))) {
      this.#drain(conversation);
    }
  }

  /** Forget everything: signing out. */
  async clear() {
    await this.#shelf.clear();
    await this.#reload();
  }

  // Internal

  async #keep(record) {
    const order = await this.#shelf.add(record);
    this.#adding.delete(record.key);
    if (!this.#find(record.key)) this.#records.push({ ...record, order });
    this.#changed(record.conversation);
    this.#tell({ type: "changed", conversation: record.conversation });
    this.#drain(record.conversation);
  }

  async #drain(conversation) {
    if (this.#draining.has(conversation)) {
      // It may just have looked for the last time; a wake-up must not fall between two stools.
      this.#again.add(conversation);
      return;
    }
    this.#draining.add(conversation);
    try {
      await this.#locks.request(`${this.#name}.${conversation}`, () => this.#sendAll(conversation));
    } finally {
      this.#draining.delete(conversation);
      if (this.#again.delete(conversation) && this.#running) this.#drain(conversation);
    }
  }

  async #sendAll(conversation) {
    // With the lock here nobody else is sending: such marks are of a tab that is gone.
    for (const record of this.#records) {
      if (record.conversation === conversation) this.#sending.delete(record.key);
    }
    for (let attempt = 0; this.#running && this.#deliver.ready(); ) {
      await this.#reload();
      const record = this.#records.find(
        (candidate) => candidate.conversation === conversation && !candidate.failure,
      );
      if (!record || !this.#running) return;
      const refusal = await this.#sendOne(record);
      if (!refusal) {
        attempt = 0;
        continue;
      }
      if (!this.#deliver.ready()) return; // the line is gone; kick() comes when it is back
      await this.#sleep(Math.max(this.#delay(attempt), (refusal.retryAfter ?? 0) * 1000));
      attempt += 1;
    }
  }

  /** Returns the refusal when the same record should be tried again, else undefined. */
  async #sendOne(record) {
    this.#mark(record, true);
    try {
      const answer = await this.#deliver(record);
      this.#tell({ type: "sent", record, answer });
      this.emit("sent", { record, answer });
      await this.#shelf.remove(record.order);
    } catch (refusal) {
      if (refusal.retry) return refusal;
      const failure = { code: refusal.code, detail: refusal.detail };
      await this.#shelf.put({ ...record, failure });
    } finally {
      this.#mark(record, false);
      await this.#reload();
      this.#tell({ type: "changed", conversation: record.conversation });
    }
    return undefined;
  }

  #mark(record, sending) {
    if (sending) this.#sending.add(record.key);
    else this.#sending.delete(record.key);
    this.#changed(record.conversation);
    this.#tell({ type: "sending", record, sending });
  }

  #stateOf(record) {
    if (record.failure) return "failed";
    return this.#sending.has(record.key) ? "sending" : "queued";
  }

  #find(key) {
    return this.#records.find((record) => record.key === key) ?? this.#adding.get(key);
  }

  async #reload() {
    const before = this.#records;
    this.#records = await this.#shelf.all();
    const touched = [...before, ...this.#records].map((record) => record.conversation);
    for (const conversation of new Set(touched)) this.#changed(conversation);
  }

  #changed(conversation) {
    this.emit("change", { conversation });
  }

  // Between tabs

  #tell(word) {
    this.#channel?.postMessage(word);
  }

  async #told({ type, conversation, record, answer, sending }) {
    if (type === "sent") {
      this.emit("sent", { record, answer });
    } else if (type === "discarded") {
      this.emit("discarded", { record });
    } else if (type === "sending") {
      if (sending) this.#sending.add(record.key);
      else this.#sending.delete(record.key);
      this.#changed(record.conversation);
    } else {
      await this.#reload();
      this.#drain(conversation);
    }
  }

  // Waiting

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

/** Where the browser has no Web Locks (plain http in a network): one tab at a time is all we know. */
class TabLocks {
  #held = new Map();

  request(name, work) {
    const turn = (this.#held.get(name) ?? Promise.resolve()).then(work, work);
    this.#held.set(name, turn.catch(() => {}));
    return turn;
  }
}
