import { reconnectDelay, retryDelay } from "chatty/lib/backoff.js";
import { Emitter, BufferedEmitter } from "chatty/lib/emitter.js";
import { newKey } from "chatty/lib/idempotency_key.js";
import { folded, rank } from "chatty/lib/match.js";
import { parsePage } from "chatty/lib/pages.js";
import { bodyLength, isBlank, tidyBody } from "chatty/lib/text.js";
import { Times } from "chatty/lib/times.js";
import { trusted } from "chatty/lib/trusted_types.js";
import { equal, ok } from "tests/assert.js";

export function test_reconnect_delay_grows_to_4_s_in_the_first_minute_and_30_s_later() {
  const most = () => 1;
  equal(
    [0, 1, 2, 3, 4, 50].map((attempt) => reconnectDelay(attempt, 1_000, most)),
    [500, 1_000, 2_000, 4_000, 4_000, 4_000],
  );
  equal(reconnectDelay(50, 61_000, most), 30_000);
}

export function test_reconnect_delay_has_full_jitter() {
  equal(
    [0, 0.25, 0.5].map((dice) => reconnectDelay(9, 0, () => dice)),
    [0, 1_000, 2_000],
  );
}

export function test_retry_delay_is_at_least_half_a_second() {
  ok(retryDelay(0, () => 0) >= 500);
  ok(retryDelay(99, () => 1) <= 30_000);
}

export function test_buffered_emitter_replays_events_in_order_then_forwards_them() {
  const chat = new Emitter();
  const socket = new Emitter();
  const late = new BufferedEmitter([chat, "message", "typing"], [socket, "frame"]);
  const heard = [];
  for (const [emitter, type] of [
    [chat, "typing"],
    [socket, "frame"],
    [chat, "message"],
    [chat, "other"],
  ]) {
    emitter.emit(type, type);
  }
  for (const type of ["message", "typing", "frame", "other"]) late.on(type, (word) => heard.push(word));
  equal(heard, []);
  late.replay();
  equal(heard, ["typing", "frame", "message"]);
  chat.emit("message", "again");
  equal(heard.at(-1), "again");
}

export function test_emitter_calls_other_listeners_after_one_throws() {
  const emitter = new Emitter();
  const heard = [];
  globalThis.reportError = () => heard.push("reported");
  emitter.on("word", () => {
    throw new Error("mine");
  });
  const stop = emitter.on("word", (word) => heard.push(word));
  emitter.emit("word", "one");
  stop();
  emitter.emit("word", "two");
  equal(heard, ["reported", "one", "reported"]);
}

export function test_keys_are_unique_and_valid() {
  const keys = new Set(Array.from({ length: 1_000 }, newKey));
  equal(keys.size, 1_000);
  for (const key of keys) ok(/^[A-Za-z0-9_-]{1,64}$/.test(key), key);
}

export function test_many_spaces_before_a_word_are_tidied_at_once() {
  const text = `${" ".repeat(60_000)}x`;
  const began = performance.now();
  equal(tidyBody(`${text} \n`), text);
  equal(performance.now() - began < 1_000, true);
}

export function test_body_length_counts_code_points_after_tidying() {
  equal(bodyLength("\n \r\n  a😀e\u0301  \n"), 5); // two spaces of indent, a, one emoji, é
  equal(tidyBody("\n\n  code\r\nmore\n\n"), "  code\nmore");
}

export function test_invisible_text_is_blank() {
  for (const text of ["", " \n\t", "\u200b\u2060", "\u3164"]) ok(isBlank(text), JSON.stringify(text));
  ok(!isBlank(" . "));
}

export function test_days_and_times_use_the_given_zone() {
  const moment = "2026-11-23T23:30:00.000Z";
  equal(new Times({ zone: "UTC" }).dayKey(moment), "2026-11-23");
  equal(new Times({ zone: "Asia/Tokyo" }).dayKey(moment), "2026-11-24");
  equal(new Times({ zone: "Asia/Tokyo" }).clock(moment), "08:30");
}

