// The rows of the list of conversations: order, sections, unread counts, and the last message of each. Has the same
// golden cases as conversations/web/sidebar.py.

import { notifiableCount } from "chatty/chat/conversation_list.js";
import { Drafts } from "chatty/chat/drafts.js";
import { Times } from "chatty/lib/times.js";
import { fill, fromTemplate, part, setText, slot, view } from "chatty/views/dom.js";
import { showBadge } from "chatty/views/conversation_badge.js";
import { noticeText, t } from "chatty/views/i18n.js";
import { shortMoment } from "chatty/views/short_moment.js";

const TYPING_FADES = 5_000; // ms after the last `typing` frame
const AGING = 60_000; // ms between two looks at whether times are of yesterday now
const MEMBERS_CHANGED = ["added", "joined", "left", "removed"];

export class SidebarList {
  #conversationList;
  #page;
  #drafts;
  #me;
  #times;
  #list;
  #current = null; // id of the open conversation
  #known = new Map(); // id -> {last, at}: the last message that was received, and when the last text was sent
  #typing = new Map(); // id -> Map(user id -> {name, timer})
  #drafted = new Set(); // ids of rows that show a draft
  #today;
  #zone; // that the times are shown in
  #filesPreview; // of files_preview.js, once there was a message that only has files

  /** @param {{ conversationList: any, me: any, scope?: string, data?: any, times?: Times, conversation?: any }} page */
  constructor(page) {
    const { conversationList, me, scope = "" } = page;
    this.#page = page;
    this.#conversationList = conversationList;
    this.#drafts = new Drafts(scope);
    this.#me = me;
    const { lang: language } = document.documentElement;
    this.#times = page.times ?? new Times({ zone: me.time_zone, cycle: me.hour_cycle, language });
    this.#list = document.getElementById("conversations");
    this.#today = this.#times.dayKey(Date.now());
    this.#zone = me.time_zone || deviceZone();
  }

