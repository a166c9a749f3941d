import { fitting } from "chatty/views/member_source.js";
import { equal } from "tests/assert.js";

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