export function test_titles_and_times_follow_the_choice_of_12_or_24_hours() {
  const moment = "2026-11-23T15:38:00.000Z";
  const twelve = new Times({ zone: "UTC", language: "en", cycle: "h12" });
  equal(twelve.clock(moment), "3:38 pm");
  equal(twelve.full(moment), "23 November 2026, 3:38 pm");
  equal(new Times({ zone: "UTC", language: "en" }).full(moment), "23 November 2026, 15:38");
  equal(new Times({ zone: "UTC", language: "de" }).full(moment), "23. November 2026, 15:38");
}

export function test_unknown_zone_falls_back_to_the_browsers() {
  const own = new Times({}).clock("2026-11-23T12:00:00Z");
  equal(new Times({ zone: "Mars/Base" }).clock("2026-11-23T12:00:00Z"), own);
}

export function test_days_ago_counts_days_not_hours() {
  const times = new Times({ zone: "Europe/Berlin" });
  equal(times.daysAgo("2026-11-22T22:59:00Z", Date.parse("2026-11-22T23:01:00Z")), 1);
  // The day the clocks go back has 25 hours and is still one day.
  equal(times.daysAgo("2026-10-24T12:00:00Z", Date.parse("2026-10-25T22:30:00Z")), 1);
}

export function test_day_includes_the_year_only_if_it_differs() {
  const times = new Times({ zone: "UTC", language: "en" });
  const now = Date.parse("2026-11-23T12:00:00Z");
  ok(!times.day("2026-01-05T12:00:00Z", now).includes("2026"));
  ok(times.day("2025-01-05T12:00:00Z", now).includes("2025"));
}

export function test_messages_up_to_five_minutes_apart_are_grouped() {
  const times = new Times({});
  ok(times.isNear("2026-11-23T12:00:00.000Z", "2026-11-23T12:05:00.000Z"));
  ok(!times.isNear("2026-11-23T12:00:00.000Z", "2026-11-23T12:05:00.001Z"));
}

export function test_rank_ignores_accents_and_case() {
  equal(folded(" Łódź Straße "), "lodz strasse");
  equal(folded("ＪＯＳÉ"), "jose");
  equal(rank("Tomás Rivera", "tomas"), 0);
  equal(rank("Tomas Rivera", "TOMÁS r"), 0);
  equal(rank("İpek Yılmaz", "ipek yil"), 0);
  equal(rank("李明", "明"), 2);
}

export function test_rank_prefers_prefixes_and_rejects_other_letters() {
  const fits = (typed) => rank("Build & ship", typed);
  equal(["bui", "ship", "sh bu", "uil", "bsp", "bship", "x", "pb"].map(fits), [0, 1, 1, 2, 3, 3, null, null]);
  equal(rank("Anything", ""), 0);
}

function response(url, type, text) {
  return { url, headers: new Headers({ "Content-Type": type }), text: async () => text };
}

export async function test_only_pages_of_our_own_origin_are_parsed() {
  const ours = await parsePage(
    response(`${location.origin}/c/7/`, "text/html; charset=utf-8", "<h1>Tea</h1>"),
  );
  equal(ours.querySelector("h1").textContent, "Tea");
  const file = await parsePage(response(`${location.origin}/file`, "text/plain", "<h1>Tea</h1>"));
  equal(file.body.childNodes.length, 0);
  for (const url of ["https://example.org/", `${location.protocol}//${location.hostname}:1/`]) {
    const refused = await parsePage(response(url, "text/html", "")).catch((error) => error);
    ok(refused instanceof TypeError, url);
  }
}

export function test_only_the_service_worker_is_a_script_address() {
  equal(trusted.createScriptURL("/service-worker.js"), "/service-worker.js");
  for (const address of ["/other.js", "//example.org/service-worker.js", "/service-worker.js?a", "data:,1"]) {
    let refused = null;
    try {
      trusted.createScriptURL(address);
    } catch (error) {
      refused = error;
    }
    ok(refused instanceof TypeError, address);
  }
}
