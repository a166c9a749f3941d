// The copy of the outbox on disk (IndexedDB): what a reload finds again.
//
// Memory is the truth about what a page has queued. The copy may fail at any time: the database never
// opens, opens late, is full, or is deleted with the site's data. So no method here rejects, and none
// keeps its caller waiting for longer than `patience`.

import { Emitter } from "chatty/lib/emitter.js";

const NAME = "chatty";
const VERSION = 2;
const STORE = "unsent"; // by key; the index "order" is [scope, order]
const FORMER_STORE = "outbox"; // of version 1: by order, which the database gave
const PATIENCE = 2_000; // ms
const LIFETIME = 30 * 86_400_000; // ms

/**
 * Emits "lost" {} when the database is taken away, and "opened" {} when one is there that was not there
 * before: at first, late, or anew and empty.
 */
export class OutboxStorage extends Emitter {
  #scope;
  #open;
  #patience;
  #database = null;
  #opening = null;
  #isStalled = false; // nobody waits for the disk until it has answered again
  #closed = false;

  /** `scope` names person and epoch. `open(onLost)` resolves with an IDBDatabase. */
  constructor(scope, { open = openDatabase, patience = PATIENCE } = {}) {
    super();
    this.#scope = scope;
    this.#open = open;
    this.#patience = patience;
  }

  /** The records on disk, oldest first, or null when the disk does not answer. */
  async all() {
    await this.#ensureOpen();
    return this.#run("readonly", (store) => store.index("order").getAll(within(this.#scope)), null);
  }

  /** Keep a new record behind all others. Resolves with its order, or null when it is not kept. */
  async add(record) {
    return this.#run(
      "readwrite",
      (store) => {
        const added = {};
        const look = store.index("order").openCursor(within(this.#scope), "prev");
        look.onsuccess = () => {
          added.result = Math.max(record.order, (look.result?.value.order ?? 0) + 1);
          store.put({ ...record, order: added.result, scope: this.#scope });
        };
        return added;
      },
      null,
    );
  }

  /** Keep these as they are. Resolves with true when they are on disk. */
  async put(...records) {
    const done = (store) => {
      for (const record of records) store.put({ ...record, scope: this.#scope });
      return { result: true };
    };
    return this.#run("readwrite", done, false);
  }

  /** True, false, or null when the disk does not answer. */
  async has(key) {
    const count = await this.#run("readonly", (store) => store.count(key), null);
    return count === null ? null : count > 0;
  }

  async remove(key) {
    return this.#run("readwrite", (store) => store.delete(key), null);
  }

  /** Remove all records of this scope. */
  async clear() {
    return this.#run("readwrite", (store) => removeWhere(store, within(this.#scope), () => true), false);
  }

  /** Remove whatever nobody has come back to for 30 days. Only this scope's records are ever read. */
  async removeOld(now = Date.now()) {
    const isOld = ({ scope, created_at: at }) => scope !== this.#scope && now - Date.parse(at) > LIFETIME;
    return this.#run("readwrite", (store) => removeWhere(store, null, isOld), false);
  }

  close() {
    this.#closed = true;
    this.#database?.close();
    this.#database = null;
  }

  // Internal

  /** Resolves when the database is open, cannot be opened, or lets us wait for too long. */
  #ensureOpen() {
    if (this.#database || this.#closed) return undefined;
    this.#opening ??= this.#reopen().finally(() => {
      this.#opening = null;
    });
    return this.#isStalled ? undefined : this.#withTimeout(this.#opening, undefined);
  }

  async #reopen() {
    try {
      const database = await this.#open(() => this.#onLost(database));
      this.#isStalled = false;
      if (this.#closed) return void database.close();
      this.#database = database;
      this.emit("opened", {});
    } catch {
      // Private windows of some browsers, a full disk: memory has the records.
    }
    return undefined;
  }

  /** Taken away: what a page has in memory is written down anew, where that is possible. */
  #onLost(database) {
    if (this.#database !== database || this.#closed) return;
    this.#database = null;
    this.emit("lost", {});
    this.#ensureOpen();
  }

  /** Resolves with the result once the transaction is durable, with `otherwise` when it fails. */
  async #run(mode, work, otherwise) {
    // A second time when the first shows that the database is closed.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      if (!this.#database) await this.#ensureOpen();
      if (!this.#database) return otherwise;
      const transaction = this.#startTransaction(mode);
      if (!transaction) continue;
      const done = this.#finish(transaction, work).catch(() => otherwise);
      return this.#isStalled ? otherwise : this.#withTimeout(done, otherwise);
    }
    return otherwise;
  }

  #startTransaction(mode) {
    try {
      return this.#database.transaction(STORE, mode, { durability: "strict" });
    } catch {
      this.#onLost(this.#database);
      return null;
    }
  }

  #finish(transaction, work) {
    return new Promise((resolve, reject) => {
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        this.#isStalled = false;
        resolve(request.result);
      };
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  }

  #withTimeout(work, otherwise) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => {
        this.#isStalled = true;
        resolve(otherwise);
      }, this.#patience);
    });
    return Promise.race([work, late]).finally(() => clearTimeout(timer));
  }
}

/** Whatever the order, within one scope. */
function within(scope) {
  return IDBKeyRange.bound([scope, -Infinity], [scope, Infinity]);
}

function removeWhere(store, range, isMeant) {
  const look = store.index("order").openCursor(range);
  look.onsuccess = () => {
    const { result: cursor } = look;
    if (!cursor) return;
    if (isMeant(cursor.value)) cursor.delete();
    cursor.continue();
  };
  return { result: true };
}

function openDatabase(onLost) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.onupgradeneeded = () => upgrade(request.result, request.transaction);
    request.onsuccess = () => {
      const database = request.result;
      const lose = () => {
        database.close();
        onLost();
      };
      database.onversionchange = lose;
      database.onclose = onLost; // the site's data was deleted
      resolve(database);
    };
    // While it is "blocked" it may still be opened: another tab is asked to close its own.
    request.onerror = () => reject(request.error);
  });
}

function upgrade(database, transaction) {
  const store = database.createObjectStore(STORE, { keyPath: "key" });
  store.createIndex("order", ["scope", "order"]);
  if (!database.objectStoreNames.contains(FORMER_STORE)) return;
  const former = transaction.objectStore(FORMER_STORE).getAll();
  former.onsuccess = () => {
    for (const record of former.result) store.put(record);
    database.deleteObjectStore(FORMER_STORE);
  };
}
