// Actions on messages without leaving the page: reply, react, edit, delete, copy; and retry, edit or
// discard failed ones. All but copying also work as links or forms without this script.

import { fromTemplate, slot, view } from "chatty/views/dom.js";
import { ask } from "chatty/views/dialog.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const MENU = 300; // px: approximate height of a menu

export class MessageActions {
  #chat;
  #store;
  #timeline;
  #message; // MessageView
  #composer = null;
  #me;
  #drafts;
  #conversation; // id
  #editing = null; // a promise of Editing, loaded on first use
  #max;
  #picker = null;
  #ending = new AbortController();

  constructor({ chat, store, timeline, message, drafts, conversation, me, max }) {
    this.#chat = chat;
    this.#store = store;
    this.#timeline = timeline;
    this.#message = message;
    this.#drafts = drafts;
    this.#conversation = conversation;
    this.#me = me;
    this.#max = max;
  }

  // Lifecycle

  connect({ composer }) {
    this.#composer = composer;
    const { signal } = this.#ending;
    const place = document.getElementById("messages");
    place.addEventListener("click", (event) => this.#onClick(event), { signal });
    document.addEventListener("pointerdown", (event) => this.#onPointerdown(event), { signal });
    const left = ({ key, target }) => key === "Escape" && this.#onEscape(target);
    document.addEventListener("keydown", left, { signal });
    // Reopen the editors of edits in progress.
    if (this.#drafts.names().some((name) => name.startsWith("edit."))) this.#loadEditing().catch(() => {});
  }

  disconnect() {
    this.#ending.abort();
    this.#editing?.then((editing) => editing.disconnect());
  }

  // Public methods

  /** Open my last message for editing. Returns a promise, or false if it can't be edited on this page. */
  editLast() {
    const mine = this.#store
      .messages()
      .filter((message) => message.author?.id === this.#me.id && message.kind === "text")
      .filter((message) => !message.deleted_at);
    const row = mine.length ? this.#timeline.row(mine.at(-1).id) : null;
    if (!row?.querySelector("[data-action=edit]")) return false;
    return this.#do("edit", row);
  }

  /** Run an action ("reply", "edit", ...) on a message's row. Returns false if it has no such button. */
  run(name, row) {
    const press = row.querySelector(`[data-action="${name}"]`);
    if (!press || !ACTIONS[name]) return false;
    this.#do(name, row, press);
    return true;
  }

  /** Toggle the picker's emoji `number`, counted from 1, without opening the picker. */
  reactWith(number, row) {
    const picker = document.getElementById("picker-template").content;
    const emoji = picker.querySelectorAll("[data-emoji]")[number - 1]?.dataset.emoji;
    if (!emoji || !row.querySelector("[data-action=react]")) return false;
    const chip = [...row.querySelectorAll(".chip")].find((each) => each.dataset.emoji === emoji);
    if (chip) this.#do("toggle", row, chip);
    else this.#do("picked", row, { emoji });
    return true;
  }

  // Internal

  #onClick(event) {
    const opening = event.target.closest("summary")?.parentElement;
    opening?.classList.toggle("menu--up", !hasRoomBelow(opening));
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const press = event.target.closest("[data-action]");
    if (!press || !ACTIONS[press.dataset.action]) return;
    const row = press.closest("[data-kind]");
    event.preventDefault();
    const menu = press.closest("details");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus({ preventScroll: true }); // the focused item is hidden now
    }
    this.#do(press.dataset.action, row, press);
  }

  async #do(name, row, press) {
    try {
      await ACTIONS[name](this, row, press);
    } catch (error) {
      toast.error(error.detail ?? t("error.server"));
      if (!error.detail) globalThis.reportError?.(error);
    }
  }

  reply(row) {
    this.#composer.replyTo(this.#quoted(Number(row.dataset.messageId)));
  }

  /** What the composer shows of a quoted message. */
  #quoted(id) {
    const { author, excerpt } = this.#store.quoteOf(id) ?? {};
    return { id, author: author?.name ?? "", excerpt: excerpt ?? "" };
  }

  async toggle(row, chip) {
    await this.#react(row, chip.dataset.emoji, chip.getAttribute("aria-pressed") !== "true");
  }

