import { Drafts } from "chatty/chat/drafts.js";
import { Composer } from "chatty/views/composer.js";
import { Emitter } from "chatty/lib/emitter.js";
import { equal } from "tests/assert.js";

let conversations = 0;

function newConversation() {
  conversations += 1;
  return conversations;
}

class NoMessages extends Emitter {
  quoteOf() {}
}

/** The composer's form as in templates/conversations/_composer.html, and with a field of a later version. */
function formWithMood() {
  document.body.innerHTML = `<form>
    <input type="hidden" name="key" value="k">
    <input type="hidden" name="reply_to">
    <p data-slot="error" hidden></p>
    <div data-slot="reply" hidden><span data-slot="reply-author"></span><span data-slot="reply-text"></span></div>
    <textarea name="body" data-content data-max="100"></textarea>
    <select name="mood" data-content><option></option><option>glad</option></select>
    <button type="submit"></button>
    <p data-slot="counter" hidden></p>
  </form>`;
  return document.forms[0];
}

function opened({
  conversation = newConversation(),
  drafts = new Drafts("composer.test"),
  kept = Promise.resolve(),
  loaded = Promise.resolve(),
  stored = [],
} = {}) {
  const form = formWithMood();
  const sent = [];
  const chat = {
    id: conversation,
    store: new NoMessages(),
    sendTyping() {},
    loadMessage: async () => {},
    send(content) {
      sent.push(content);
      return { record: { key: `key-${sent.length}` }, kept };
    },
    outbox: { entry: (key) => stored.find((each) => each === key) },
  };
  const composer = new Composer({ form, chat, drafts, loaded, onSent() {}, editLast() {} });
  composer.connect();
  const { body, mood } = form.elements;
  const fill = (field, value) => {
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  return { composer, form, sent, drafts, conversation, body, mood, fill };
}

const QUOTED = { id: 5, author: "Bob", excerpt: "Tea?" };

export async function test_composer_sends_every_field_of_the_message_and_is_emptied() {
  const { composer, form, sent, drafts, conversation, body, mood, fill } = opened();
  fill(body, "Yes\n");
  fill(mood, "glad");
  composer.replyTo(QUOTED);
  form.requestSubmit();
  equal(sent, [{ reply_to: 5, body: "Yes", mood: "glad" }]);
  equal([body.value, mood.value, form.elements.reply_to.value], ["", "", ""]);
  await Promise.resolve();
  equal(drafts.read(conversation), null);
  fill(body, "No");
  form.requestSubmit();
  equal(sent[1], { body: "No" }, "empty fields are left out");
  composer.disconnect();
}

export async function test_draft_keeps_every_field_of_the_message() {
  const first = opened();
  first.fill(first.body, "Yes");
  first.fill(first.mood, "glad");
  first.composer.replyTo(QUOTED);
  first.composer.disconnect();
  const again = opened(first);
  again.form.requestSubmit();
  equal(again.sent, [{ reply_to: 5, body: "Yes", mood: "glad" }]);
  again.composer.discard();
  equal(again.drafts.read(again.conversation), null);
  again.composer.disconnect();
}

export function test_draft_that_the_storage_refuses_is_kept_while_the_page_is_open() {
  const setItem = () => {
    throw new Error("full");
  };
  const full = { getItem: () => null, setItem, removeItem() {} };
  const [one, other] = [new Drafts("full", "", full), new Drafts("full", "", full)];
  one.write(1, { body: "kept" });
  equal([other.read(1).body, other.conversations()], ["kept", [1]]);
  one.write(1, {});
  equal([other.read(1), other.size], [null, 0]);
}

export async function test_draft_of_the_previous_version_is_restored() {
  const drafts = new Drafts("composer.test");
  drafts.write(99, { body: "Yes", reply: QUOTED });
  const { composer, form, sent } = opened({ conversation: 99, drafts });
  form.requestSubmit();
  equal(sent, [{ reply_to: 5, body: "Yes" }]);
  composer.disconnect();
}

export async function test_failed_message_returns_with_every_field() {
  const { composer, form, sent, body, mood, fill } = opened();
  fill(body, "below");
  composer.amend({ body: "above", mood: "glad", reply_to: 5 }, QUOTED);
  equal([body.value, mood.value], ["above\nbelow", "glad"]);
  fill(mood, "");
  form.requestSubmit();
  equal(sent, [{ reply_to: 5, body: "above\nbelow" }]);
  composer.disconnect();
}

export async function test_message_that_was_sent_just_before_a_reload_is_no_draft_unless_it_was_lost() {
  for (const [stored, text] of [
    [["key-1"], ""],
    [[], "Yes"],
  ]) {
    const kept = new Promise(() => {}); // the page is closed before
    const { conversation, drafts, body, form, fill, composer } = opened({ kept });
    fill(body, "Yes");
    form.requestSubmit();
    equal(drafts.read(conversation).key, "key-1");
    composer.disconnect();
    let load;
    const loaded = new Promise((resolve) => (load = resolve));
    const again = opened({ conversation, drafts, loaded, stored });
    equal(again.body.value, "", "not before it is known");
    load();
    await loaded;
    equal([again.body.value, drafts.read(conversation)?.body], [text, text || undefined]);
    equal(drafts.read(conversation)?.key || "", "");
    again.composer.disconnect();
  }
}
