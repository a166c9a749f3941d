// The quick switcher: finds conversations and people by a few letters of their names.

import { rank } from "chatty/lib/match.js";
import { recent } from "chatty/lib/recent.js";
import { element, fill, fromTemplate, slot } from "chatty/views/dom.js";
import { go } from "chatty/views/go.js";
import { showAvatar } from "chatty/views/avatar.js";
import { showBadge } from "chatty/views/conversation_badge.js";
import { t } from "chatty/views/i18n.js";

const PAUSE = 150; // ms without typing before the server is asked
const CONVERSATIONS = 30; // shown
const PEOPLE = 12;

/** Start in the open dialog, with what has already been typed. */
export function fillIn(dialog, page, isEntered) {
  new Switcher(dialog, page, isEntered).connect();
}

class Switcher {
  #me;
  #rest;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #dialog;
  #box;
  #list;
  #conversations = new Map(); // id -> entry
  #isPartial = false; // there are more conversations than in the sidebar
  #people = new Map(); // id -> person, of all results so far
  #moreThere = false; // there are more people than fit on one page of results
  #timer = null;
  #requests = 0; // without an answer yet
  #error = "";
  #recent; // ids of conversations, opened last first
  #isEntered; // Enter was pressed before there were any results
  #hasMoved = false; // to another option with the arrow keys

  constructor(dialog, { me, rest, conversationList, scope }, isEntered) {
    this.#recent = recent(scope);
    this.#isEntered = isEntered;
    this.#dialog = dialog;
    this.#box = dialog.querySelector("input");
    this.#list = slot(dialog, "options");
    this.#me = me.id;
    this.#rest = rest;
    this.#conversationList = conversationList;
  }

