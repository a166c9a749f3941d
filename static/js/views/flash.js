// The result of the last action, such as a welcome. It goes once a message is sent below it.

/** @param {HTMLElement} element */
export function connect(element) {
  const ending = new AbortController();
  const remove = ({ target }) => target.id === "composer" && element.remove();
  document.addEventListener("submit", remove, { signal: ending.signal });
  return { disconnect: () => ending.abort() };
}
