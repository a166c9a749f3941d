// On the sign-in page: says that this browser still has unsent text, and offers to remove it. Removes what was kept
// for reading offline.
//
// A session can end without asking about that text: from another device, or before the script had loaded.

// The same as in chat/drafts.js and chat/outbox_storage.js, which would load much more code.
const PREFIX = "chatty.draft.";
const WRITER = "chatty.writer.";
const DATABASE = "chatty";
const STORE = "unsent";
const FILES = "chatty-files"; // see chat/file_storage.js
const OFFLINE = "chatty-offline"; // see chat/offline_storage.js

async function showNotice(place) {
  const drafts = keysOf(PREFIX);
  const scopes = await recordScopes().catch(() => []);
  if (!drafts.length && !scopes.length) return;
  place.hidden = false;
  place.querySelector("button").addEventListener("click", async (event) => {
    event.target.remove();
    for (const name of [...keysOf(PREFIX), ...keysOf(WRITER)]) localStorage.removeItem(name);
    // Clear the outboxes of other windows too, or they would store their records again.
    for (const scope of scopes)
      new BroadcastChannel(`chatty.outbox.${scope}`).postMessage({ type: "cleared" });
    await inStore("readwrite", (store) => store.clear()).catch(() => {});
    indexedDB.deleteDatabase(FILES);
    place.querySelector("p").textContent = place.dataset.removed;
  });
}

function keysOf(prefix) {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  } catch {
    return []; // storage is blocked, so nothing is stored
  }
}

async function recordScopes() {
  const there = await indexedDB.databases();
  if (!there.some(({ name }) => name === DATABASE)) return [];
  const records = await inStore("readonly", (store) => store.getAll());
  return [...new Set(records.map(({ scope }) => scope))];
}

function inStore(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE);
    opening.onerror = reject;
    opening.onsuccess = () => {
      const database = opening.result;
      try {
        const transaction = database.transaction(STORE, mode);
        const request = work(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = reject;
      } catch (error) {
        reject(error); // a database from a version without this store
      } finally {
        database.close(); // takes effect once the transaction has completed
      }
    };
  });
}

showNotice(document.getElementById("unsent"));
// No one is signed in, so nothing is kept for reading offline.
try {
  indexedDB.deleteDatabase(OFFLINE);
} catch {
  // Storage is blocked, so nothing is stored.
}
