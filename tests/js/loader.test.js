import { Loader } from "chatty/views/loader.js";
import { equal, ok, pause, until } from "tests/assert.js";

/** An open page whose views are modules of their own: each notes when it is connected and disconnected. */
function opened(html) {
  document.body.innerHTML = html;
  const parts = new Map();
  const page = { data: {}, provide: (name, part) => parts.set(name, part) };
  const loader = new Loader(/** @type {any} */ (page));
  return { loader, parts };
}

// The time zone of a form, which has no dependencies of its own.
const ZONE = '<input type="hidden" data-time-zone="fill" data-view="zone">';

const filled = (id) => Boolean(document.querySelector(`#${id} input`)?.value);

export async function test_loader_starts_the_views_of_a_page_and_of_what_is_inserted_later() {
  const { loader, parts } = opened(`<div id="a">${ZONE}</div><div id="b"></div>`);
  loader.connect();
  await until(() => filled("a"));
  ok(parts.has("zone"));
  document.getElementById("b").innerHTML = ZONE;
  loader.update();
  ok(filled("b"), "a view that has been loaded starts at once");
}

export async function test_loader_starts_a_view_once_although_its_element_is_moved() {
  const { loader } = opened(`<div id="a">${ZONE}</div><div id="b"></div>`);
  loader.connect();
  await until(() => filled("a"));
  const field = document.querySelector("input");
  field.value = "";
  document.getElementById("b").append(field);
  loader.update();
  equal(field.value, "");
}

export async function test_loader_waits_until_the_page_is_idle() {
  const { loader } = opened(
    `<div id="a">${ZONE.replace("data-view", 'data-view-when="idle" data-view')}</div>`,
  );
  const { requestIdleCallback } = globalThis;
  const waiting = [];
  globalThis.requestIdleCallback = (work) => waiting.push(work);
  loader.connect();
  globalThis.requestIdleCallback = requestIdleCallback;
  await import("chatty/views/zone.js");
  ok(!filled("a"));
  waiting[0]();
  await until(() => filled("a"));
}

export async function test_loader_waits_for_the_first_of_several_events() {
  const { loader } = opened(
    `<div id="a">${ZONE.replace("data-view", 'data-view-when="focusin dragenter" data-view')}</div>`,
  );
  loader.connect();
  await import("chatty/views/zone.js");
  ok(!filled("a"));
  document.dispatchEvent(new Event("dragenter"));
  await until(() => filled("a"));
  document.querySelector("input").value = "";
  document.dispatchEvent(new Event("focusin"));
  await pause(20);
  ok(!filled("a"), "started once");
}

export function test_loader_keeps_nothing_of_an_element_that_is_gone_before_its_views_are_due() {
  const { loader } = opened(
    `<div id="a">${ZONE.replace("data-view", 'data-view-when="focusin dragenter" data-view')}</div>`,
  );
  const signals = [];
  document.addEventListener = (_type, _work, { signal }) => signals.push(signal);
  loader.connect();
  delete document.addEventListener;
  document.getElementById("a").replaceChildren();
  loader.update();
  equal(
    signals.map(({ aborted }) => aborted),
    [true, true],
  );
}

export async function test_loader_does_not_start_a_view_whose_element_is_gone() {
  const { loader } = opened(`<div id="a">${ZONE}</div>`);
  loader.connect();
  const field = document.querySelector("input");
  field.remove();
  await until(() => import("chatty/views/zone.js"));
  loader.update();
  equal(field.value, "");
}
