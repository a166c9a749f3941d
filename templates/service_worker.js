// Stands between the pages and the network for one thing: a page that cannot be had is answered with
// one that says so. No conversation and no answer of the API is ever kept here, so nothing stale is shown.

const { version, page, files } = {{ kept|safe }};
const CACHE = `chatty-${version}`;
const PLAIN = { ignoreVary: true };
const PATIENCE = 2_000; // ms

addEventListener("install", (event) => {
  // No page depends on which version answers for it: a new one need not wait until all are closed.
  skipWaiting();
  event.waitUntil(keep());
});

addEventListener("activate", (event) => event.waitUntil(takeOver()));

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const { origin, pathname, search } = new URL(request.url);
  if (request.mode === "navigate") event.respondWith(visit(event));
  else if (origin === location.origin && files.includes(pathname + search)) {
    event.respondWith(answer(request));
  }
});

// A page that came while this was being installed asks to be answered for, too.
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
  // The page is asked for while this script is still being started.
  await registration.navigationPreload?.enable();
  await clients.claim();
}

async function visit({ request, preloadResponse }) {
  try {
    const response = (await preloadResponse) ?? (await fetch(request));
    // Firefox resolves a preload that failed, with a response that is none.
    if (response.type !== "error") return response;
  } catch {
    // There is no connection.
  }
  return (await kept(page)) ?? Response.error();
}

async function answer(request) {
  return (await kept(request)) ?? fetch(request);
}

/** What was kept, or undefined; a storage that does not answer is not waited for. */
function kept(request) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  return Promise.race([caches.match(request, PLAIN), late]).catch(() => undefined);
}

/** The window that shows it already, else the one of Chatty that was used last, else a new one. */
async function open(url) {
  const pathOf = (each) => new URL(each.url).pathname;
  const windows = (await clients.matchAll({ type: "window" })).filter(
    (each) => !/^\/(admin|api)\//.test(pathOf(each)), // what is begun there is kept nowhere
  );
  const there = windows.find((each) => pathOf(each) === url);
  try {
    const window = await (there ?? windows[0]).focus();
    if (!there) await window.navigate(url);
  } catch {
    await clients.openWindow(url);
  }
}
