// Signing out removes private data from this browser, and asks first if there is unsent text.

import { view } from "chatty/views/dom.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(form, page) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    // If this fails, the unsent text stays, and the sign-in page says so.
    const isSure = await view("clean_up", { isAwaited: true })
      .then(({ cleanUp }) => cleanUp(page))
      .catch(() => true);
    if (isSure) form.submit();
  });
}
