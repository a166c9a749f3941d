// Replaces the content of the page by that of another page, except for the sidebar.

/** `drawn`: the document of the other page, as the server rendered it. The side pane stays, too. */
export function swap(drawn) {
  document.getElementById("unsent")?.remove(); // shown again where it belongs now
  const pane = document.getElementById("details");
  const [shell, other] = [document, drawn].map((page) => page.querySelector(".shell"));
  if (shell.classList.contains("shell--list") === other.classList.contains("shell--list")) {
    const main = drawn.getElementById("main");
    document.getElementById("main").replaceWith(document.importNode(main, true));
    const theirs = drawn.getElementById("details");
    if (theirs && !pane) shell.append(document.importNode(theirs, true));
    return;
  }
  // The list of conversations is a page of its own, with the sidebar inside #main.
  const sidebar = document.getElementById("sidebar");
  const list = sidebar.querySelector(".sidebar__list");
  const { scrollTop } = list;
  const made = document.importNode(other, true);
  shell.replaceWith(made);
  made.querySelector("#sidebar").replaceWith(sidebar);
  if (pane) made.querySelector("#details").replaceWith(pane);
  list.scrollTop = scrollTop;
}
