// Finding a name by a few of its letters, however they are accented.

// Letters that no accent can be taken off: they are others, but people look for them like this.
const PLAIN = { ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i" };

/** What `text` is compared as: "Łódź Straße" and "lodz strasse" are the same. */
export function folded(text) {
  return text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replaceAll("ς", "σ") // it depends on where a word ends, and what was typed ends anywhere
    .replace(/[ßæœøłđðþı]/g, (letter) => PLAIN[letter])
    .trim();
}

/** What names are compared as where only case does not matter; conversations/mentions.py does the same. */
export function caseFolded(text) {
  // Upper case takes ligatures and "ß" apart. Not the dotless "ı", which would become an "i".
  const upper = text.toLowerCase().replace(/[^ı]+/g, (letters) => letters.toUpperCase());
  return upper.toLowerCase().replaceAll("ς", "σ").normalize("NFC");
}

/**
 * How well `name` fits what was typed; less is better, null is not at all.
 * 0: it begins with it. 1: its words begin with the typed words. 2: it holds them anywhere.
 * 3: it holds their letters in this order.
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
