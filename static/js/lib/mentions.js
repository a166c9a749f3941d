// Where a text mentions someone, as far as it can be known before it is sent: see conversations/mentions.py.

import { caseFolded, folded, WORD } from "chatty/lib/match.js";

/**
 * A pattern for the "@" before a name: not inside a word, an email address or URL. Of the marks, only variation
 * selectors can end an emoji.
 */
export const START = `(?<!${WORD}|[@＠/+\\\\-]|(?![\ufe00-\ufe0f])[\\p{Mc}\\p{Mn}])[@＠]`;

/** What is written after the "@" to mention everyone. The same as in chatty/common/text.py. */
export const EVERYONE = "all";
const CALL = new RegExp(
  `${START}${EVERYONE}(?!(?!_)${WORD}|[-_@＠][\\p{L}\\p{N}]|(?![\ufe00-\ufe0f])\\p{M})`,
  "giu",
);
const HINTS = ["everyone", "channel", "here", "alle"]; // what people type who want to notify everyone
const HINT_MIN = 2; // letters
// Where no one is mentioned: blocks of code, quotations up to the next empty line, code, addresses.
const SILENT = [
  /^ {0,3}(```|~~~).*?(?:^ {0,3}\1|$(?!.))/gms,
  /^ {0,3}>.*?(?:\n[ \t]*\n|$(?!.))/gms,
  /(?<!`)(`+)(?!`)(?:(?!\n\s*\n).)*?[^`]\1(?!`)/gs,
  /\]\([^)\s]*\)|\bhttps?:\/\/\S+/gi,
];

/** Whether "@all" stands in a text. `names`: of the members, because a longer name wins over it. */
export function callsEveryone(text, names = []) {
  if (!/[@＠]all/i.test(text)) return false; // nearly always
  const spoken = SILENT.reduce((rest, pattern) => rest.replace(pattern, " \n"), text.normalize("NFC"));
  const longer = names.map(caseFolded).filter((name) => name.startsWith(`${EVERYONE} `));
  return [...spoken.matchAll(CALL)].some(({ index }) => {
    const after = caseFolded(spoken.slice(index + 1, index + 100));
    return !longer.some((name) => after.startsWith(name));
  });
}

/** Whether the typed beginning of a name can mean everyone, and is not the name of someone. */
export function canMeanEveryone(typed, names) {
  const wanted = folded(typed);
  const hints = wanted.length < HINT_MIN ? [EVERYONE] : [EVERYONE, ...HINTS];
  if (/\s/.test(typed) || !hints.some((hint) => hint.startsWith(wanted))) return false;
  return wanted === EVERYONE || !names.some((name) => caseFolded(name) === caseFolded(typed));
}
