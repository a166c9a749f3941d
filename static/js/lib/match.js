// Fuzzy matching of names, ignoring case and accents.

// Of Chinese, Japanese and Korean, which have no spaces between words. The same as in chatty/common/text.py.
const CJK =
  "\\u2e80-\\u2fdf\\u3005-\\u3007\\u3041-\\u3096\\u309d-\\u309f\\u30a1-\\u30fa\\u30fc-\\u30ff" +
  "\\u3105-\\u312f\\u3131-\\u318e\\u31a0-\\u31bf\\u31f0-\\u31ff\\u3400-\\u4dbf\\u4e00-\\u9fff" +
  "\\uac00-\\ud7a3\\uf900-\\ufaff\\uff66-\\uffdc\\u{20000}-\\u{3ffff}";

/** A pattern for a letter, digit or underscore that is part of a word, so that no other word begins there. */
export const WORD = `(?:(?![${CJK}])[\\p{L}\\p{N}_])`;

// Letters that NFKD does not decompose, and what people type for them.
const PLAIN = { ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i" };

/** Normalise `text` for comparison: "Łódź Straße" equals "lodz strasse". */
export function folded(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replaceAll("ς", "σ") // final sigma depends on where the word ends, and typed text can end anywhere
    .replace(/[ßæœøłđðþı]/g, (letter) => PLAIN[letter])
    .trim();
}

/** Normalise a name for case-insensitive comparison, as conversations/mentions.py does. */
export function caseFolded(text) {
  // Upper-casing expands ligatures and "ß". It skips the dotless "ı", which would become an "i".
  const upper = text.toLowerCase().replace(/[^ı]+/g, (letters) => letters.toUpperCase());
  return upper.toLowerCase().replaceAll("ς", "σ").normalize("NFC");
}

/**
 * How well `name` matches the typed text; lower is better, null is no match.
 * 0: starts with it. 1: each typed word starts a word of the name. 2: contains each typed word.
 * 3: contains the typed letters in this order.
 */
export function rank(name, typed) {
  const all = folded(name);
  const wanted = folded(typed);
  if (all.startsWith(wanted)) return 0;
  const words = wanted.split(/\s+/);
  const starts = all.split(/[^\p{L}\p{N}]+/u);
  if (words.every((word) => starts.some((start) => start.startsWith(word)))) return 1;
  if (words.every((word) => all.includes(word))) return 2;
  return holdsInOrder(all, wanted.replace(/\s+/g, "")) ? 3 : null;
}

function holdsInOrder(all, letters) {
  let from = 0;
  for (const letter of letters) {
    from = all.indexOf(letter, from) + 1;
    if (!from) return false;
  }
  return true;
}
