// The cookie with which the server draws the list of conversations as it is here: conversations/web/sidebar.py.

const KEPT = 31_536_000; // s

/** `name`: of a section, or "narrow". */
export function note(name, isOn) {
  const cookie = /(?:^|; )sections=([\w.-]*)/.exec(document.cookie)?.[1] ?? "";
  const others = cookie.split("-").filter((each) => each && !each.startsWith(`${name}.`));
  const all = [...others, `${name}.${isOn ? 1 : 0}`].join("-");
  // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API.
  document.cookie = `sections=${all}; path=/; max-age=${KEPT}; samesite=lax`;
}
