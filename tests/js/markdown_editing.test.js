import {
  continueList,
  linkPasted,
  MARKS,
  makeCodeBlock,
  makeLink,
  toggleLines,
  toggleMark,
} from "chatty/lib/markdown_editing.js";
import { equal } from "tests/assert.js";

/** Apply a change to a text in which "[" and "]" are around the selection, or "|" is the caret. */
function changed(marked, changeOf, ...more) {
  const start = marked.search(/[|⟦]/);
  const end = marked.includes("⟧") ? marked.indexOf("⟧") - 1 : start;
  const value = marked.replace(/[|⟦⟧]/g, "");
  const change = changeOf(value, start, end, ...more);
  if (!change) return null;
  const result = value.slice(0, change.from) + change.text + value.slice(change.to);
  const [from, to] = change.select;
  if (from === to) return `${result.slice(0, from)}|${result.slice(from)}`;
  return `${result.slice(0, from)}⟦${result.slice(from, to)}⟧${result.slice(to)}`;
}

export function test_marks_are_put_around_the_selected_words_and_removed_again() {
  const cases = [
    ["a ⟦word⟧", "bold", "a **⟦word⟧**"],
    ["a **⟦word⟧**", "bold", "a ⟦word⟧"],
    ["a ⟦word ⟧b", "bold", "a **⟦word⟧** b"],
    ["a |", "bold", "a **|**"],
    ["a **|**", "bold", "a |"],
    ["**⟦word⟧**", "italic", "***⟦word⟧***"],
    ["***⟦word⟧***", "italic", "**⟦word⟧**"],
    ["*⟦word⟧*", "italic", "⟦word⟧"],
    ["⟦word⟧", "strike", "~~⟦word⟧~~"],
    ["⟦word⟧", "code", "`⟦word⟧`"],
    ["⟦  ⟧", "bold", "**⟦  ⟧**"],
  ];
  for (const [before, name, after] of cases) equal(changed(before, toggleMark, MARKS[name]), after, before);
}

export function test_selected_words_become_a_link() {
  equal(changed("read ⟦this⟧ now", makeLink), "read [this](|) now");
  equal(changed("read ⟦https://example.org/x⟧", makeLink), "read [|](https://example.org/x)");
  equal(changed("|", makeLink), "[](|)");
}

export function test_address_pasted_over_words_becomes_a_link() {
  const pasted = (before, address) => changed(before, linkPasted, address);
  equal(pasted("read ⟦this⟧ now", "https://example.org/x "), "read [this](https://example.org/x)| now");
  equal(pasted("⟦it⟧", "https://example.org/a_(b)"), "[it](<https://example.org/a_(b)>)|");
  equal(pasted("⟦it⟧", "mailto:ann@example.org"), "[it](mailto:ann@example.org)|");
  equal(pasted("⟦it⟧", "javascript:alert(1)"), null);
  equal(pasted("⟦it⟧", "two words"), null);
  equal(pasted("⟦https://example.org⟧", "https://example.org/x"), null);
  equal(pasted("⟦two\nlines⟧", "https://example.org"), null);
  equal(pasted("```\n⟦code⟧\n```", "https://example.org"), null);
}

export function test_lines_become_a_list_or_a_quotation_and_plain_again() {
  equal(changed("⟦one\ntwo⟧", toggleLines, "bullets"), "⟦- one\n- two⟧");
  equal(changed("⟦- one\n- two⟧", toggleLines, "bullets"), "⟦one\ntwo⟧");
  equal(changed("⟦- one\n- two⟧", toggleLines, "numbers"), "⟦1. one\n2. two⟧");
  equal(changed("a\nb|c\nd", toggleLines, "quote"), "a\n> bc|\nd");
  equal(changed("⟦one\n⟧two", toggleLines, "bullets"), "⟦- one⟧\ntwo");
}

export function test_code_block_is_on_lines_of_its_own() {
  equal(changed("see ⟦x = 1⟧ there", makeCodeBlock), "see \n```\n⟦x = 1⟧\n```\n there");
  equal(changed("|", makeCodeBlock), "```\n|\n```");
}

export function test_line_break_continues_a_list() {
  const cases = [
    ["- one|", "- one\n- |"],
    ["  * one|", "  * one\n  * |"],
    ["9. nine|", "9. nine\n10. |"],
    ["1) one|", "1) one\n2) |"],
    ["- one|two", "- one\n- |two"],
    ["> said|", "> said\n> |"],
    ["> - said|", "> - said\n> - |"],
    ["- one\n- |", "- one\n|"],
    ["1. |", "|"],
    ["> |", "|"],
    ["words|", null],
    ["-one|", null],
    ["1984 was|", null],
    ["```\n- one|", null],
    ["- ⟦one⟧", null],
  ];
  for (const [before, after] of cases) equal(changed(before, continueList), after, before);
}
