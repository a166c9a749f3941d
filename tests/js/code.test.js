import { tokens } from "chatty/views/code.js";
import { equal } from "tests/assert.js";

/** The pieces that are not ordinary text, as "kind: text". */
function marked(language, code) {
  const pieces = tokens(code, language);
  equal(pieces.map(([, text]) => text).join(""), code);
  return pieces.filter(([kind]) => kind).map((piece) => piece.join(": "));
}

export function test_each_language_has_its_words_names_strings_and_comments() {
  equal(marked("SQL", "SELECT name -- it's\n from t where a = 'it''s';"), [
    "word: SELECT",
    "note: -- it's",
    "word: from",
    "word: where",
    "text: 'it''s'",
  ]);
  equal(marked("python", 'def f(x):\n  """a\n  b"""\n  return g("\\"#") # c'), [
    "word: def",
    "name: f",
    'text: """a\n  b"""',
    "word: return",
    "name: g",
    'text: "\\"#"',
    "note: # c",
  ]);
  equal(marked("js", "if(a) b(`x`) /* c\n */ // d"), [
    "word: if",
    "name: b",
    "text: `x`",
    "note: /* c\n */",
    "note: // d",
  ]);
  equal(marked("json", '{"a": "b", "c": true}'), ['name: "a"', 'text: "b"', 'name: "c"', "word: true"]);
  equal(marked("yaml", "a-b: yes # c"), ["name: a-b", "word: yes", "note: # c"]);
  equal(marked("html", '<a href="x">y</a><!-- z -->'), [
    "name: <a",
    'text: "x"',
    "name: >",
    "name: </a",
    "name: >",
    "note: <!-- z -->",
  ]);
  equal(marked("diff", "@@ 1 @@\n-a\n+b\n c"), ["note: @@ 1 @@", "word: -a", "text: +b"]);
  equal(marked("sh", "git commit --amend $HOME # x"), ["name: --amend", "name: $HOME", "note: # x"]);
}

export function test_unclosed_strings_reach_up_to_the_end_of_the_line_or_the_code() {
  equal(marked("js", "'a\n`b"), ["text: 'a", "text: `b"]);
  for (const quote of ["'", '"', "`"]) {
    const code = `\\${quote}`.repeat(3);
    equal(marked("js", `${code}\\`), [`text: ${code.slice(1)}\\`]);
  }
}

export function test_unknown_languages_are_not_highlighted() {
  equal(tokens("x", "klingon"), null);
  equal(tokens("x", ""), null);
}

/** Nothing in a message may take long in the browsers of its readers. */
export function test_repeated_code_takes_time_in_proportion_to_its_length() {
  const units = [
    "a",
    "a-",
    '"',
    "'",
    "`",
    "/*",
    "<!--",
    "<",
    "$",
    '"""',
    "\\",
    "a(",
    " ",
    "\n",
    '"a ',
    "a:",
    "é",
  ];
  const slow = [];
  for (const language of ["js", "py", "sql", "json", "yaml", "html", "sh", "css", "diff"]) {
    for (const unit of units) {
      const code = unit.repeat(40_000 / unit.length);
      const began = performance.now();
      marked(language, code);
      if (performance.now() - began > 1_000) slow.push(`${language}: ${unit}`);
    }
  }
  equal(slow, []);
}
