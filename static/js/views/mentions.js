// Mention suggestions: lists members whose names match the text after an "@".

import { caseFolded, folded, rank } from "chatty/lib/match.js";
import { element, fill, fromTemplate, slot } from "chatty/views/dom.js";
import { showAvatar } from "chatty/views/avatar.js";

// As in conversations/mentions.py: not inside a word, an email address or URL. Names can have several words.
// Of the marks, only variation selectors can end an emoji.
const MENTION = /(?<![\p{L}\p{N}_@/.+-]|(?![\ufe00-\ufe0f])[\p{Mc}\p{Mn}])@([^@\s][^@\n]{0,59})?$/u;
const SHOWN = 6;
const BY_WORD = 1; // the highest rank shown: names or words that start with the typed text (lib/match.js)
const FRESH = 30_000; // ms for which the member list is cached
const MARKUP = /[\\`*_~[\]]/g; // characters to escape in Markdown

export class Mentions {
  #me;
  #conversation;
  #rest;
  #chat;
  #form;
  #box;
  #list;
  #members = null; // a promise of [{id, name, hue, picture}], sorted by name
  #askedAt = 0;
  #shownFor = null; // the typed text when the list was rendered
  #closedAt = -1; // position of the "@" whose list was closed
  #stop;
  #ending = new AbortController();

  constructor({ form, chat, rest, conversation, me }) {
    this.#form = form;
    this.#box = form.elements.body;
    this.#chat = chat;
    this.#rest = rest;
    this.#conversation = conversation;
    this.#me = me;
  }

  connect() {
    const { signal } = this.#ending;
    this.#list = fromTemplate("mentions-template");
    this.#form.append(this.#list);
    this.#box.setAttribute("aria-autocomplete", "list");
    this.#box.setAttribute("aria-controls", this.#list.id);
    this.#box.addEventListener("input", () => this.#update(), { signal });
    this.#box.addEventListener("focus", () => this.#update(), { signal });
    this.#box.addEventListener("blur", () => this.#close(), { signal });
    const moved = () => document.activeElement === this.#box && this.#update();
    document.addEventListener("selectionchange", moved, { signal });
    this.#form.addEventListener("submit", () => this.#onSubmit(), { signal });
    // In the capture phase, before the composer's handler: Enter would send.
    const onKeydown = (event) => event.target === this.#box && this.#onKeydown(event);
    this.#form.addEventListener("keydown", onKeydown, { signal, capture: true });
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault(), { signal });
    this.#list.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.#stop = this.#chat.on("message", ({ message }) => {
      if (message.notice) this.#members = null;
    });
    this.#update();
  }

  disconnect() {
    this.#stop();
    this.#ending.abort();
    this.#list.remove();
  }

  // Internal: finding members

  /** {at, typed} of the mention that ends at the caret, or null. */
  get #query() {
    const { value, selectionStart: caret, selectionEnd: end } = this.#box;
    return caret === end ? mentionIn(value.slice(0, caret)) : null;
  }

  async #update() {
    const query = this.#query;
    if (query?.at !== this.#closedAt) this.#closedAt = -1;
    if (!query || this.#closedAt === query.at) return this.#close();
    if (Date.now() - this.#askedAt > FRESH) this.#members = null;
    this.#members ??= this.#load();
    const members = await this.#members;
    const now = this.#query;
    const isOver = now?.at !== query.at || now.typed !== query.typed || this.#closedAt === query.at;
    if (isOver || document.activeElement !== this.#box) return undefined;
    return this.#show(fitting(members, query.typed), query.typed);
  }

  /** The composer empties the box without an input event. Reset for the next message. */
  #onSubmit() {
    this.#closedAt = -1;
    this.#close();
  }

  async #load() {
    this.#askedAt = Date.now();
    try {
      const { results } = await this.#rest.get(`conversations/${this.#conversation}/members/`);
      const others = results.map(({ user }) => user).filter(({ id }) => id !== this.#me.id);
      return others.sort((a, b) => a.name.localeCompare(b.name));
    } catch {
      this.#members = null; // retried at the next keystroke; names can also be typed in full
      return [];
    }
  }

  // Internal: rendering

  #show(people, typed) {
    const chosen = typed === this.#shownFor ? this.#chosen?.id : null;
    this.#shownFor = typed;
    const options = people.map(({ id, name, hue, picture }) => {
      const option = fromTemplate("option-template");
      option.id = `mention-${id}`;
      option.dataset.name = name;
      fill(option, "name", name);
      slot(option, "unread").remove();
      const avatar = element("span");
      showAvatar(avatar, { name, hue, picture });
      option.prepend(avatar);
      return option;
    });
    this.#list.replaceChildren(...options);
    this.#list.hidden = !options.length;
    // After a space this may be the rest of the sentence, so select nothing and let Enter send.
    const first = /\s/.test(typed) ? null : options[0];
    this.#choose(options.find(({ id }) => id === chosen) ?? first);
  }

  #close() {
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#choose(null);
  }

  get #chosen() {
    return this.#list.querySelector("[aria-selected=true]");
  }

  #choose(option) {
    this.#chosen?.removeAttribute("aria-selected");
    option?.setAttribute("aria-selected", "true");
    if (option) this.#box.setAttribute("aria-activedescendant", option.id);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  // Internal: user input

  #onKeydown(event) {
    if (this.#list.hidden || event.isComposing || event.keyCode === 229) return;
    if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    const options = [...this.#list.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const taken = event.key === "Tab" ? (this.#chosen ?? options[0]) : this.#chosen;
    if (step) {
      const from = this.#chosen ? options.indexOf(this.#chosen) : Math.min(0, -step);
      this.#choose(options.at((from + step) % options.length));
    } else if ((event.key === "Enter" || event.key === "Tab") && taken) {
      this.#insert(taken);
    } else if (event.key === "Escape") {
      this.#closedAt = this.#query?.at ?? -1;
      this.#close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #onClick(event) {
    const option = event.target.closest("[role=option]");
    if (option) this.#insert(option);
  }

  /** Inserted as if typed, so that it can be undone and the draft is saved. */
  #insert({ dataset: { name } }) {
    const query = this.#query;
    if (!query) return this.#close();
    const { value, selectionStart: caret } = this.#box;
    const [rest] = /^[\p{L}\p{N}_]*/u.exec(value.slice(caret));
    const end = caret + rest.length;
    const text = `@${name.replace(MARKUP, "\\$&")}${value[end] === " " ? "" : " "}`;
    this.#closedAt = query.at;
    this.#close();
    this.#box.setSelectionRange(query.at, end);
    if (document.execCommand("insertText", false, text)) return undefined;
    this.#box.setRangeText(text, query.at, end, "end");
    return this.#box.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** {at, typed} of the mention at the end of `text`, or null. */
export function mentionIn(text) {
  const found = MENTION.exec(text);
  return found && { at: found.index, typed: found[1] ?? "" };
}

/** The matching members. Names that start with the typed text come before names with a word that does. */
export function fitting(members, typed) {
  const goesOn = /\s$/.test(typed) ? `${folded(typed)} ` : "";
  const fit = members
    .map((person) => ({ ...person, rank: rank(person.name, typed) }))
    .filter(({ name, rank: found }) => found !== null && found <= BY_WORD && folded(name).startsWith(goesOn))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, SHOWN);
  // Already typed in full, by the server's comparison: nothing to suggest.
  return fit.length === 1 && caseFolded(fit[0].name) === caseFolded(typed) ? [] : fit;
}
