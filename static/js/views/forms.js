// Loads enhancements for form fields on demand: time zone, picture preview, and mention suggestions.

import { view } from "chatty/views/dom.js";

/** Load the time zone and picture enhancements if the page has such fields. */
export function help() {
  if (document.querySelector("[data-time-zone]")) view("zone").then((zone) => zone.offerZone());
  const picture = document.querySelector("input[type=file][data-max]");
  if (picture) view("avatar_preview").then(({ preview }) => preview(picture));
}

/** Load mention suggestions at the first "@". `page`: the arguments of Mentions. */
export function offerMentions(page) {
  const { body } = page.form.elements;
  const ending = new AbortController();
  const look = async () => {
    if (!body.value.includes("@")) return;
    const { Mentions } = await view("mentions");
    if (ending.signal.aborted) return; // already loaded for an earlier keystroke
    ending.abort();
    new Mentions(page).connect();
  };
  body.addEventListener("input", () => look().catch(() => {}), { signal: ending.signal });
}
