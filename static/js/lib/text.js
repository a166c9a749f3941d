// The server's rules for message text, checked here first to report errors before sending.

const INVISIBLE =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: matching single code points is intended.
  /[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\u{e0000}-\u{e0fff}]+/gu;

// In JavaScript, U+FEFF is white space. On the server it is an invisible character like others.
const BLANK_LINES = /^(?:[^\S\n\ufeff]*\n)+/;
// With what is before it: otherwise each of many spaces before a word would be tried as the first one.
const SPACE_AT_END = /(\S|\ufeff)[^\S\ufeff]+$/;

// Messages of only a few emoji are shown larger. Arrows and other signs don't count as emoji here, but one can be the
// end of an emoji: a face that shakes its head.
const ONLY_EMOJI =
  /^(?:[\u{1f000}-\u{1faff}]\u200d[\u2194\u2195]|[\u200d\ufe0f\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55\u{1f000}-\u{1faff}\u{e0000}-\u{e0fff}]|(?!\ufeff)\s){1,24}$/u;

/** Tidy text as the server does: \n line endings, no blank lines at the start, no whitespace at the end. */
export function tidyBody(text) {
  return text.replace(/\r\n?/g, "\n").replace(BLANK_LINES, "").replace(SPACE_AT_END, "$1");
}

/** True if `text` has no visible characters. */
export function isBlank(text) {
  return text.replace(INVISIBLE, "") === "";
}

/** True if a message is shown larger. */
export function isOnlyEmoji(text) {
  return ONLY_EMOJI.test(text);
}

/** True if only the beginning of a message is shown at first. */
export function isLong(text) {
  return text.length > 1_500 || text.split("\n").length > 20;
}

/** The length as the server counts it: code points of the tidied text, not UTF-16 units. */
export function bodyLength(text) {
  return [...tidyBody(text).normalize("NFC")].length;
}
