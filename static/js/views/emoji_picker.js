// The picker of emoji, for messages and reactions. It floats over the page, so that nothing moves; on a phone it is a
// sheet at the bottom. The focus is in its search field, and arrow keys choose from the grid.

import { customEmoji } from "chatty/lib/custom_emoji.js";
import { findEmoji, loadEmoji, plainOf, withTone } from "chatty/lib/emoji.js";
import { loadChoices, noteUse, saveTone } from "chatty/lib/emoji_choices.js";
import { emojiPicture, observe } from "chatty/views/custom_emoji.js";
import { element, fill, fromTemplate, isTouch, slot } from "chatty/views/dom.js";
import { templateData } from "chatty/views/template_data.js";
import { t } from "chatty/views/i18n.js";
import { loadStyle } from "chatty/views/page_head.js";
import { toast } from "chatty/views/toast.js";
import { writingFiles } from "chatty/views/writing_templates.js";

const COLUMNS = 9;
const FOUND = 90;
const EDGE = 8; // px between the picker and the edge of the window
const REFRESH = 5_000; // ms until custom emoji are asked for again
const GAP = 6; // px between the picker and what opened it
const PICTURE = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;
const MOVES = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS };

let shown = null;

/**
 * Open the picker, or close it if it is open for this `anchor`: the element beside which it is placed. `me`: id of the
 * account. `picked(emoji, reaction)` is called when one was chosen; they only differ if it is a custom one. `back`: the
 * element that gets the focus when it is closed. `isPlain`: without custom ones. It is also closed when `signal` is
 * aborted.
 */
export function openPicker(given) {
  const isSame = shown?.isFor(given.anchor);
  shown?.close();
  if (isSame || given.signal.aborted) return;
  shown = new EmojiPicker(given);
  shown.open();
}

class EmojiPicker {
  #root = fromTemplate("picker-template");
  #box = this.#root.querySelector("input[type=search]");
  #list = slot(this.#root, "list");
  #anchor;
  #me;
  #picked;
  #back;
  #isPlain;
  #groups = []; // built-in emoji
  #custom = [];
  #known = new Map(); // see plainOf() -> the data of an emoji
  #tone;
  #isOpen = true;
  #ending = new AbortController();

