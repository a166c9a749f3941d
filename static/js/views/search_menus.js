// The menus of filters of the search page: Escape closes the open one, and so does a press beside it.

/** @param {HTMLElement} filters */
export function connect(filters) {
  const ending = new AbortController();
  const { signal } = ending;
  const open = () => /** @type {HTMLDetailsElement | null} */ (filters.querySelector("details[open]"));

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
  return { disconnect: () => ending.abort() };
}
