// The service worker by itself: its text is run with a browser that is made up.

import { equal } from "tests/assert.js";

const OFFLINE = { body: "the page that says there is no connection" };

/** The worker's answer to a visit. `browser`: what differs from one without a connection. */
async function visit({ preload, caches = { match: async () => OFFLINE }, fetch = failing } = {}) {
  const text = await (await globalThis.fetch("/templates/service_worker.js")).text();
  const kept = JSON.stringify({ version: "1", page: "/offline/", files: ["/static/a.css"] });
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

export async function test_a_preload_that_failed_as_in_firefox_shows_the_offline_page() {
  equal(await visit({ preload: Promise.resolve(Response.error()) }), OFFLINE);
}

export async function test_a_preload_that_failed_as_in_chromium_shows_the_offline_page() {
  equal(await visit({ preload: Promise.reject(new TypeError("failed")) }), OFFLINE);
}

export async function test_without_a_preload_the_network_is_asked() {
  const page = new Response("a page");
  equal((await visit({ preload: Promise.resolve(undefined), fetch: async () => page })) === page, true);
  equal(await visit({ preload: Promise.resolve(undefined) }), OFFLINE);
}

export async function test_a_cache_that_does_not_answer_is_not_waited_for() {
  const caches = { match: () => new Promise(() => {}) };
  equal((await visit({ preload: failing(), caches })).type, "error");
}
