// On a page about a conversation, such as its settings: loads it again when what I can do there changes. In the side
// pane, views/pane.js does that.

const RIGHTS = ["role", "access", "archived", "posting", "adding", "inviting", "renaming", "pinning"];

/**
 * @param {HTMLElement} place
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(place, page) {
  const { dataset } = place;
  const { conversationList } = page;
  const id = Number(dataset.conversation);
  const rightsIn = (row) => row && String(RIGHTS.map((name) => row[name]));
  const before = rightsIn(page.data.conversations.find((row) => row.id === id));
  const look = () => {
    const isSame = !before || rightsIn(conversationList.get(id)) === before;
    if (isSame || page.isLeaving || isTouched()) return;
    // The page can also be the answer of a form to another address.
    location.replace(location.pathname === dataset.page ? dataset.page + location.search : dataset.page);
  };
  const stops = [
    conversationList.on("change", (changed) => changed.id === id && look()),
    conversationList.on("removed", (removed) => removed.id === id && look()),
  ];
  document.addEventListener("focusout", look); // what was typed may be gone
  look();
  return {
    disconnect() {
      for (const stop of stops) stop();
      document.removeEventListener("focusout", look);
    },
  };
}

/** Whether something has been entered that loading the page again would discard. */
function isTouched() {
  const fields = /** @type {NodeListOf<HTMLInputElement>} */ (
    document.querySelectorAll("#main input, #main textarea")
  );
  return [...fields].some(
    (field) => field.value !== field.defaultValue || Boolean(field.checked) !== Boolean(field.defaultChecked),
  );
}
