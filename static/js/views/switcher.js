// The quick switcher: finds conversations and people by a few letters of their names.

import { rank } from "chatty/lib/match.js";
import { element, fill, fromTemplate, slot } from "chatty/views/dom.js";
import { showAvatar } from "chatty/views/avatar.js";
import { t } from "chatty/views/i18n.js";

const PAUSE = 150; // ms without typing before people are searched on the server
const CONVERSATIONS = 30; // shown
const PEOPLE = 12;

/** Start in the open dialog, with what has already been typed. */
export function fillIn(dialog, page) {
  new Switcher(dialog, page).connect();
}

class Switcher {
  #me;
  #rest;
  /** @type {import("chatty/chat/conversation_list.js").ConversationList} */
  #conversationList;
  #dialog;
  #box;
  #list;
  #conversations = [];
  #people = new Map(); // id -> person, of all results so far
  #moreThere = false; // there are more people than fit on one page of results
  #timer = null;
  #error = "";
  #isEntered; // Enter was pressed before there were any results

  constructor(dialog, { me, rest, conversationList, isEntered }) {
    this.#isEntered = isEntered;
    this.#dialog = dialog;
    this.#box = dialog.querySelector("input");
    this.#list = slot(dialog, "options");
    this.#me = me;
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
    this.#show();
    this.#find("");
  }

  // Internal: data

  /** The conversations in the sidebar, which is ordered by latest message. */
  #readList() {
    const rows = [...document.querySelectorAll("#conversations > [data-conversation]")];
    return rows.map((row) => {
      const link = row.querySelector("a");
      const {
        name,
        unread,
        unread_more: more,
        other,
      } = this.#conversationList.get(Number(row.dataset.conversation));
      return {
        name,
        url: link.href,
        unread,
        number: `${unread}${more ? "+" : ""}`,
        person: other?.id ?? null,
        isCurrent: link.hasAttribute("aria-current"),
        avatar: slot(row, "badge").cloneNode(true),
      };
    });
  }

  async #find(text) {
    try {
      const { results, next } = await this.#rest.get("users/", { q: text || undefined });
      for (const person of results) this.#people.set(person.id, person);
      this.#error = "";
      if (!text && next) {
        this.#moreThere = true;
        if (this.#text) this.#find(this.#text); // already typed
      }
    } catch (error) {
      this.#error = error.detail ?? t("error.server");
    }
    if (this.#dialog.open) this.#show();
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

  #groups() {
    const isTyped = Boolean(this.#text);
    const unreadFirst = (a, b) =>
      (!isTyped && Number(a.isCurrent) - Number(b.isCurrent)) ||
      Number(Boolean(b.unread)) - Number(Boolean(a.unread));
    const conversations = this.#matching(this.#conversations, unreadFirst).slice(0, CONVERSATIONS);
    if (!isTyped && conversations.length) return [["switcher.conversations", conversations]];
    const known = new Set(this.#conversations.map(({ person }) => person));
    const others = [...this.#people.values()].filter(({ id }) => !known.has(id));
    const people = this.#matching(others, (a, b) => a.name.localeCompare(b.name)).slice(0, PEOPLE);
    return [
      ["switcher.conversations", conversations],
      ["switcher.people", people],
    ].filter(([, found]) => found.length);
  }

  // Internal: rendering

  #show() {
    const chosen = this.#chosen?.dataset.is;
    const groups = this.#groups();
    this.#list.replaceChildren(...groups.map(([title, found]) => this.#drawGroup(title, found)));
    const options = this.#options;
    for (const [index, option] of options.entries()) option.id = `option-${index}`;
    this.#choose(options.find((option) => option.dataset.is === chosen) ?? options[0]);
    if (this.#isEntered) this.#enter();
    const none = this.#text && !options.length ? t("switcher.none", { text: this.#text }) : "";
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
    this.#isEntered = false;
    this.#choose(null); // select the best match, not the previous selection
    this.#show();
    clearTimeout(this.#timer);
    const text = this.#text;
    if (text && this.#moreThere) this.#timer = setTimeout(() => this.#find(text), PAUSE);
  }

  #onKeydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const options = this.#options;
      const next = options.indexOf(this.#chosen) + step;
      this.#choose(options.at(next % options.length));
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
    location.assign(url);
  }
}