  async #react(row, emoji, on) {
    const id = Number(row.dataset.messageId);
    const chip = [...row.querySelectorAll(".chip")].find((each) => each.dataset.emoji === emoji);
    if (chip?.getAttribute("aria-busy") === "true") return;
    chip?.setAttribute("aria-busy", "true");
    try {
      this.#message.rememberReaction(id, emoji, on);
      await this.#chat.react(id, emoji, on);
    } finally {
      chip?.removeAttribute("aria-busy");
    }
  }

  pick(row, press) {
    const isOpen = this.#picker && row.contains(this.#picker);
    this.#closePicker();
    if (isOpen) return;
    const picker = fromTemplate("picker-template");
    const form = picker.querySelector("form");
    picker.addEventListener("click", (event) => {
      const emoji = event.target.closest("[data-emoji]")?.dataset.emoji;
      if (emoji) this.#picked(row, emoji);
    });
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#picked(row, form.elements.emoji.value.trim());
    });
    slot(row, "reactions").before(picker);
    this.#picker = picker;
    picker.dataset.from = press.dataset.action;
    picker.querySelector("[data-emoji]")?.focus();
  }

  #picked(row, emoji) {
    if (!emoji) return;
    this.#closePicker();
    row.focus({ preventScroll: true });
    this.#do("picked", row, { emoji });
  }

  async picked(row, { emoji }) {
    await this.#react(row, emoji, true);
  }

  async remove(row) {
    const id = Number(row.dataset.messageId);
    const sure = await ask({
      question: t("delete.question"),
      about: this.#store.get(id)?.excerpt ?? "",
      yes: t("delete.yes"),
      no: t("cancel"),
    });
    if (sure) await this.#chat.remove(id);
    row.focus({ preventScroll: true });
  }

  async unread(row) {
    await this.#chat.unread(Number(row.dataset.seq));
  }

  async copy(row, what) {
    const copying = await import("chatty/views/copy.js");
    await copying[what](row);
  }

  async edit(row) {
    await (await this.#loadEditing()).open(row);
  }

  #loadEditing() {
    this.#editing ??= view("editing").then(
      ({ Editing }) => {
        const editing = new Editing({
          chat: this.#chat,
          store: this.#store,
          timeline: this.#timeline,
          drafts: this.#drafts,
          conversation: this.#conversation,
          composer: this.#composer,
          max: this.#max,
        });
        editing.connect();
        return editing;
      },
      (error) => {
        this.#editing = null; // so that the next attempt loads it again
        throw Object.assign(error, { detail: t("error.unreachable") });
      },
    );
    return this.#editing;
  }

  // Failed messages

  async retry(_row, press) {
    await this.#chat.outbox.retry(press.dataset.key);
  }

  async discard(_row, press) {
    await this.#chat.outbox.discard(press.dataset.key);
    this.#composer?.focus();
  }

  async amend(_row, press) {
    if (!this.#composer) return; // nowhere to put the text
    const record = await this.#chat.outbox.discard(press.dataset.key);
    if (!record) return;
    const quoted = record.reply_to ? this.#quoted(record.reply_to) : null;
    this.#composer.amend(record, quoted);
  }

  // Internal: closing

  #onPointerdown(event) {
    if (this.#picker && !this.#picker.contains(event.target)) this.#closePicker();
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  }

  /** Close everything and return the focus to where the menu or picker was opened. */
  #onEscape(from) {
    const menu = from.closest?.("details.menu[open]");
    const row = from.closest?.(".picker")?.closest("[data-kind]");
    this.#closeAll();
    (menu?.querySelector("summary") ?? row)?.focus();
  }

  #closeAll() {
    this.#closePicker();
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  }

  #closePicker() {
    this.#picker?.remove();
    this.#picker = null;
  }
}

// data-action -> handler(actions, row, pressed element)
const ACTIONS = {
  reply: (actions, row) => actions.reply(row),
  react: (actions, row, press) => actions.pick(row, press),
  toggle: (actions, row, chip) => actions.toggle(row, chip),
  picked: (actions, row, choice) => actions.picked(row, choice),
  edit: (actions, row) => actions.edit(row),
  delete: (actions, row) => actions.remove(row),
  unread: (actions, row) => actions.unread(row),
  copy: (actions, row) => actions.copy(row, "copyText"),
  link: (actions, row) => actions.copy(row, "copyLink"),
  retry: (actions, row, press) => actions.retry(row, press),
  amend: (actions, row, press) => actions.amend(row, press),
  discard: (actions, row, press) => actions.discard(row, press),
};

function hasRoomBelow(menu) {
  const end = document.getElementById("timeline").getBoundingClientRect().bottom;
  return end - menu.getBoundingClientRect().bottom > MENU;
}