  constructor({ anchor, me, picked, back, signal, isPlain = false }) {
    this.#anchor = anchor;
    this.#me = me;
    this.#picked = picked;
    this.#back = back;
    this.#isPlain = isPlain;
    this.#tone = loadChoices(me).tone;
    signal.addEventListener("abort", () => this.close({ focus: false }), { signal: this.#ending.signal });
  }

  isFor(anchor) {
    return this.#isOpen && this.#anchor === anchor;
  }

  async open() {
    observe();
    this.#setExpanded(true);
    const { signal } = this.#ending;
    const on = (target, type, work) => target.addEventListener(type, work, { signal });
    on(this.#root, "click", (event) => this.#onClick(event));
    on(this.#root, "keydown", (event) => this.#onKeydown(event));
    on(this.#root, "change", (event) => this.#onChange(event));
    on(this.#root, "pointerover", ({ target }) => this.#choose(target.closest("[role=option]")));
    on(this.#box, "input", () => this.#onInput());
    on(this.#list, "scroll", () => this.#markGroup());
    on(document, "pointerdown", ({ target }) => {
      if (!this.#root.contains(target) && !this.#anchor.contains(target)) this.close({ focus: false });
    });
    on(window, "resize", () => this.#place());
    const refreshing = setInterval(() => this.#refresh(), REFRESH);
    on(signal, "abort", () => clearInterval(refreshing));
    this.#root.querySelector(`[name=tone][value="${this.#tone}"]`).checked = true;
    const { source, styles } = writingFiles();
    try {
      const [groups, all] = await Promise.all([
        loadEmoji(source),
        customEmoji({ fresh: 0 }),
        loadStyle(styles),
      ]);
      this.#groups = groups;
      this.#use(all);
    } catch {
      this.close();
      toast.error(t("error.unreachable"));
      return;
    }
    if (!this.#isOpen) return;
    this.#showAll();
    document.body.append(this.#root);
    this.#place();
    // On a phone, the keyboard would hide half of it.
    (isTouch.matches ? this.#root : this.#box).focus({ preventScroll: true });
    this.#markGroup();
  }

  #use(all) {
    const custom = this.#isPlain ? [] : all;
    this.#custom = custom;
    this.#known = new Map(this.#all.flatMap(({ all }) => all.map((each) => [plainOf(each.emoji), each])));
    this.#root.querySelector('[data-group="custom"]').hidden = !custom.length;
  }

  get #all() {
    const { length } = this.#custom;
    return length ? [{ key: "custom", all: this.#custom }, ...this.#groups] : this.#groups;
  }

  /** While it is open, people add, rename and remove custom emoji. */
  async #refresh() {
    const all = await customEmoji({ fresh: 0 });
    if (!this.#isOpen || this.#isPlain || JSON.stringify(all) === JSON.stringify(this.#custom)) return;
    const { scrollTop } = this.#list;
    const chosen = this.#chosen?.dataset.emoji;
    this.#use(all);
    this.#showTyped();
    this.#list.scrollTop = scrollTop;
    const options = [...this.#list.querySelectorAll("[role=option]")];
    this.#choose(options.find((option) => option.dataset.emoji === chosen));
    this.#markGroup();
  }

  close({ focus = true } = {}) {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#ending.abort();
    this.#root.remove();
    this.#setExpanded(false);
    if (focus && this.#back.isConnected) this.#back.focus({ preventScroll: true });
  }

  // Internal: rendering

  /** The anchor can be a message: then it was opened with a key. */
  #setExpanded(isExpanded) {
    if (this.#anchor.matches("button")) this.#anchor.ariaExpanded = String(isExpanded);
  }

  #showTyped() {
    if (this.#box.value.trim()) this.#showFound(this.#box.value);
    else this.#showAll();
  }

  #showAll() {
    const { recent } = loadChoices(this.#me);
    const quick = templateData("quick-template").emoji.split(" ");
    const most = recent.length > COLUMNS ? 2 * COLUMNS : COLUMNS;
    const first = [...new Map([...recent, ...quick].map((emoji) => [plainOf(emoji), emoji]))].slice(0, most);
    const known = first
      .filter(([plain]) => this.#known.has(plain) || !plain.startsWith(":")) // a custom one was removed
      .map(([plain, emoji]) => this.#known.get(plain) ?? { emoji, name: "", codes: [] });
    const groups = [["recent", known]];
    for (const { key, all } of this.#all) groups.push([key, all]);
    this.#list.replaceChildren(...groups.map(([key, all]) => this.#section(key, all)));
    this.#choose(null);
  }

  #section(key, all) {
    const section = element("div", "picker__group");
    section.role = "group";
    section.dataset.key = key;
    section.ariaLabel = this.#root.querySelector(`[data-group="${key}"]`)?.title ?? t("emoji");
    const heading = element("div", "picker__heading", section.ariaLabel);
    heading.ariaHidden = "true"; // it is the label
    section.append(heading, this.#grid(all));
    return section;
  }

  #grid(all) {
    const grid = element("div", "picker__grid");
    grid.role = "presentation";
    grid.append(...all.map((each) => this.#option(each)));
    return grid;
  }

  #option(each) {
    const emoji = withTone(each, this.#tone);
    const shown = each.address ? emojiPicture("", each.address) : emoji;
    const option = element("button", "picker__emoji", shown);
    option.type = "button";
    option.tabIndex = -1;
    option.role = "option";
    option.dataset.emoji = emoji;
    option.ariaSelected = "false";
    if (each.name) option.ariaLabel = each.name;
    return option;
  }

  #showFound(typed) {
    const found = findEmoji(this.#all, typed, FOUND);
    // One that was pasted, perhaps newer than the list.
    if (!found.length && PICTURE.test(typed)) found.push({ emoji: typed.trim(), name: "", codes: [] });
    const nothing = element("p", "picker__nothing", t("emoji.none"));
    const grid = this.#grid(found);
    this.#list.replaceChildren(found.length ? grid : nothing);
    this.#choose(grid.querySelector("[role=option]"));
  }

  /** Above what opened it if there is room, otherwise below, and within the window. Narrow windows show a sheet. */
  #place() {
    const at = (this.#anchor.closest(".composer__box") ?? this.#anchor).getBoundingClientRect();
    const { width, height } = this.#root.getBoundingClientRect();
    const isRight = getComputedStyle(this.#anchor).direction === "rtl";
    const left = isRight ? at.left : at.right - width;
    const fits = at.top - GAP - height >= EDGE;
    const top = fits ? at.top - GAP - height : at.bottom + GAP;
    const { style } = this.#root;
    style.left = `${Math.max(EDGE, Math.min(left, innerWidth - EDGE - width))}px`;
    style.top = `${Math.max(EDGE, Math.min(top, innerHeight - EDGE - height))}px`;
  }

  get #chosen() {
    return this.#list.querySelector("[aria-selected=true]");
  }

  #choose(option) {
    if (option === undefined || (option && option === this.#chosen)) return;
    const before = this.#chosen;
    before?.removeAttribute("id");
    if (before) before.ariaSelected = "false";
    if (!option) {
      this.#box.removeAttribute("aria-activedescendant");
    } else {
      option.ariaSelected = "true";
      option.id = "picker-chosen";
      this.#box.setAttribute("aria-activedescendant", option.id);
    }
    const emoji = option?.dataset.emoji ?? "";
    const { name = "", codes = [], address } = this.#known.get(plainOf(emoji)) ?? {};
    slot(this.#root, "shown").replaceChildren(address ? emojiPicture("", address) : emoji);
    fill(this.#root, "name", name);
    fill(this.#root, "code", codes.length ? `:${codes[0]}:` : "");
  }

  /** Mark the button of the group that is in sight. */
  #markGroup() {
    const { top } = this.#list.getBoundingClientRect();
    const shown = [...this.#list.querySelectorAll("[data-key]")].findLast(
      (each) => each.getBoundingClientRect().top <= top + 1,
    );
    for (const tab of this.#root.querySelectorAll("[data-group]")) {
      if (tab.dataset.group === shown?.dataset.key) tab.setAttribute("aria-current", "true");
      else tab.removeAttribute("aria-current");
    }
  }

  // Internal: user input

  #onInput() {
    this.#showTyped();
    this.#list.scrollTop = 0;
    this.#markGroup();
  }

  #onChange({ target }) {
    if (target.name !== "tone") return;
    this.#tone = Number(target.value);
    saveTone(this.#me, this.#tone);
    for (const option of this.#list.querySelectorAll("[role=option]")) {
      const each = this.#known.get(plainOf(option.dataset.emoji));
      if (each?.lightest) option.dataset.emoji = option.textContent = withTone(each, this.#tone);
    }
  }

  #onClick(event) {
    const option = event.target.closest("[role=option]");
    const group = event.target.closest("[data-group]")?.dataset.group;
    if (option) this.#take(option);
    else if (group) this.#goTo(group);
  }

  #goTo(group) {
    if (this.#box.value) {
      this.#box.value = "";
      this.#showAll();
    }
    const section = this.#list.querySelector(`[data-key="${group}"]`);
    if (section) this.#list.scrollTop = section.offsetTop;
    this.#choose(null);
  }

  #take({ dataset: { emoji } }) {
    noteUse(this.#me, emoji);
    this.close();
    this.#picked(emoji, this.#known.get(plainOf(emoji))?.reaction ?? emoji);
  }

  #onKeydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    const { key, target } = event;
    if (key === "Escape") {
      this.close();
    } else if (key === "Enter" && target === this.#box) {
      if (this.#chosen) this.#take(this.#chosen);
    } else if (MOVES[key] && this.#mayMove(key, target)) {
      this.#move(MOVES[key] * (isAlong(key) && isRightToLeft(this.#list) ? -1 : 1));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Left and right move the caret, unless an emoji has been chosen with the other keys. */
  #mayMove(key, target) {
    if (target !== this.#box && !target.matches("[role=option]") && target !== this.#root) return false;
    return !isAlong(key) || Boolean(this.#chosen);
  }

  #move(step) {
    const options = [...this.#list.querySelectorAll("[role=option]")];
    const chosen = this.#chosen;
    if (!options.length) return;
    if (!chosen) {
      this.#show(options[0]);
      return;
    }
    const isRow = Math.abs(step) === COLUMNS;
    this.#show(
      isRow ? nextInColumn(options, chosen, Math.sign(step)) : options.at(options.indexOf(chosen) + step),
    );
  }

  #show(option) {
    if (!option) return;
    this.#choose(option);
    option.scrollIntoView({ block: "nearest" });
  }
}

/** The option above or below, also in another group, whose last row can be short. */
function nextInColumn(options, chosen, step) {
  const { left, top } = chosen.getBoundingClientRect();
  const from = options.indexOf(chosen);
  const others = step > 0 ? options.slice(from + 1) : options.slice(0, from).reverse();
  const near = others.slice(0, 3 * COLUMNS);
  const row = near.find((each) => each.getBoundingClientRect().top !== top);
  if (!row) return chosen;
  const rowTop = row.getBoundingClientRect().top;
  const inRow = near.filter((each) => each.getBoundingClientRect().top === rowTop);
  const distance = (each) => Math.abs(each.getBoundingClientRect().left - left);
  return inRow.reduce((best, each) => (distance(each) < distance(best) ? each : best));
}

function isAlong(key) {
  return key === "ArrowLeft" || key === "ArrowRight";
}

function isRightToLeft(place) {
  return getComputedStyle(place).direction === "rtl";
}
