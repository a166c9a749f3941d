// The files of drafts and unsent messages, in IndexedDB, so that uploads go on after the page was closed.
//
// A database of its own: that of unsent messages (outbox_storage.js) stays small and quick. No call here rejects: in
// private windows of some browsers, or if the disk is full, files are only in memory.

const NAME = "chatty-files";
const VERSION = 1;
const STORE = "files"; // by key: {key, scope, file, at}
const LIFETIME = 30 * 86_400_000; // ms
const GRACE = 7 * 86_400_000; // ms for which a file that nothing refers to is kept: the outbox may not have been read

/** @returns {Promise<boolean>} whether it was stored */
export function keepFile({ scope, key, file }, now = Date.now()) {
  const record = { key, scope, file, at: now };
  return run("readwrite", (store) => store.put(record)).then(
    () => true,
    () => false,
  );
}

/** @returns {Promise<Blob | null>} */
export function readFile(key) {
  return run("readonly", (store) => store.get(key)).then(
    (record) => record?.file ?? null,
    () => null,
  );
}

export function dropFiles(keys) {
  return run("readwrite", (store) => {
    for (const key of keys) store.delete(key);
  }).catch(() => {});
}

/** Remove files of this scope that are not in `kept`, and old ones of others. */
export function dropUnused(scope, kept, now = Date.now()) {
  const isUnused = (record) =>
    now - record.at > (record.scope === scope ? GRACE : LIFETIME) && !kept.has(record.key);
  return dropWhere(isUnused);
}

/** Remove all files of this scope. */
export function clearFiles(scope) {
  return dropWhere((record) => record.scope === scope);
}

function dropWhere(isMeant) {
  return run("readwrite", (store) => {
    const look = store.openCursor();
    look.onsuccess = () => {
      const { result: cursor } = look;
      if (!cursor) return;
      if (isMeant(cursor.value)) cursor.delete();
      cursor.continue();
    };
  }).catch(() => {});
}

/**
 * Resolves with the result of the request that `work(store)` returns, once the transaction has completed. Each call
 * opens and closes the database, so that no window can block its removal.
 * @returns {Promise<any>}
 */
function run(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, VERSION);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "key" });
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      database.onversionchange = () => database.close();
      try {
        const transaction = database.transaction(STORE, mode, { durability: "strict" });
        const request = work(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request?.result);
        transaction.onabort = () => reject(transaction.error);
      } catch (error) {
        reject(error);
      } finally {
        database.close(); // takes effect once the transaction has completed
      }
    };
  });
}
