// Loads what helps to write once it is needed, in the composer and in the editors of messages: suggestions, and for
// the composer formatting and the picker of emoji.

import { slot, view } from "chatty/views/dom.js";

/** `page`: what the views get, see suggestions.js and formatting.js. Returns {disconnect}. */
export function startWriting(page) {
  const { form } = page;
  const { body } = form.elements;
  const ending = new AbortController();
  const { signal } = ending;
  const parts = {}; // a promise of what connect() of each view returned
  const start = ({ connect }) => (signal.aborted ? null : connect(page));
  const load = (name) => {
    parts[name] ??= view(name, { isAwaited: true }).then(start);
    return parts[name].catch(() => (parts[name] = null)); // for another attempt
  };
  const onInput = () => /[@#:]/.test(body.value) && load("suggestions");
  const onClick = ({ target }) => {
    const press = target.closest("[data-tool]");
    if (press) load("formatting").then((part) => part?.[press.dataset.tool](press));
  };
  form.addEventListener("input", onInput, { signal });
  form.addEventListener("change", onInput, { signal }); // also a draft, of which it is said what "@all" will do
  onInput();
  const bar = slot(form, "format");
  if (bar) {
    body.addEventListener("focus", () => load("formatting"), { signal });
    form.addEventListener("click", onClick, { signal });
    if (document.activeElement === body || !bar.hidden) load("formatting");
  }
  return {
    disconnect() {
      ending.abort();
      for (const part of Object.values(parts)) part?.then((it) => it?.disconnect());
    },
  };
}
