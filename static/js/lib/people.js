// Initials and colours of avatars, as in conversations/web/avatars.py.

/** Up to two letters. */
export function initials(name) {
  const all = name.split(/[^\S\ufeff]+/u).filter(Boolean); // on the server, U+FEFF is not white space
  const spelt = all.filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const words = spelt.length ? spelt : all;
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words.slice(0, 1);
  const shown = letters.map((word) => String.fromCodePoint(word.codePointAt(0)));
  return [...shown.join("").toUpperCase()].slice(0, 2).join("");
}

/** The colour of a conversation, or of a person who has not chosen one. */
export function hueOf(id) {
  return (id * 7) % 12;
}
