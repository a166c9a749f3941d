// What scripts add to forms, loaded where it is wanted: a time zone, a look at a picture before it is
// sent, and in the composer the names of who can be called.

import { view } from "chatty/views/dom.js";

/** On pages with such fields. */
export function help() {
  if (document.querySelector("[data-time-zone]")) view("zone").then((zone) => zone.offerZone());
  const picture = document.querySelector("input[type=file][data-max]");
  if (picture) view("avatar_preview").then(({ preview }) => preview(picture));
}

/** From the first "@" on. `page`: as of Mentions. */
export function offerMentions(page) {
  const { body } = page.form.elements;
  const ending = new AbortController();
  const look = async () => {
    if (!body.value.includes("@")) return;
    const { Mentions } = await view("mentions");
    if (ending.signal.aborted) return; // two letters, one load
    ending.abort();
    new Mentions(page).connect();
  };
  body.addEventListener("input", () => look().catch(() => {}), { signal: ending.signal });
}
