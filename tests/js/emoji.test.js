import { byCode, findEmoji, parseGroups, plainOf, withTone } from "chatty/lib/emoji.js";
import { loadChoices, noteUse, saveTone } from "chatty/lib/emoji_choices.js";
import { equal } from "tests/assert.js";

const GROUPS = parseGroups({
  groups: [
    [
      "smileys-emotion",
      ["😀\tgrinning face\tcheerful happy\tgrinning", "❤️\tred heart\tlove\theart red_heart"],
    ],
    [
      "people-body",
      ["👍\tthumbs up\tgood yes\t+1 thumbsup\t👍🏻", "🧑‍🤝‍🧑\tpeople holding hands\t\tcouple\t🧑🏻‍🤝‍🧑🏻"],
    ],
    ["animals-nature", ["😹\tcat with tears of joy\t\tjoy_cat", "🐈\tcat\t\tcat2"]],
    ["travel-places", ["🚀\trocket\tspace\trocket", "🎆\tÄpfel Feuerwerk\t\tfireworks"]],
  ],
});

const found = (typed, most = 5) => findEmoji(GROUPS, typed, most).map(({ emoji }) => emoji);

export function test_emoji_are_found_by_shortcodes_names_and_other_words() {
  equal(found("rock"), ["🚀"]);
  equal(found("+1"), ["👍"]);
  equal(found("happy"), ["😀"]);
  equal(found("hands"), ["🧑‍🤝‍🧑"]);
  equal(found("red heart"), ["❤️"]);
  equal(found("red_heart"), ["❤️"]);
  equal(found("apfel"), ["🎆"]);
  equal(found("ocket"), []);
  equal(found(" "), []);
  equal(found("r", 1).length, 1);
}

export function test_shortcode_that_is_typed_in_full_comes_first() {
  equal(found("heart")[0], "❤️");
  equal(byCode(GROUPS, "thumbsup").emoji, "👍");
  equal(byCode(GROUPS, "thumbsu"), undefined);
}

export function test_shorter_names_come_first_of_those_that_begin_with_the_typed_text() {
  equal(found("ca"), ["🐈", "😹"]);
}

export function test_skin_tone_is_applied_to_everyone_in_an_emoji() {
  const [up, people] = GROUPS[1].all;
  equal(withTone(up, 0), "👍");
  equal(withTone(up, 3), "👍🏽");
  equal(withTone(people, 5), "🧑🏿‍🤝‍🧑🏿");
  equal(withTone(GROUPS[0].all[0], 3), "😀");
  equal([plainOf("👍🏽"), plainOf("❤️")], ["👍", "❤"]);
}

export function test_latest_emoji_come_first_and_once_whatever_their_tone() {
  localStorage.removeItem("chatty.emoji.77");
  for (const emoji of ["🚀", "👍", "👍🏽"]) noteUse(77, emoji);
  saveTone(77, 3);
  equal(loadChoices(77), { recent: ["👍🏽", "🚀"], tone: 3 });
  equal(loadChoices(78), { recent: [], tone: 0 });
  localStorage.setItem("chatty.emoji.77", '{"recent": [1, "🚀"], "tone": 9}');
  equal(loadChoices(77), { recent: ["🚀"], tone: 0 });
  localStorage.removeItem("chatty.emoji.77");
}
