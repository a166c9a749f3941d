// The copy of the outbox in IndexedDB, which survives a reload.
//
// Memory is the source of truth for what a page has queued. The copy can fail at any time: the database
// never opens, opens late, is full, or is deleted with the site's data. So no method here rejects, and
// none takes longer than `patience`.

import { Emitter } from "chatty/lib/emitter.js";

const NAME = "chatty";
const VERSION = 2;
const STORE = "unsent"; // by key, with the index "order" on [scope, order]
const FORMER_STORE = "outbox"; // the store of version 1, by autoincremented order
const PATIENCE = 2_000; // ms
const LIFETIME = 30 * 86_400_000; // ms

/**
 * Emits "lost" {} when the database is closed or deleted, and "opened" {} whenever one has been opened:
 * at first, late, or again and empty.
 */
export class OutboxStorage extends Emitter {
  #scope;
  #open;
  #patience;
  #database = null;
  #opening = null;
  #isStalled = false; // after a timeout: callers don't wait until the database has answered again
  #closed = false;

  /** `scope` identifies account and epoch. `open(onLost)` resolves with an IDBDatabase. */
  constructor(scope, { open = openDatabase, patience = PATIENCE } = {}) {
    super();
    this.#scope = scope;
    this.#open = open;
    this.#patience = patience;
  }

  /** The stored records, oldest first, or null if the database doesn't answer. */
  async all() {
    await this.#ensureOpen();
    return this.#run("readonly", (store) => store.index("order").getAll(within(this.#scope)), null);
  }

  /** Store a new record after all others. Resolves with its order, or null if it could not be stored. */
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

  /** Store records unchanged. Resolves with true if that succeeded. */
  async put(...records) {
    const done = (store) => {
      for (const record of records) store.put({ ...record, scope: this.#scope });
      return { result: true };
    };
    return this.#run("readwrite", done, false);
  }

  /** True, false, or null if the database doesn't answer. */
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

  /** Remove other scopes' records older than 30 days, since nothing else would read them. */
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

  /** Resolves when the database is open, cannot be opened, or takes longer than `patience`. */
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
      // Private windows of some browsers, or a full disk: the records remain in memory.
    }
    return undefined;
  }

  /** Reopen the database if possible, so that the outbox stores its records again. */
  #onLost(database) {
    if (this.#database !== database || this.#closed) return;
    this.#database = null;
    this.emit("lost", {});
    this.#ensureOpen();
  }

  /** Resolves with the result once the transaction is durable, or with `otherwise` if it fails. */
  async #run(mode, work, otherwise) {
    // Retry once: the first attempt may find that the database was closed.
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

/** A key range of all orders within one scope. */
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
    // No handler for "blocked": another tab has been asked to close its connection, so this may succeed.
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