  connect() {
    this.#current = this.#page.data?.conversation?.id ?? null;
    setInterval(() => this.#age(), AGING);
    document.addEventListener("visibilitychange", () => this.#age());
    addEventListener("storage", ({ key }) => key?.startsWith("chatty.draft.") && this.showDrafts());
  }

  /** Mark the open conversation, if there is one, instead of the page that was marked. */
  setCurrent() {
    const id = this.#page.data?.conversation?.id ?? null;
    this.#current = id;
    for (const link of document.querySelectorAll("#sidebar [aria-current=page]")) {
      link.removeAttribute("aria-current");
    }
    const link = this.#row(id)?.querySelector("a");
    link?.setAttribute("aria-current", "page");
    const section = link?.closest("details");
    if (section) section.open = true;
    link?.scrollIntoView({ block: "nearest" });
    this.showDrafts();
  }

  /** The window is narrow now, or not any more: groups and direct messages are one section, or two. */
  arrange(isNarrow) {
    document.getElementById("sidebar").toggleAttribute("data-narrow", isNarrow);
    view("sidebar_controls").then(({ noteInCookie }) => noteInCookie("narrow", isNarrow));
    for (const id of this.#conversationList.ids()) this.update({ id });
  }

  // Changes

  update({ id }) {
    const data = this.#conversationList.get(id);
    if (!this.#list || !data?.name) return;
    const row = this.#row(id) ?? this.#newRow(data);
    fill(row, "name", data.name);
    showBadge(row, data);
    showArchived(row, data.archived);
    showCounts(row, data);
    this.#showStatus(row, data);
    this.#showLast(row, data);
    this.#place(row, data);
    this.#showNumbers();
    if (id === this.#current) showAtTop(data);
  }

  remove({ id }) {
    const row = this.#row(id);
    const section = row?.closest("details");
    row?.remove();
    if (section) hideIfEmpty(section);
    this.#showNumbers();
  }

  /** `messages`: those that have changed, of any age. */
  applyMessages({ id, messages }) {
    const known = this.#knownOf(this.#conversationList.get(id) ?? { id });
    for (const message of messages) {
      if (isLater(message, known.last)) known.last = message;
      if (message.kind === "text") known.at = Math.max(known.at, Date.parse(message.created_at));
      if (message.author) this.#stopTyping(id, message.author.id);
    }
    this.update({ id });
    const isTitledByPeople = this.#conversationList.get(id)?.unnamed;
    if (isTitledByPeople && messages.some(({ kind }) => MEMBERS_CHANGED.includes(kind))) {
      this.#conversationList.emit("recount", { id });
    }
  }

  typing({ conversation: id, user }) {
    if (user.id === this.#me.id) return;
    const people = this.#typing.get(id) ?? new Map();
    this.#typing.set(id, people);
    clearTimeout(people.get(user.id)?.timer);
    const timer = setTimeout(() => this.#stopTyping(id, user.id), TYPING_FADES);
    people.set(user.id, { name: user.name, timer });
    this.#redraw(id);
  }

  /** Someone has another name or status. */
  person({ user, status }) {
    for (const place of document.querySelectorAll(`[data-status-of="${user.id}"]`)) {
      /** @type {HTMLElement} */ (place).hidden = !status;
      setText(place, status ? `${status.emoji} ${status.text}` : "");
    }
    for (const id of this.#conversationList.ids()) {
      const data = this.#conversationList.get(id);
      const known = this.#knownOf(data);
      const isOther = data.other?.id === user.id;
      const isAuthor = known.last?.author?.id === user.id;
      if (isOther) data.status = status;
      if (isAuthor) known.last = { ...known.last, author: { ...known.last.author, name: user.name } };
      if (isOther || isAuthor) this.update({ id });
    }
  }

  /** Show the drafts of conversations that are not open. */
  showDrafts() {
    const before = this.#drafted;
    this.#drafted = new Set(this.#drafts.names().map(Number));
    for (const id of new Set([...before, ...this.#drafted])) this.#redraw(id);
  }

  // Internal

  #row(id) {
    return this.#list?.querySelector(`[data-conversation="${id}"]`);
  }

  #newRow({ id, kind, other, unnamed }) {
    const row = fromTemplate("sidebar-row-template");
    row.dataset.conversation = id;
    row.dataset.kind = unnamed ? "direct" : kind;
    const [link, more] = row.querySelectorAll("a");
    link.href = `/c/${id}/`;
    more.href = `/c/${id}/options/`;
    if (id === this.#current) link.setAttribute("aria-current", "page");
    if (kind === "direct") part(row, "avatar").dataset.person = other?.id;
    document.querySelector(".sidebar__empty")?.remove();
    return row;
  }

  /** What is known of the last message. The server's own, from the page or an answer, can be newer. */
  #knownOf({ id, last = null, last_text_at: at = "" }) {
    const known = this.#known.get(id) ?? { last, at: 0 };
    if (last && isLater(last, known.last)) known.last = last;
    known.at = Math.max(known.at, Date.parse(at) || 0);
    this.#known.set(id, known);
    return known;
  }

  #stopTyping(id, user) {
    const people = this.#typing.get(id);
    clearTimeout(people?.get(user)?.timer);
    if (people?.delete(user)) this.#redraw(id);
  }

  #redraw(id) {
    const row = this.#row(id);
    const data = this.#conversationList.get(id);
    if (row && data) this.#showLast(row, data);
  }

  #showLast(row, data) {
    const { last, at } = this.#knownOf(data);
    const moment = last?.created_at ?? (at ? new Date(at).toISOString() : data.last_text_at);
    if (last?.files && !this.#filesPreview) this.#loadFilesPreview(data.id);
    const time = slot(row, "time");
    time.setAttribute("datetime", moment);
    setText(time, shortMoment(moment, this.#times));
    const names = [...(this.#typing.get(data.id)?.values() ?? [])].map(({ name }) => firstWord(name));
    const draft = data.id !== this.#current && this.#drafted.has(data.id) && this.#drafts.read(data.id)?.body;
    row.classList.toggle("row--typing", names.length > 0);
    row.classList.toggle("row--draft", Boolean(!names.length && draft));
    /** @type {ReturnType<typeof previewOf>} */
    const shown = names.length
      ? { text: names.length > 1 ? t("typing.several") : t("typing.one", { name: names[0] }) }
      : draft
        ? { icon: "pencil", who: t("draft"), text: draft }
        : previewOf(data, last, this.#me.id, this.#filesPreview);
    const { icon = "", who = "", text, isDeleted = false } = shown;
    showIcon(slot(row, "last"), icon);
    slot(row, "who").hidden = !who;
    fill(row, "who", who && `${who}:`);
    fill(row, "text", text);
    slot(row, "last").classList.toggle("row__last--deleted", isDeleted);
  }

  /** Until then, the names of the files are shown. */
  #loadFilesPreview(id) {
    view("files_preview").then(
      ({ filesPreview }) => {
        this.#filesPreview = filesPreview;
        this.#redraw(id);
      },
      () => {},
    );
  }

  /** What the other person is up to, until it ends. */
  #showStatus(row, { other, status }) {
    const isShown = status && other?.id !== this.#me.id && !isOver(status.until);
    const place = slot(row, "status");
    place.hidden = !isShown;
    setText(place, isShown ? status.emoji || "💬" : "");
    if (isShown) place.title = status.text;
    else place.removeAttribute("title");
  }

  /** How many conversations the filters would show. */
  #showNumbers() {
    for (const place of document.querySelectorAll("[data-counts]")) {
      const { counts } = /** @type {HTMLElement} */ (place).dataset;
      setText(place, String(this.#list?.querySelectorAll(counts).length || ""));
    }
  }

  /** Put a row where it belongs. If it contains the focus, keep it. */
  #place(row, data) {
    const own = sectionOf(data);
    const name = own === "direct" && this.#list.closest("[data-narrow]") ? "conversations" : own;
    const section = this.#list.querySelector(`[data-section="${name}"]`);
    const rows = section.querySelector("ul");
    const before = row.closest("details");
    const order = this.#orderOf(data);
    const next = [...rows.children].find((each) => {
      const id = Number(each.dataset.conversation);
      return each !== row && isBefore(order, this.#orderOf(this.#conversationList.get(id) ?? { id }));
    });
    if (row.parentElement !== rows || row.nextElementSibling !== (next ?? null)) {
      const active = /** @type {HTMLElement} */ (document.activeElement);
      const focused = row.contains(active) ? active : null;
      rows.insertBefore(row, next ?? null);
      focused?.focus({ preventScroll: true });
    }
    section.hidden = false;
    if (data.id === this.#current && before !== section) section.open = true;
    if (before && before !== section) hideIfEmpty(before);
  }

  /** Of rows in a section: muted ones last, then the latest message first. */
  #orderOf(data) {
    return [Number(data.level === "nothing"), -this.#knownOf(data).at, -data.id];
  }

  /** Statuses end. At midnight, times become "Yesterday". The device's time zone can change. */
  #age() {
    const zone = this.#me.time_zone || deviceZone();
    const isElsewhere = zone !== this.#zone;
    if (isElsewhere) this.#moveTo(zone);
    const today = this.#times.dayKey(Date.now());
    const isNewDay = today !== this.#today;
    this.#today = today;
    for (const id of this.#conversationList.ids()) {
      if (isElsewhere || isNewDay || this.#conversationList.get(id).status?.until) this.update({ id });
    }
  }

  #moveTo(zone) {
    this.#zone = zone;
    this.#times.renew();
    // As if every message that is shown had changed: its time is drawn again, and the days are.
    const { store } = this.#page.conversation?.chat ?? {};
    store?.emit("change", { ids: store.messages().map(({ id }) => id), keys: [], replaced: false });
  }
}

function deviceZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `moment`: null for never. */
function isOver(moment) {
  const now = Date.now();
  return Boolean(moment) && Date.parse(moment) <= now;
}

function isBefore(one, other) {
  const index = one.findIndex((value, at) => value !== other[at]);
  return index >= 0 && one[index] < other[index];
}

/** Whether a message is after `last`, or a newer version of it. */
function isLater(message, last) {
  if (!last) return true;
  return message.seq > last.seq || (message.seq === last.seq && message.version > last.version);
}

export function sectionOf({ archived, favourite, kind, unnamed }) {
  if (archived) return "archive";
  if (favourite) return "favourites";
  return kind === "direct" || unnamed ? "direct" : "conversations";
}

/**
 * The second line of a row: who wrote, if that is not clear, and what.
 * @returns {{ icon?: string, who?: string, text: string, isDeleted?: boolean }}
 */
function previewOf({ other }, last, me, filesPreview) {
  if (!last) return { text: "" };
  if (last.notice) return { text: noticeText(last) };
  const { author, deleted_at: deleted } = last;
  const isClear = !author || author.id === other?.id;
  const who = isClear ? "" : author.id === me ? t("you") : firstWord(author.name);
  if (deleted) return { who, text: t("message.deleted"), isDeleted: true };
  return { who, text: last.excerpt, ...filesPreview?.(last) };
}

/** `name`: of a symbol of the page, or "" for none. */
function showIcon(place, name) {
  part(place, "icon")?.remove();
  if (!name) return;
  const [icon] = part(fromTemplate("sidebar-row-template"), "row__bell").children;
  icon.firstElementChild.setAttribute("href", `#i-${name}`);
  place.prepend(icon);
}

function firstWord(name) {
  return name.split(/\s+/).find(Boolean) ?? name;
}

function hideIfEmpty(section) {
  section.hidden = !section.querySelector("li");
}

function showCounts(row, data) {
  const { level, mentions = [], unread, unread_more: more } = data;
  const isSilent = level === "nothing";
  row.classList.toggle("row--unread", unread > 0);
  row.classList.toggle("row--muted", !notifiableCount(data));
  row.classList.toggle("row--mentioned", mentions.length > 0);
  row.classList.toggle("row--silent", isSilent);
  slot(row, "muted").hidden = !isSilent;
  slot(row, "mentions").hidden = !mentions.length;
  fill(row, "mentions-count", `@${mentions.length}`);
  slot(row, "unread").hidden = !unread;
  fill(row, "unread-count", `${unread}${more ? "+" : ""}`);
}

/** The star and the bell at the top of the open conversation, and its avatar: a name makes another one. */
function showAtTop(row) {
  const { favourite, level, kind } = row;
  const top = document.querySelector(".topbar");
  if (top && kind === "group") showBadge(top, row);
  for (const form of document.querySelectorAll("[data-toggle]")) {
    const { toggle, on, off } = /** @type {HTMLElement} */ (form).dataset;
    const isOn = toggle === "favourite" ? favourite : level === "nothing";
    const button = form.querySelector("button");
    button.setAttribute("aria-pressed", String(isOn));
    button.title = isOn ? on : off;
    setText(part(button, "visually-hidden"), button.title);
  }
}

function showArchived(row, isArchived) {
  row.classList.toggle("row--archived", isArchived);
  const mark = part(row, "row__mark");
  if (!isArchived) mark?.remove();
  else if (!mark) slot(row, "status").after(part(fromTemplate("sidebar-row-template"), "row__mark"));
}
