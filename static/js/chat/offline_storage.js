// The copy of messages for reading offline, in IndexedDB. It belongs to one account and epoch, its `scope`.
//
// A database of its own, so that removing it can't touch unsent messages. Each call opens and closes it: no window
// keeps it open, so none can block its removal. All calls reject if the browser refuses (private windows, a full
// disk): then nothing can be read offline, and everything else works.
//
// `owner` is written once, for a session that the server has just confirmed. Everything else is only written while
// the owner is there, in the same transaction. A window that has not noticed yet that another one signed out can't
// store anything any more.

const NAME = "chatty-offline";
const VERSION = 1; // a higher one removes what is stored: raise it when the format of messages changes
const ABOUT = "about"; // {name: "owner", scope, page}, {name: "list", conversations}, {name: "seen", at}
const COPIES = "copies"; // {id, at, history}: of one conversation
const LIFETIME = 7 * 86_400_000; // ms

/**
 * A conversation: its latest messages, as REST returns them, and when they were read (ms).
 * @typedef {{ id: number, at: number, history: Wire.History }} Copy
 */

/** Become the owner, and remove what belongs to another account or epoch. `page`: data for the offline page. */
export function claim(scope, page) {
  return run("readwrite", (about, copies) => {
    const owner = about.get("owner");
    owner.onsuccess = () => {
      if (owner.result?.scope !== scope) {
        about.clear();
        copies.clear();
      }
      about.put({ name: "owner", scope, page });
    };
  });
}

/**
 * Change the copies of the conversations in `ids`, remove all that are not in `kept`, and store the list. `change(id,
 * known)` returns the new copy, or null. Resolves with the copies in `ids`, or null if this scope isn't the owner.
 * @param {{
 *   scope: string, ids: Iterable<number>, kept: Set<number>, conversations: Wire.Conversation[], now?: number,
 *   change: (id: number, known: Copy | null) => Copy | null,
 * }} given
 * @returns {Promise<Copy[] | null>}
 */
export async function update({ scope, ids, kept, conversations, change, now = Date.now() }) {
  /** @type {Copy[] | null} */
  let changed = null;
  await run("readwrite", (about, copies) => {
    ifOwner(about, scope, () => {
      changed = [];
      about.put({ name: "list", conversations });
      about.put({ name: "seen", at: now });
      const stored = copies.getAllKeys();
      stored.onsuccess = () => {
        for (const id of stored.result) if (!kept.has(/** @type {number} */ (id))) copies.delete(id);
      };
      for (const id of new Set(ids)) {
        if (!kept.has(id)) continue;
        const known = copies.get(id);
        known.onsuccess = () => {
          const before = known.result ?? null;
          const copy = change(id, before);
          if (copy) changed.push(copy);
          if (copy && copy !== before) copies.put(copy);
          if (!copy) copies.delete(id);
        };
      }
    });
  });
  return changed;
}

/** Everything stored was up to date until now. */
export function confirmCopies(scope, now = Date.now()) {
  return run("readwrite", (about) => {
    ifOwner(about, scope, () => about.put({ name: "seen", at: now }));
  });
}

/**
 * What is stored, or null. `at` of a copy is when it was last known to be up to date. After seven days, a copy is not
 * returned but removed.
 * @returns {Promise<{
 *   scope: string, page: any, at: number, conversations: Wire.Conversation[], copies: Map<number, Copy>
 * } | null>}
 */
export async function readAll(now = Date.now()) {
  if (!(await exists())) return null;
  let found;
  await run("readonly", (about, copies) => {
    found = [about.getAll(), copies.getAll()];
  });
  const [abouts, copies] = found.map(({ result }) => result);
  const { owner, list, seen } = Object.fromEntries(abouts.map((each) => [each.name, each]));
  if (owner && !list) return null; // a window has just become the owner, and is about to store something
  if (!owner || now - seen.at > LIFETIME) {
    await clear();
    return null;
  }
  const versions = new Map(list.conversations.map(({ id, version }) => [id, version]));
  const dated = copies.map((copy) => ({
    ...copy,
    at: versions.get(copy.id) === copy.history.position ? seen.at : copy.at,
  }));
  const [old, recent] = [true, false].map((isOld) =>
    dated.filter(({ id, at }) => (now - at > LIFETIME || !versions.has(id)) === isOld),
  );
  if (old.length) {
    await run("readwrite", (_about, store) => {
      for (const { id } of old) store.delete(id);
    });
  }
  return {
    scope: owner.scope,
    page: owner.page,
    at: seen.at,
    conversations: list.conversations,
    copies: new Map(recent.map((copy) => [copy.id, copy])),
  };
}

/** Remove everything. */
export function clear() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(NAME);
    request.onsuccess = () => resolve(undefined);
    request.onerror = () => reject(request.error);
  });
}

async function exists() {
  if (!indexedDB.databases) return true; // Firefox before 126
  return (await indexedDB.databases()).some(({ name }) => name === NAME);
}

function ifOwner(about, scope, work) {
  const owner = about.get("owner");
  owner.onsuccess = () => {
    if (owner.result?.scope === scope) work();
  };
}

/** Resolves once the transaction of `work(about, copies)` has completed. */
function run(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, VERSION);
    opening.onupgradeneeded = () => {
      const database = opening.result;
      for (const name of [...database.objectStoreNames]) database.deleteObjectStore(name);
      database.createObjectStore(ABOUT, { keyPath: "name" });
      database.createObjectStore(COPIES, { keyPath: "id" });
    };
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      database.onversionchange = () => database.close();
      try {
        const transaction = database.transaction([ABOUT, COPIES], mode);
        transaction.oncomplete = () => resolve(undefined);
        transaction.onabort = () => reject(transaction.error);
        work(transaction.objectStore(ABOUT), transaction.objectStore(COPIES));
      } catch (error) {
        reject(error);
      } finally {
        database.close(); // takes effect once the transaction has completed
      }
    };
  });
}
