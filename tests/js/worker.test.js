// Runs the source of the service worker with fake browser APIs.

import { equal } from "tests/assert.js";

const OFFLINE = { body: "the page that says there is no connection" };

/** The worker's response to a navigation. The default is an offline browser without preload. */
async function visit({ preload, caches = { match: async () => OFFLINE }, fetch = failing } = {}) {
  const text = await (await globalThis.fetch("/templates/service_worker.js")).text();
  const kept = JSON.stringify({
    version: "1",
    page: "/offline/",
    files: ["/static/a.css"],
    leave: "/sign-out/",
  });
  const listeners = {};
  const listen = (type, listener) => (listeners[type] = listener);
  const soon = (work) => setTimeout(work, 5);
  const names = [
    "addEventListener",
    "caches",
    "fetch",
    "setTimeout",
    "skipWaiting",
    "clients",
    "registration",
  ];
  const run = new Function(...names, text.replace("{{ kept|safe }}", kept));
  run(listen, caches, fetch, soon, () => {}, {}, {});
  let answer;
  listeners.fetch({
    request: { method: "GET", mode: "navigate", url: `${location.origin}/c/1/` },
    preloadResponse: preload,
    respondWith: (given) => (answer = given),
  });
  return answer;
}

const failing = () => Promise.reject(new TypeError("no connection"));

export async function test_failed_preload_as_in_firefox_shows_the_offline_page() {
  equal(await visit({ preload: Promise.resolve(Response.error()) }), OFFLINE);
}

export async function test_failed_preload_as_in_chromium_shows_the_offline_page() {
  equal(await visit({ preload: Promise.reject(new TypeError("failed")) }), OFFLINE);
}

export async function test_visit_without_a_preload_uses_the_network() {
  const page = new Response("a page");
  equal((await visit({ preload: Promise.resolve(undefined), fetch: async () => page })) === page, true);
  equal(await visit({ preload: Promise.resolve(undefined) }), OFFLINE);
}

export async function test_visit_does_not_wait_for_a_stalled_cache() {
  const caches = { match: () => new Promise(() => {}) };
  equal((await visit({ preload: failing(), caches })).type, "error");
}
