import { ConversationSource } from "chatty/views/conversation_source.js";
import { EmojiSource } from "chatty/views/emoji_source.js";
import { fitting, MemberSource } from "chatty/views/member_source.js";
import { TEMPLATES } from "chatty/templates.js";
import { loadTemplates } from "chatty/views/dom.js";
import { equal } from "tests/assert.js";

loadTemplates(TEMPLATES);

const SUGGESTED = [
  ["Ada", "a"],
  ["İpek", "ip"],
  ["İpek", "İ"],
  ["Işıl", "isi"],
  ["Işıl", "IŞ"],
  ["ıtır", "ıt"],
  ["ßeta", "ß"],
  ["ßeta", "sse"],
  ["ẞeta", "ẞe"],
  ["SSeta", "ẞ"],
  ["ﬁona", "fi"],
  ["Fiona", "ﬁ"],
  ["ﬆella", "st"],
  ["ſam", "s"],
  ["Sam", "ſ"],
  ["Kelvin", "k"],
  ["Ångström", "ang"],
  ["Émile", "em"],
  ["Émile", "emile"],
  ["Ａｄａ", "ada"],
  ["Ａｄａ", "Ａ"],
  ["Σωκράτης", "ς"],
  ["ςωκράτης", "ΣΩ"],
  ["Οδυσσεύς", "ΟΔΥΣ"],
  ["ᾨκεανός", "ω"],
  ["ΐκαρος", "ικ"],
  ["ǅemal", "dž"],
  ["ǆemal", "ǅ"],
  ["ǰan", "ja"],
  ["J̌an", "ǰ"],
  ["ŉika", "ʼni"],
  ["Ꮳali", "Ꮳ"],
  ["Ღana", "ღ"],
  ["և", "եւ"],
  ["राम", "राम"],
  ["रामू", "रा"],
  ["李明", "李"],
  ["🦊 Fox", "🦊"],
];
const NOT_SUGGESTED = [
  ["Ada", "adam"],
  ["I", "İpek"],
];

function isSuggested([name, typed]) {
  const people = [
    { id: 1, name },
    { id: 2, name: `${name} Second` },
  ];
  return fitting(people, typed.normalize("NFC")).some(({ id }) => id === 1);
}

export function test_members_are_suggested_by_the_first_letters_of_their_names() {
  for (const pair of SUGGESTED) equal(isSuggested(pair), true, pair.join(" @"));
  for (const pair of NOT_SUGGESTED) equal(isSuggested(pair), false, pair.join(" @"));
}

/** Chinese, Japanese and Korean have no spaces, so that all that follows would be lost. */
export function test_what_is_chosen_replaces_the_rest_of_the_word_and_no_other() {
  const sources = [
    new MemberSource({ chat: { on() {} } }),
    new ConversationSource({}),
    new EmojiSource({ me: { id: 1 } }),
  ];
  for (const { rest } of sources) {
    for (const [text, replaced] of [
      ["ove and more", "ove"],
      ["über", "über"],
      [", more", ""],
      ["元気ですか", ""],
      ["a元気ですか", "a"],
      ["안녕", ""],
    ]) {
      rest.lastIndex = 0;
      equal(rest.exec(text)[0], replaced, text);
    }
  }
}

export function test_suggestions_begin_within_a_text_without_spaces() {
  const begins = (source, text) => source.find(text)?.typed ?? null;
  const [conversations, emoji] = [new ConversationSource({}), new EmojiSource({ me: { id: 1 } })];
  equal([begins(conversations, "今日は#庭"), begins(conversations, "today#garden")], ["庭", null]);
  equal([begins(emoji, "ありがとう:smi"), begins(emoji, "10:smi")], ["smi", null]);
}

function sourceOf(names, may, messages = [], closed = []) {
  const members = names.map((name, index) => ({ user: { id: index + 2, name, hue: 0, picture: null } }));
  const results = members.map((each) => ({ ...each, active: !closed.includes(each.user.name) }));
  return new MemberSource({
    chat: { id: 7, on() {}, store: { messages: () => messages } },
    me: { id: 1 },
    permissions: { can: (word) => may && word === "mention-all" },
    rest: { get: async () => ({ results }) },
  });
}

async function offered(names, typed, may = true) {
  return (await sourceOf(names, may).suggest(typed)).map(({ text }) => text);
}

export async function test_everyone_is_suggested_to_those_who_may_notify_them() {
  for (const [names, typed, expected] of [
    [["Bob"], "", ["@Bob", "@all"]],
    [["Bob", "Alan"], "al", ["@Alan", "@all"]],
    [["Allen"], "all", ["@all", "@Allen"]],
    [["Bob"], "ALL", []], // typed in full
    [["Bob"], "every", ["@all"]],
    [["Bob"], "chan", ["@all"]],
    [["Henry"], "h", ["@Henry"]],
    [["Henry"], "he", ["@Henry", "@all"]],
    [["Bob"], "alle", ["@all"]],
    [["Alle"], "alle", []], // the name of someone
    [["Bob"], "allx", []],
    [["Bob"], "all ", []],
    [[], "", []],
  ]) {
    equal(await offered(names, typed), expected, `@${typed}`);
  }
  equal(await offered(["Bob"], "", false), ["@Bob"]);
  equal(
    [true, false].map((may) => sourceOf(["Allen"], may).isLikely("all")),
    [true, false],
  );
}

export async function test_deactivated_members_are_neither_suggested_nor_counted() {
  const source = sourceOf(["Bob", "Cem"], true, [], ["Cem"]);
  const found = await source.suggest("");
  equal(
    found.map(({ name }) => name),
    ["Bob", "all"],
  );
  equal(found[1].about.match(/\d+/)[0], "1");
}

export async function test_members_who_wrote_last_are_suggested_first() {
  const wrote = (seq, id, kind = "text") => ({ seq, kind, author: id && { id } });
  const messages = [wrote(1, 2), wrote(2, 4), wrote(3, 3, "joined"), wrote(4, null)];
  const source = sourceOf(["Bob", "Cem", "Ben"], false, messages);
  const names = async (typed) => (await source.suggest(typed)).map(({ name }) => name);
  equal(await names(""), ["Ben", "Bob", "Cem"]);
  equal(await names("b"), ["Ben", "Bob"]);
  equal(await names("bo"), ["Bob"]);
}

export async function test_conversations_opened_last_are_suggested_first_after_the_best_matches() {
  const rows = new Map();
  for (const [id, name] of Object.entries({ 1: "Garden", 2: "Old garden", 3: "Gables", 4: "Gate" })) {
    rows.set(Number(id), { id: Number(id), name, kind: "group", access: "open", archived: false });
  }
  localStorage["chatty.recent.test"] = "4,1,2,8,3,";
  const conversationList = { ids: () => [...rows.keys()], get: (id) => rows.get(id) };
  const source = new ConversationSource({ conversationList, scope: "test", chat: { id: 4 } });
  const names = async (typed) => (await source.suggest(typed)).map(({ name }) => name);
  equal(await names(""), ["Garden", "Old garden", "Gables", "Gate"]);
  equal(await names("ga"), ["Garden", "Gables", "Gate", "Old garden"]);
}
