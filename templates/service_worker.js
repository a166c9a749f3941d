// Serves an offline page when a page can't be loaded, and handles clicks on notifications. It never caches
// conversations or API responses: pages themselves save what can be read offline (js/views/offline_reading.js).

const { version, page, files, leave } = {{ kept|safe }};
const CACHE = `chatty-${version}`;
const SAVED = "chatty-offline"; // the database of js/chat/offline_storage.js
const PLAIN = { ignoreVary: true };
const PATIENCE = 2_000; // ms to wait for the cache
const ANSWER = 300; // ms to wait for the answer of a window

addEventListener("install", (event) => {
  // Pages work with any version of this worker, so a new one need not wait until all of them are closed.
  skipWaiting();
  event.waitUntil(keep());
});

addEventListener("activate", (event) => event.waitUntil(takeOver()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname, search } = new URL(request.url);
  // Also if the page's own script did not do it: it may not have loaded.
  if (request.method === "POST" && origin === location.origin && pathname === leave) forget();
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(visit(event));
  else if (origin === location.origin && [page, ...files].includes(pathname + search)) {
    event.respondWith(answer(request));
  }
});

// Sent by pages that were loaded before this worker was active (views/offline_reading.js).
addEventListener("message", (event) => event.waitUntil(clients.claim()));

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data.url));
});

async function keep() {
  const cache = await caches.open(CACHE);
  const fresh = { cache: "reload", credentials: "omit" };
  await cache.addAll([page, ...files].map((url) => new Request(url, fresh)));
}

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith("chatty-") && name !== CACHE) await caches.delete(name);
  }
  // Requests pages while the worker is still starting.
  await registration.navigationPreload?.enable();
  await clients.claim();
}

async function visit({ request, preloadResponse }) {
  try {
    const response = (await preloadResponse) ?? (await fetch(request));
    // In Firefox, a failed preload resolves with an error response.
    if (response.type !== "error") return response;
  } catch {
    // Offline.
  }
  return (await kept(page)) ?? Response.error();
}

async function answer(request) {
  return (await kept(request)) ?? fetch(request);
}

/** The cached response, or undefined. Doesn't wait longer than PATIENCE for the cache. */
function kept(request) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  return Promise.race([caches.match(request, PLAIN), late]).catch(() => undefined);
}

/** Removes what was saved for reading offline. */
function forget() {
  try {
    indexedDB.deleteDatabase(SAVED);
  } catch {
    // Storage is blocked, so nothing is stored.
  }
}

/** Focus the window that shows `url`, else navigate the last used window, else open a new one. */
async function open(url) {
  const pathOf = (each) => new URL(each.url).pathname;
  const windows = (await clients.matchAll({ type: "window" })).filter(
    (each) => !/^\/(admin|api)\//.test(pathOf(each)), // navigating these could lose unsaved input
  );
  const there = windows.find((each) => pathOf(each) === url);
  try {
    const window = await (there ?? windows[0]).focus();
    if (!there && !(await goes(window, url))) await window.navigate(url);
  } catch {
    await clients.openWindow(url);
  }
}

/** Ask a window to go to `url` without a load (js/views/offline_reading.js). Resolves with whether it does. */
function goes(window, url) {
  const { port1: answers, port2: port } = new MessageChannel();
  return new Promise((resolve) => {
    answers.onmessage = () => resolve(true);
    setTimeout(() => resolve(false), ANSWER);
    window.postMessage({ go: url }, [port]);
  });
}
