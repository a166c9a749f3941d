// A block of code in a message: a button that copies it, and colours once it comes into view. The loader also starts this
// view for reactions with custom emoji, which it passes on: few pages have one.

import { copy } from "chatty/views/copy.js";
import { button, view } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

// Code is split into pieces of a few kinds: "word" (keywords), "name" (what is called or set), "text" (strings)
// and "note" (comments). Each language is one expression, matched from left to right: linear in the length.

const words = (text) => new Set(text.split(" "));

const C_LIKE = words(
  "abstract as async await auto bool boolean break byte case catch char class constexpr continue default defer delete do double else enum export extends extern false final finally float for fn foreach from func function go goto if impl implements import in instanceof int interface internal is lambda let long loop match mod module mut namespace new nil null nullptr of operator override package private protected pub public raise range readonly record ref return sealed select self short signed sizeof static string struct super switch template this throw throws trait true try type typedef typeof undefined union unsafe unsigned use using val var virtual void volatile when where while with yield const",
);
const PYTHON = words(
  "and as assert async await begin break case class continue def del do elif else elsif end ensure except False finally for from global if import in is lambda match module next nil None nonlocal not or pass raise redo require rescue return self super then True try undef unless until when while with yield",
);
const SHELL = words(
  "case cd do done echo elif else esac exit export fi for function if in local read return select set shift source sudo then trap unset until while",
);
const SQL = words(
  "add all alter analyze and any as asc begin between by cascade case cast check column commit concurrently constraint create cross current_date current_timestamp database default delete desc distinct drop else end except exists explain false foreign from full grant group having if ilike in index inner insert intersect into is join key lateral left like limit not null offset on or order outer over partition primary references returning revoke right rollback row select set table then to transaction trigger true union unique update using values view when where window with",
);
const DATA = words("false no null off on true yes");

// A backslash can be the last character, so that no string fails at its end: each of many would be read up to there.
const STRING = String.raw`"(?:[^"\\\n]|\\[^]?)*(?:"|$|(?=\n))|'(?:[^'\\\n]|\\[^]?)*(?:'|$|(?=\n))`;
const BLOCK = String.raw`\/\*[^]*?(?:\*\/|$)`;
const NUMBER = String.raw`\b\d[\w.]*`;
const WORD = String.raw`[\p{L}_$][\p{L}\p{N}_$]*`;
const CALL = String.raw`${WORD}(?=\()`;

/** An expression with the groups note, name, text and word. */
function grammar({ note, name = CALL, text = STRING, word = WORD }) {
  return new RegExp(`(?<note>${note})|(?<name>${name})|(?<text>${text})|${NUMBER}|(?<word>${word})`, "gu");
}

const LANGUAGES = {
  "c cc cpp c++ cs csharp c# dart go golang java javascript js jsx kotlin kt mjs php rs rust scala swift ts tsx typescript":
    {
      keywords: C_LIKE,
      find: grammar({
        note: String.raw`${BLOCK}|\/\/.*`,
        text: String.raw`${STRING}|\x60(?:[^\x60\\]|\\[^]?)*(?:\x60|$)`,
      }),
    },
  "elixir ex gd py python rb ruby": {
    keywords: PYTHON,
    find: grammar({ note: "#.*", text: `"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|${STRING}` }),
  },
  "bash console dockerfile make makefile sh shell zsh": {
    keywords: SHELL,
    find: grammar({
      note: String.raw`(?<![\w$])#.*`,
      name: String.raw`\$\{?\w+\}?|(?<=\s)--?\w[\w-]*`,
    }),
  },
  "sql mysql pgsql plpgsql postgres postgresql sqlite": {
    keywords: SQL,
    find: grammar({ note: `--.*|${BLOCK}`, text: "'(?:[^']|'')*(?:'|$)" }),
  },
  "json json5 jsonc": {
    keywords: DATA,
    find: grammar({ note: String.raw`\/\/.*`, name: String.raw`"(?:[^"\\\n]|\\.)*"(?=\s*:)` }),
  },
  "conf ini properties toml yaml yml": {
    keywords: DATA,
    find: grammar({
      note: String.raw`(?<!\S)[#;].*`,
      name: String.raw`[\w.-]+(?=[ \t]*[:=](?:\s|$))`,
      word: String.raw`[\w.-]+`,
    }),
  },
  "css less scss": {
    keywords: new Set(),
    find: grammar({ note: BLOCK, name: String.raw`[\w-]+(?=\s*:)`, word: String.raw`[\w-]+` }),
  },
  "html svg vue xml": {
    keywords: new Set(),
    find: grammar({ note: "<!--[^]*?(?:-->|$)", name: String.raw`<\/?[\w:-]+|\/?>` }),
  },
  "diff patch": {
    find: /(?<text>^\+.*)|(?<word>^-.*)|(?<note>^@@.*)|(?<name>^(?:diff|index) .*)/gmu,
  },
};
const BY_NAME = new Map(
  Object.entries(LANGUAGES).flatMap(([names, rules]) => names.split(" ").map((name) => [name, rules])),
);

export function connect(block) {
  if (!block.matches(".code")) {
    view("custom_emoji").then(
      ({ observe }) => observe(),
      () => {}, // the window has got "viewerror"
    );
    return null;
  }
  const code = block.querySelector("code");
  block.append(
    button("code__copy", t("code.copy"), () => copy(code.textContent.replace(/\n$/, ""), "copied.code")),
  );
  const watch = new IntersectionObserver(([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    watch.disconnect();
    colour(code, block.dataset.language ?? "");
  });
  watch.observe(block);
  return watch;
}

function colour(code, language) {
  const pieces = tokens(code.textContent, language);
  if (!pieces) return;
  const parts = pieces.map(([kind, text]) => {
    if (!kind) return text;
    const span = document.createElement("span");
    span.className = `code__${kind}`;
    span.textContent = text;
    return span;
  });
  code.replaceChildren(...parts);
}

/** [kind, text] of each piece, where the kind of ordinary text is "". Null for an unknown language. */
export function tokens(code, language) {
  const rules = BY_NAME.get(language.toLowerCase());
  if (!rules) return null;
  const pieces = [];
  let done = 0;
  for (const { 0: found, index, groups } of code.matchAll(rules.find)) {
    const kind = kindOf(found, groups, rules.keywords);
    if (!kind) continue;
    if (index > done) pieces.push(["", code.slice(done, index)]);
    pieces.push([kind, found]);
    done = index + found.length;
  }
  if (done < code.length) pieces.push(["", code.slice(done)]);
  return pieces;
}

function kindOf(found, { note, text, name, word }, keywords) {
  if (note) return "note";
  if (text) return "text";
  // Also in capital letters, as usual in SQL. What looks like a call can be a keyword: "if(".
  const isKeyword = keywords?.has(found) || keywords?.has(found.toLowerCase());
  if (isKeyword || (word && !keywords)) return "word";
  return name ? "name" : "";
}
