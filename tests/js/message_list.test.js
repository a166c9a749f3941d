import { Emitter } from "chatty/lib/emitter.js";
import { Store } from "chatty/chat/store.js";
import { MessageList } from "chatty/views/message_list.js";
import { equal, until } from "tests/assert.js";

const PAGE = `<template id="day-template"><div class="day"><span data-slot="day"></span></div></template>
  <template id="older-template"><nav id="older"><a href="" rel="prev">Older</a></nav></template>
  <section id="pane">
    <div id="timeline"><div id="messages"><div id="newest"></div></div></div>
    <button id="jump" hidden><span data-slot="jump"></span></button>
  </section>`;

const message = (seq) => ({
  id: 100 + seq,
  seq,
  version: seq,
  kind: "text",
  body: `No. ${seq}`,
  author: null,
});

/** A source that is not a conversation: twelve messages of which the last six are loaded. */
class PinnedMessages extends Emitter {
  store = new Store({
    me: 1,
    page: { messages: [7, 8, 9, 10, 11, 12].map(message), position: 12, has_older: true, has_newer: false },
  });

  async loadOlder() {
    const messages = [1, 2, 3, 4, 5, 6].map(message);
    this.store.addOlder({ messages, position: 12, has_older: false, has_newer: false }, this.store.era);
  }

  async loadNewer() {}

  async loadLatest() {}

  async loadAround() {}

  pageUrl({ before = 0 } = {}) {
    return before ? `/pinned/?before=${before}` : "/pinned/";
  }
}

/** Rows with nothing but their text. */
const plainRows = {
  prepare() {},
  update() {},
  draw({ id, seq, body }) {
    const row = document.createElement("p");
    Object.assign(row, { id: `m${id}`, className: "message", textContent: body });
    row.dataset.seq = seq;
    row.innerHTML += `<time datetime="${seq}"></time>`;
    return row;
  },
};

const times = { today: 1, dayKey: () => "1", daysAgo: () => 0, day: String, isNear: () => true };

export async function test_message_list_shows_any_source_with_the_methods_of_a_conversation() {
  document.body.innerHTML = PAGE;
  const source = new PinnedMessages();
  const root = document.getElementById("pane");
  const list = new MessageList(root, source, { message: plainRows, times, me: { id: 1 } });
  list.connect();
  source.store.replace({
    messages: [7, 8, 9, 10, 11, 12].map(message),
    position: 12,
    has_older: true,
    has_newer: false,
  });
  const shown = () => list.rows().map((row) => row.textContent);
  equal(shown().length, 6);
  const more = root.querySelector("#older a");
  equal(more.getAttribute("href"), "/pinned/?before=7");
  more.click();
  await until(() => shown().length === 12);
  equal(shown()[0], "No. 1");
  source.store.applyMessage({ version: 13, message: message(13) });
  equal(shown().at(-1), "No. 13");
  list.disconnect();
}
