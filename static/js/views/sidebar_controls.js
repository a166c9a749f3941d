// What people do with the list of conversations: filter it, fold its sections, open the menu of a row. Also the star and
// the bell at the top of a conversation.

import { setFavourite, setLevel } from "chatty/views/own_settings.js";
import { openMenu } from "chatty/views/row_menu.js";
import { t } from "chatty/views/i18n.js";
import { toast } from "chatty/views/toast.js";

const KEPT = 31_536_000; // s: lifetime of the cookie

/** @param {import("chatty/views/page.js").Page} page */
export function use(control, event, page) {
  if (control.matches("[data-filter-name]")) filter(control);
  else if (control.matches("summary")) rememberFold(control.parentElement, event);
  else if (control.matches("[data-toggle]")) toggle(control, page);
  else openMenu(control.closest("li"), event, page);
}

/** Show only some conversations. Again for all. */
function filter(control) {
  const { filterName: name } = control.dataset;
  const sidebar = document.getElementById("sidebar");
  const { dataset } = sidebar;
  dataset.filter = dataset.filter === name ? "" : name;
  const links = [...sidebar.querySelectorAll("[data-filter-name]")];
  for (const link of links) {
    if (link.dataset.filterName === dataset.filter) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  // "Show all conversations" is not shown then.
  if (!control.offsetParent) links.find((link) => link.offsetParent)?.focus();
}

/** Set a cookie, so that the server renders the next page like this. */
function rememberFold({ dataset, open }, event) {
  // While the event is dispatched, the browser has not folded or unfolded it yet.
  const isOpen = event.eventPhase === Event.NONE ? open : !open;
  noteInCookie(dataset.section, isOpen);
}

/**
 * For the server, which then draws the list as it is here: conversations/web/sidebar.py. `name`: of a section, or
 * "narrow".
 */
export function noteInCookie(name, isOn) {
  const cookie = /(?:^|; )sections=([\w.-]*)/.exec(document.cookie)?.[1] ?? "";
  const others = cookie.split("-").filter((each) => each && !each.startsWith(`${name}.`));
  const all = [...others, `${name}.${isOn ? 1 : 0}`].join("-");
  // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API.
  document.cookie = `sections=${all}; path=/; max-age=${KEPT}; samesite=lax`;
}

/** Of the open conversation. The list shows what it is now (sidebar_list.js). */
async function toggle(form, page) {
  const { id } = page.data.conversation;
  const wanted = form.querySelector("button").getAttribute("aria-pressed") !== "true";
  try {
    if (form.dataset.toggle === "favourite") await setFavourite(page, id, wanted);
    else await setLevel(page, id, wanted ? "nothing" : "unmuted");
  } catch (error) {
    toast.error(error.detail ?? t("error.server"));
  }
}