  connect() {
    const dialog = this.#dialog;
    dialog.addEventListener("close", () => clearTimeout(this.#timer));
    dialog.addEventListener("keydown", (event) => this.#onKeydown(event));
    dialog.addEventListener("click", (event) => this.#onClick(event));
    this.#box.addEventListener("input", () => this.#onInput());
    this.#conversations = this.#readList();
    this.#isPartial = Boolean(document.querySelector(".sidebar__all"));
    this.#find("");
    this.#show();
  }

  // Internal: data

  /** The conversations in the sidebar, in its order. */
  #readList() {
    const rows = [...document.querySelectorAll("#conversations [data-conversation]")];
    return new Map(
      rows.map((row) => {
        const id = Number(row.dataset.conversation);
        return [id, entryOf(this.#conversationList.get(id), row)];
      }),
    );
  }

  /** Ask the server for what is not known yet. Without a text, for the first people. */
  async #find(text) {
    this.#requests += 1;
    const answers = await Promise.allSettled([
      (!text || this.#moreThere) && this.#findPeople(text),
      text && this.#isPartial && this.#findConversations(text),
    ]);
    this.#requests -= 1;
    this.#error = "";
    for (const answer of answers) {
      if (answer.status === "rejected") this.#error = answer.reason.detail ?? t("error.server");
    }
    if (this.#dialog.open) this.#show();
  }

  async #findPeople(text) {
    const { results, next } = await this.#rest.get("users/", { q: text || undefined });
    for (const person of results) this.#people.set(person.id, person);
    if (text || !next) return;
    this.#moreThere = true;
    if (this.#text) this.#find(this.#text); // already typed
  }

  async #findConversations(text) {
    const { results } = await this.#rest.get("conversations/", { q: text, limit: CONVERSATIONS });
    for (const found of results) {
      if (!this.#conversations.has(found.id)) this.#conversations.set(found.id, entryOf(found));
    }
  }

  // Internal: matching

  get #text() {
    return this.#box.value.trim();
  }

  #matching(all, weigh) {
    return all
      .map((each) => ({ ...each, rank: rank(each.name, this.#text) }))
      .filter((each) => each.rank !== null)
      .sort((a, b) => a.rank - b.rank || weigh(a, b));
  }

  /** 0: opened last. */
  #lastUse({ conversation }) {
    const place = this.#recent.indexOf(conversation);
    return place < 0 ? this.#recent.length : place;
  }

  #groups() {
    const isTyped = Boolean(this.#text);
    const unreadFirst = (a, b) =>
      (!isTyped && Number(a.isCurrent) - Number(b.isCurrent)) ||
      Number(Boolean(b.unread)) - Number(Boolean(a.unread)) ||
      this.#lastUse(a) - this.#lastUse(b);
    const conversations = this.#matching([...this.#conversations.values()], unreadFirst).slice(
      0,
      CONVERSATIONS,
    );
    if (!isTyped && conversations.length) return [["switcher.conversations", conversations]];
    const known = new Set([...this.#conversations.values()].map(({ person }) => person));
    const others = [...this.#people.values()].filter(({ id }) => !known.has(id));
    const people = this.#matching(others, (a, b) => a.name.localeCompare(b.name)).slice(0, PEOPLE);
    // The best match first, which Enter opens: "Ann" rather than "Planning". If both match as well, the conversation.
    return [
      ["switcher.conversations", conversations],
      ["switcher.people", people],
    ]
      .filter(([, found]) => found.length)
      .sort(([, [one]], [, [other]]) => one.rank - other.rank);
  }

  // Internal: rendering

  #show() {
    const chosen = this.#hasMoved && this.#chosen?.dataset.is;
    const groups = this.#groups();
    this.#list.replaceChildren(...groups.map(([title, found]) => this.#drawGroup(title, found)));
    const options = this.#options;
    this.#box.setAttribute("aria-expanded", String(options.length > 0));
    for (const [index, option] of options.entries()) option.id = `option-${index}`;
    this.#choose(options.find((option) => option.dataset.is === chosen) ?? options[0]);
    if (this.#isEntered) this.#enter();
    const isDone = !this.#requests && !this.#timer;
    const none = this.#text && !options.length && isDone ? t("switcher.none", { text: this.#text }) : "";
    fill(this.#dialog, "status", this.#error || none);
  }

  #drawGroup(title, found) {
    const heading = element("div", "switcher__heading", t(title));
    heading.setAttribute("aria-hidden", "true");
    const group = element("div", "", heading, ...found.map((each) => this.#drawOption(each)));
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", t(title));
    return group;
  }

  #drawOption({ id, name, url, unread, number, avatar, hue, picture }) {
    const option = fromTemplate("option-template");
    option.prepend(avatar ?? element("span"));
    if (!avatar) showAvatar(option.firstElementChild, { name, hue, picture });
    fill(option, "name", id === this.#me ? t("switcher.me", { name }) : name);
    slot(option, "unread").hidden = !unread;
    if (unread) fill(option, "unread-count", number);
    option.dataset.is = url ?? id;
    if (url) option.dataset.url = url;
    else option.dataset.user = id;
    return option;
  }

  get #options() {
    return [...this.#list.querySelectorAll("[role=option]")];
  }

  get #chosen() {
    return this.#list.querySelector("[aria-selected=true]");
  }

  #choose(option) {
    this.#chosen?.removeAttribute("aria-selected");
    if (!option) {
      this.#box.removeAttribute("aria-activedescendant");
      return;
    }
    option.setAttribute("aria-selected", "true");
    this.#box.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  // Internal: user input

  #onInput() {
    this.#isEntered = this.#hasMoved = false;
    this.#choose(null); // select the best match, not the previous selection
    clearTimeout(this.#timer);
    this.#timer = null;
    const text = this.#text;
    if (text && (this.#moreThere || this.#isPartial)) {
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#find(text);
      }, PAUSE);
    }
    this.#show();
  }

  #onKeydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const options = this.#options;
      const next = options.indexOf(this.#chosen) + step;
      this.#choose(options.at(next % options.length));
      this.#hasMoved = true;
    } else if (event.key === "Enter") {
      this.#enter();
    } else if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
      this.#dialog.close();
    } else {
      return;
    }
    event.preventDefault();
  }

  #onClick(event) {
    const option = event.target.closest("[role=option]");
    if (option) this.#go(option);
  }

  /** Go to the selected option, or to the best match as soon as there is one. */
  #enter() {
    this.#isEntered = !this.#chosen;
    this.#go(this.#chosen);
  }

  async #go(option) {
    if (!option || this.#list.getAttribute("aria-busy") === "true") return;
    this.#choose(option);
    let { url } = option.dataset;
    if (!url) {
      this.#list.setAttribute("aria-busy", "true");
      try {
        const given = { user: Number(option.dataset.user) };
        url = `/c/${(await this.#rest.post("conversations/direct/", given)).id}/`;
      } catch (error) {
        fill(this.#dialog, "status", error.detail ?? t("error.server"));
        return;
      } finally {
        this.#list.removeAttribute("aria-busy");
      }
    }
    this.#dialog.close();
    go(url);
  }
}

/** A conversation as it is listed. `row`: of the sidebar, if it is there. */
function entryOf(conversation, row = fromTemplate("sidebar-row-template")) {
  const { id, name, unread, unread_more: more, other } = conversation;
  const isListed = row.isConnected;
  if (!isListed) showBadge(row, conversation);
  return {
    name,
    conversation: id,
    url: new URL(`/c/${id}/`, location.origin).href,
    unread,
    number: `${unread}${more ? "+" : ""}`,
    person: other?.id ?? null,
    isCurrent: isListed && row.querySelector("a").hasAttribute("aria-current"),
    avatar: isListed ? slot(row, "badge").cloneNode(true) : slot(row, "badge"),
  };
}
