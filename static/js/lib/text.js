// The text rules of the server, so that the page can say so before the server has to.

const INVISIBLE =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: single code points are what is meant.
  /[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]+/g;

/** What the server would store: line ends as \n, blank lines at the start and blanks at the end gone. */
export function tidyBody(text) {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/^(?:[^\S\n]*\n)+/, "")
    .trimEnd();
}

/** True when nothing of `text` can be seen. */
export function isBlank(text) {
  return text.replace(INVISIBLE, "") === "";
}

/** Characters as the server counts them: code points of the tidied text, not UTF-16 units. */
export function bodyLength(text) {
  let count = 0;
  for (const _ of tidyBody(text).normalize("NFC")) count += 1;
  return count;
}

/** The words of a message without their Markdown: the server's HTML, read and never shown. */
export function plain({ html, body }) {
  return new DOMParser().parseFromString(html, "text/html").body.textContent.trim() || body;
}

/** One line of at most `limit` characters, for announcements. */
export function excerpt(text, limit = 200) {
  const points = [...text.replace(/\s+/g, " ").trim()];
  return points.length > limit ? `${points.slice(0, limit - 1).join("")}…` : points.join("");
}
