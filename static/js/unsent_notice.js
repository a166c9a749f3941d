// Where one signs in: tells that unsent text is kept in this browser, and removes it if asked.
//
// A sign-in may end without a question: on another device, or before the page's script had come.

const PREFIX = "chatty.draft."; // these as in chat/drafts.js, which would bring the whole chat with it
const WRITER = "chatty.writer.";
const DATABASE = "chatty";
const STORE = "unsent";

async function showNotice(place) {
  const drafts = keysOf(PREFIX);
  const scopes = await recordScopes().catch(() => []);
  if (!drafts.length && !scopes.length) return;
  place.hidden = false;
  place.querySelector("button").addEventListener("click", async (event) => {
    event.target.remove();
    for (const name of [...keysOf(PREFIX), ...keysOf(WRITER)]) localStorage.removeItem(name);
    // Other windows forget it too: they would write it down again.
    for (const scope of scopes)
      new BroadcastChannel(`chatty.outbox.${scope}`).postMessage({ type: "cleared" });
    await inStore("readwrite", (store) => store.clear()).catch(() => {});
    place.querySelector("p").textContent = place.dataset.removed;
  });
}

function keysOf(prefix) {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(prefix));
  } catch {
    return []; // forbidden: nothing is kept there
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
        reject(error); // of a version that knew no such store
      } finally {
        database.close(); // once the transaction is through
      }
    };
  });
}

showNotice(document.getElementById("unsent"));
