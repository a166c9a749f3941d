// What is suggested while someone writes: members after "@", conversations after "#", emoji after ":". There is one
// list, and it works in the same way for all of them.
//
// A source has
//   label               the name of the list for screen readers
//   rest                a sticky pattern: what is replaced behind the caret, the rest of the word
//   find(text)          {at, typed} of what could be completed at the end of the text, or null
//   suggest(typed)      a promise of options: [{id, name, about, text, picture}], `about` optional, `text` to be inserted,
//                       `picture` an element
//   isLikely(typed)     whether the first option is chosen at once, so that Enter takes it
//   isComplete(typed)   optional: whether it is inserted without being chosen
//   used(text)          optional: it was inserted
//   disconnect()        optional

import { element, fill, fromTemplate, hasModifier, slot } from "chatty/views/dom.js";
import { ConversationSource } from "chatty/views/conversation_source.js";
import { EmojiSource } from "chatty/views/emoji_source.js";
import { MemberSource } from "chatty/views/member_source.js";
import { replaceText } from "chatty/views/typed_text.js";

const ROOM = 340; // px that a list can need

/** `page`: {form, chat, rest, me, conversationList, permissions, scope}. */
export function connect(page) {
  const sources = [new MemberSource(page), new ConversationSource(page), new EmojiSource(page)];
  const suggestions = new Suggestions({ form: page.form, sources });
  suggestions.connect();
  return suggestions;
}

export class Suggestions {
  #form;
  #box;
  #sources;
  #list;
  #shownFor = null; // the typed text when the list was rendered
  #closedAt = -1; // where the completion begins whose list was closed
  #texts = new Map(); // id of an option -> the text to be inserted
  #ending = new AbortController();

  constructor({ form, sources }) {
    this.#form = form;
    this.#box = form.elements.body;
    this.#sources = sources;
  }

  connect() {
    const { signal } = this.#ending;
    this.#list = this.#newList();
    this.#form.append(this.#list);
    this.#box.setAttribute("aria-autocomplete", "list");
    this.#box.setAttribute("aria-controls", this.#list.id);
    const typed = ({ inputType }) => this.#update({ isTyped: inputType === "insertText" });
    this.#box.addEventListener("input", typed, { signal });
    this.#box.addEventListener("focus", () => this.#update(), { signal });
    this.#box.addEventListener("blur", () => this.#close(), { signal });
    const moved = () => document.activeElement === this.#box && this.#update();
    document.addEventListener("selectionchange", moved, { signal });
    this.#form.addEventListener("submit", () => this.#onSubmit(), { signal });
    // In the capture phase, before the composer's handler: Enter would send.
    const onKeydown = (event) => event.target === this.#box && this.#onKeydown(event);
    this.#form.addEventListener("keydown", onKeydown, { signal, capture: true });
    const optionAt = ({ target }) => this.#list.contains(target) && target.closest("[role=option]");
    const onPointerdown = (event) => this.#list.contains(event.target) && event.preventDefault();
    this.#form.addEventListener("pointerdown", onPointerdown, { signal });
    const onClick = (event) => optionAt(event) && this.#insert(optionAt(event));
    this.#form.addEventListener("click", onClick, { signal });
    this.#update();
  }

  disconnect() {
    this.#ending.abort();
    for (const source of this.#sources) source.disconnect?.();
    this.#list.remove();
  }

  // Internal: what could be completed

  /** {source, at, typed} of what ends at the caret, or null. Names can have spaces, so the last sign counts. */
  get #query() {
    const { value, selectionStart: caret, selectionEnd: end } = this.#box;
    const text = value.slice(0, caret);
    let last = null;
    for (const source of caret === end ? this.#sources : []) {
      const found = source.find(text);
      if (found && found.at > (last?.at ?? -1)) last = { source, ...found };
    }
    return last;
  }

  async #update({ isTyped = false } = {}) {
    const query = this.#query;
    if (query?.at !== this.#closedAt) this.#closedAt = -1;
    if (!query || this.#closedAt === query.at) return this.#close();
    const options = await query.source.suggest(query.typed);
    const now = this.#query;
    const isOver = now?.at !== query.at || now.typed !== query.typed || this.#closedAt === query.at;
    if (isOver || document.activeElement !== this.#box) return undefined;
    this.#show(options, query);
    const isComplete = isTyped && options.length && query.source.isComplete?.(query.typed);
    return isComplete ? this.#insert(options[0], "") : undefined;
  }

  /** The composer empties the box without an input event. Reset for the next message. */
  #onSubmit() {
    this.#closedAt = -1;
    this.#close();
  }

  // Internal: rendering

  #show(found, { source, typed }) {
    const chosen = typed === this.#shownFor ? this.#chosen?.id : null;
    this.#shownFor = typed;
    this.#texts.clear();
    const options = found.map(({ id, name, about, text, picture }) => {
      const option = fromTemplate("option-template");
      option.id = id;
      this.#texts.set(id, text);
      fill(option, "name", name);
      slot(option, "unread").remove();
      if (about) option.append(element("small", "quiet", about));
      option.prepend(picture);
      return option;
    });
    // A new list, because one that changes its height would move what is in it.
    const list = this.#newList();
    list.setAttribute("aria-label", source.label);
    list.replaceChildren(...options);
    list.hidden = !options.length;
    // In the editor of a message near the top, there is no room above it.
    list.classList.toggle("suggestions--below", this.#box.getBoundingClientRect().top < ROOM);
    this.#list.replaceWith(list);
    this.#list = list;
    const first = source.isLikely(typed) ? options[0] : null;
    this.#choose(options.find(({ id }) => id === chosen) ?? first);
  }

  /** Its id is that of the field with an ending: an editor of a message can be open beside the composer. */
  #newList() {
    const list = fromTemplate("suggestions-template");
    list.id = `${this.#box.id}-suggestions`;
    return list;
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
    if (hasModifier(event)) return;
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

  /** Inserted as if typed, so that it can be undone and the draft is saved. `space`: behind it, unless there is one. */
  #insert({ id }, space = " ") {
    const query = this.#query;
    if (!query) return this.#close();
    const { value, selectionStart: caret } = this.#box;
    const { rest } = query.source;
    rest.lastIndex = caret;
    const end = caret + rest.exec(value)[0].length;
    const chosen = this.#texts.get(id);
    const text = `${chosen}${value[end] === " " ? "" : space}`;
    this.#closedAt = query.at;
    this.#close();
    query.source.used?.(chosen);
    return replaceText(this.#box, query.at, end, text);
  }
}
