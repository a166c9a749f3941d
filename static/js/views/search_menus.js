// The menus of filters of the search page: what is typed narrows their choices. Escape closes the open one, and so does
// a press beside it.

import { parsePage } from "chatty/lib/pages.js";

const PAUSE = 150; // ms without typing before the server is asked

/** @param {HTMLElement} filters */
export function connect(filters) {
  const ending = new AbortController();
  const { signal } = ending;
  const open = () => /** @type {HTMLDetailsElement | null} */ (filters.querySelector("details[open]"));
  let pause = 0;
  let asking = new AbortController();
  const narrowAfter = (ms, form) => {
    clearTimeout(pause);
    asking.abort();
    asking = new AbortController();
    // In the pane, links have other addresses than the page.
    pause = setTimeout(() => narrow(form, filters.querySelector("a").href, asking.signal), ms);
  };

  filters.addEventListener(
    "input",
    ({ target }) => narrowAfter(PAUSE, target instanceof Element && target.closest("form")),
    { signal },
  );
  filters.addEventListener(
    "submit",
    (event) => {
      event.preventDefault();
      narrowAfter(0, event.target);
    },
    { signal },
  );
  filters.addEventListener(
    "keydown",
    (event) => {
      const menu = open();
      if (event.key !== "Escape" || event.isComposing || !menu) return;
      event.stopPropagation(); // Escape would also close the pane
      menu.open = false;
      menu.querySelector("summary")?.focus();
    },
    { signal },
  );
  document.addEventListener(
    "pointerdown",
    ({ target }) => {
      const menu = open();
      if (menu && target instanceof Node && !menu.contains(target)) menu.open = false;
    },
    { signal },
  );
  return {
    disconnect() {
      clearTimeout(pause);
      asking.abort();
      ending.abort();
    },
  };
}

/**
 * Show only the choices that fit what is in the form. `page`: an address of the search page.
 * @param {HTMLFormElement} form
 * @param {string} page
 * @param {AbortSignal} signal
 */
async function narrow(form, page, signal) {
  const url = new URL(page);
  url.search = String(
    new URLSearchParams([...new FormData(form), ["part", "menus"]].map((pair) => pair.map(String))),
  );
  const id = form.querySelector("[name=find]").id;
  try {
    const answer = await fetch(url, {
      headers: { Accept: "text/html", "Chatty-Part": "background" },
      signal,
    });
    const drawn = await parsePage(answer);
    const found = answer.ok && choicesOf(drawn.getElementById(id)?.closest("form"));
    if (!found || signal.aborted) return;
    for (const link of found.querySelectorAll("a")) link.href = new URL(link.getAttribute("href"), url).href;
    choicesOf(form).replaceWith(document.importNode(found, true));
  } catch {
    // Without a connection, or too often: the choices stay.
  }
}

function choicesOf(form) {
  return form?.parentElement.querySelector(":scope > :is(ul, p)");
}
