import { Emitter } from "chatty/lib/emitter.js";
import { Announcer } from "chatty/views/announcer.js";
import { equal, until } from "tests/assert.js";

const WORDS = `<template id="translations"><span data-i18n="announce">{name}: {text}</span>
  <span data-i18n="form_of">000000000</span><span data-i18n="new.0">{n} new messages</span></template>`;

/** What is announced of `messages`: texts, or [kind, sentence] of notices. */
async function announced(...messages) {
  document.body.innerHTML = `${WORDS}<div id="announcer"></div>`;
  const chat = new Emitter();
  const place = document.getElementById("announcer");
  const announcer = new Announcer({ chat });
  announcer.connect();
  for (const each of messages) {
    const [kind, text] = Array.isArray(each) ? each : ["text", each];
    const notice = kind === "text" ? null : { text, data: {} };
    const message = { kind, author: { id: 2, name: "Bob" }, excerpt: text, notice, deleted_at: null };
    chat.emit("message", { message, own: false });
  }
  await until(() => place.textContent);
  announcer.disconnect();
  return place.textContent;
}

const JOINED = ["Ada", "Bo", "Cleo", "Dan"].map((name) => ["unknown", `${name} joined.`]);

export async function test_few_messages_and_notices_are_announced_in_full() {
  equal(await announced("Hi", JOINED[0], "Welcome"), "Bob: Hi Ada joined. Bob: Welcome");
}

export async function test_many_messages_are_announced_as_a_number_without_notices() {
  equal(await announced("1", "2", JOINED[0], "3", "4"), "4 new messages");
}

export async function test_of_many_notices_only_the_last_is_announced() {
  equal(await announced(...JOINED), "Dan joined.");
  equal(await announced(...JOINED, "Hi", "Welcome"), "Dan joined. Bob: Hi Bob: Welcome");
}
