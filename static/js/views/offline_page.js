// Draws what was saved for reading offline, as a page of the server would be: from the frame that the service worker
// keeps (templates/offline.html), and rows as live messages are drawn.

import { Times } from "chatty/lib/times.js";
import { parsePage } from "chatty/lib/pages.js";
import { readAll } from "chatty/chat/offline_storage.js";
import { isLiveText } from "chatty/chat/live_text.js";
import { byId, element, fill, fromTemplate, part, setText } from "chatty/views/dom.js";
import { MessageView } from "chatty/views/message.js";
import { showBadge } from "chatty/views/conversation_badge.js";
import { t } from "chatty/views/i18n.js";
import { siteName } from "chatty/views/site_name.js";

const FRAME = "/offline/";
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/**
 * The saved page at `url` for Navigation, {drawn, data, answer}. Null if nothing is saved, or if only this one request
 * has failed: then what is shown stays.
 * @param {URL} url
 * @param {Wire.PageData} base the data of the page that is shown
 */
export async function fetchPage(url, base) {
  if (navigator.onLine && document.documentElement.dataset.connection === "online") return null;
  const saved = await readAll();
  if (saved?.scope !== `${base.user.id}.${base.epoch}`) return null;
  const drawn = await parsePage(await fetch(FRAME));
  if (buildOf(drawn) !== base.build) return null;
  drawn.body.replaceChildren(contentOf(drawn), drawn.getElementById("offline-card"));
  const { data, address } = draw(drawn, url, saved, base);
  return { drawn, data, answer: { url: address.href } };
}

/** The build of the frame. Undefined if it has no place for messages. */
export function buildOf(page) {
  return page.getElementById("offline-frame")?.dataset.build;
}

/** The content of the frame: the body of a page of a conversation without messages. */
export function contentOf(page) {
  return page.importNode(page.getElementById("offline-frame").content, true);
}

/**
 * Fill the content of the frame, in the body of `page`, with what is saved of `url`. Returns the data of the page,
 * and the address at which a permalink is.
 * @param {{ pathname: string, href: string }} url
 */
export function draw(page, url, saved, base) {
  const id = idAt(url, saved);
  const row = saved.conversations.find((each) => each.id === id);
  const copy = row && saved.copies.get(id);
  if (url.pathname === "/") drawList(page);
  else if (!copy) drawCard(page);
  else drawConversation(page, row, copy, base);
  page.title = `${copy ? row.name : page.querySelector("h1").textContent} · ${siteName(page)}`;
  byId(page, "main").dataset.saved = copy?.at ?? saved.at;
  const conversation = copy && {
    id,
    kind: row.kind,
    last_seq: row.last_seq,
    last_read_seq: row.last_read_seq,
    archived: row.archived,
    permissions: {}, // see drawConversation()
    in_archive: [],
    members: null,
    history: copy.history,
  };
  const data = { ...base, conversation: conversation ?? null, conversations: saved.conversations };
  return { data, address: new URL(copy ? `/c/${id}/` : url.pathname, url.href) };
}

/** How old what is shown is: "Offline. Saved 3 hours ago." */
export function ageText(at, now = Date.now()) {
  const age = Math.max(0, now - at); // the clock may have been set back
  const [unit, size] = UNITS.find(([, length]) => age >= length) ?? [];
  if (!unit) return t("offline.now");
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang || "en");
  return t("offline.saved", { age: format.format(-Math.floor(age / size), unit) });
}

/** The id of the conversation at a URL, also of a saved message. */
function idAt({ pathname }, { copies }) {
  const [, kind, id] = pathname.match(/^\/([cm])\/(\d+)\/$/) ?? [];
  if (kind !== "m") return Number(id);
  const holds = ({ history }) => history.messages.some((message) => message.id === Number(id));
  return [...copies.values()].find(holds)?.id;
}

/** As templates/conversations/home.html: the list is the page on a phone. */
function drawList(page) {
  const shell = page.querySelector(".shell");
  const list = page.createElement("main");
  list.id = "main";
  list.className = "shell shell--list";
  list.tabIndex = -1;
  const card = cardOf(page);
  const main = element("div", "main", card);
  list.append(byId(page, "sidebar"), main, byId(page, "details"));
  shell.replaceWith(list);
}

function drawCard(page) {
  byId(page, "main").replaceChildren(cardOf(page));
}

/** The reason why there is nothing to read. */
function cardOf(page) {
  return page.importNode(page.getElementById("offline-card").content, true);
}

function drawConversation(page, row, copy, { user: me }) {
  const main = byId(page, "main");
  const place = byId(main, "conversation");
  const { id, name, topic, archived } = row;
  for (const each of main.querySelectorAll("[href], [action]")) {
    for (const attribute of ["href", "action"]) {
      const address = each.getAttribute(attribute);
      if (address?.startsWith("/c/0/")) each.setAttribute(attribute, address.replace("/c/0/", `/c/${id}/`));
    }
  }
  place.dataset.conversation = byId(main, "composer").dataset.conversation = id;
  place.toggleAttribute("data-archived", archived);
  place.dataset.can = row.can.includes("send") ? "send" : ""; // everything else needs the server
  setText(byId(main, "conversation-name"), name);
  const label = main.querySelector("label[for=composer-body]");
  setText(
    label,
    label.textContent.replace("{name}", () => name),
  );
  byId(main, "composer-body").placeholder = label.textContent;
  main.querySelector(".topbar__about").replaceChildren(topic); // without the number of people
  fill(main, "people-number", "");
  showBadge(main.querySelector(".topbar"), row);
  drawIntro(main, row);
  drawRows(main, row, copy.history.messages, me);
}

function drawRows(main, { archived, last_read_seq: read }, messages, me) {
  const times = new Times({
    zone: me.time_zone,
    cycle: me.hour_cycle,
    language: document.documentElement.lang,
  });
  const view = new MessageView({ me, times, permissions: { archived } });
  const end = byId(main, "newest");
  const unread = messages.find((each) => each.seq > read && isLiveText(each) && each.author?.id !== me.id);
  byId(main, "older")?.remove(); // the timeline decides
  for (const message of messages) {
    if (message === unread) end.before(fromTemplate("new-line-template"));
    end.before(view.draw(message));
  }
}

/** Above the first message. Its sentence depends on who can join, which may have changed. */
function drawIntro(main, row) {
  const intro = part(byId(main, "intro-template").content, "intro");
  setText(part(intro, "intro__name"), row.name);
  part(intro, "intro__text").remove();
  showBadge(intro, row);
}
