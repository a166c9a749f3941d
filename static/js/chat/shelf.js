// Where the outbox keeps its records: IndexedDB, or memory where a browser refuses it.
//
// A shelf gives each record its `order` when it is added, rising for ever, also across tabs.

const NAME = "chatty";
const STORE = "outbox";

const SPARE = 2 ** 40; // orders of what only memory would take: after everything else

/** The shelf of one `scope` (person and epoch). Never rejects: what the disk refuses, memory keeps. */
export async function openShelf(scope) {
  try {
    return new SteadyShelf(new IndexedShelf(scope, await openDatabase()));
  } catch {
    return new MemoryShelf();
  }
}

/** A shelf on disk, and memory beside it for when the disk is full or taken away. */
export class SteadyShelf {
  #disk;
  #spare = new MemoryShelf(SPARE);

  constructor(disk) {
    this.#disk = disk;
  }

  async all() {
    const kept = await this.#disk.all().catch(() => []);
    return [...kept, ...(await this.#spare.all())];
  }

  add(record) {
    return this.#disk.add(record).catch(() => this.#spare.add(record));
  }

  put(record) {
    return this.#of(record.order).put(record);
  }

  remove(order) {
    return this.#of(order).remove(order);
  }

  async clear() {
    await this.#spare.clear();
    await this.#disk.clear();
  }

  close() {
    this.#disk.close();
  }

  #of(order) {
    return order > SPARE ? this.#spare : this.#disk;
  }
}

export class MemoryShelf {
  #records = new Map();
  #order;

  constructor(start = 0) {
    this.#order = start;
  }

  async all() {
    return [...this.#records.values()].map((record) => ({ ...record }));
  }

  async add(record) {
    this.#order += 1;
    this.#records.set(this.#order, { ...record, order: this.#order });
    return this.#order;
  }

  async put(record) {
    if (this.#records.has(record.order)) this.#records.set(record.order, { ...record });
  }

  async remove(order) {
    this.#records.delete(order);
  }

  async clear() {
    this.#records.clear();
  }

  close() {}
}

class IndexedShelf {
  #scope;
  #database;

  constructor(scope, database) {
    this.#scope = scope;
    this.#database = database;
  }

  async all() {
    const records = await this.#run("readonly", (store) => store.index("scope").getAll(this.#scope));
    return records.sort((a, b) => a.order - b.order);
  }

  add(record) {
    return this.#run("readwrite", (store) => store.add({ ...record, scope: this.#scope }));
  }

  /** Change a record that is still there; one that has gone meanwhile stays gone. */
  put(record) {
    return this.#run("readwrite", (store) => {
      const look = store.getKey(record.order);
      look.onsuccess = () => {
        if (look.result !== undefined) store.put({ ...record, scope: this.#scope });
      };
      return look;
    });
  }

  remove(order) {
    return this.#run("readwrite", (store) => store.delete(order));
  }

  async clear() {
    for (const { order } of await this.all()) await this.remove(order);
  }

  close() {
    this.#database.close();
  }

  /** Resolves with the request's result once the transaction is durable, not before. */
  #run(mode, work) {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(STORE, mode, { durability: "strict" });
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
    });
  }
}

function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore(STORE, { keyPath: "order", autoIncrement: true });
      store.createIndex("scope", "scope");
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = request.onblocked = () => reject(request.error);
  });
}
