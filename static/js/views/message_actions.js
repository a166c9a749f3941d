// Actions on messages without leaving the page: reply, react, edit, delete, copy; and retry, edit or
// discard failed ones. All but copying also work on the page of a message, without this script.

import { fromTemplate, idOf, part, templateContent, view } from "chatty/views/dom.js";
import { ask } from "chatty/views/dialog.js";
import { MessageTools } from "chatty/views/message_tools.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

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
  #permissions;
  #tools = new MessageTools();
  #stop;
  #ending = new AbortController();

  constructor({ chat, store, timeline, message, drafts, conversation, me, max, permissions }) {
    this.#chat = chat;
    this.#store = store;
    this.#timeline = timeline;
    this.#message = message;
    this.#drafts = drafts;
    this.#conversation = conversation;
    this.#me = me;
    this.#max = max;
    this.#permissions = permissions;
  }

  // Lifecycle

  connect({ composer }) {
    this.#composer = composer;
    this.#tools.connect();
    this.#stop = this.#permissions.on("change", () => this.#editing?.then((editing) => editing.resume()));
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
    this.#stop();
    this.#tools.disconnect();
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
    if (!row || !this.#permissions.allows("edit", row)) return false;
    return this.#do("edit", row);
  }

  /** Run an action ("reply", "edit", ...) on a message's row. Returns false if it is not offered. */
  run(name, row) {
    if (!ACTIONS[name] || !this.#permissions.allows(name, row)) return false;
    this.#do(name, row);
    return true;
  }

  /** Toggle the picker's emoji `number`, counted from 1, without opening the picker. */
  reactWith(number, row) {
    const emoji = templateContent("picker-template").querySelectorAll("[data-emoji]")[number - 1];
    if (!emoji || !this.#permissions.allows("react", row)) return false;
    const chip = chipOf(row, emoji.dataset.emoji);
    if (chip) this.#do("toggle", row, chip);
    else this.#do("picked", row, emoji.dataset);
    return true;
  }

  /** Make the buttons of this message reachable by Tab. */
  place(row) {
    this.#tools.place(row);
  }

  // Internal

  #onClick(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const press = event.target.closest("[data-action], .chip, .message__more");
    if (!press) return;
    const row = press.closest(".message");
    if (press.matches(".message__more")) {
      event.preventDefault();
      this.#tools.toggle(row);
      return;
    }
    const name = press.matches(".chip") ? "toggle" : press.dataset.action;
    if (!ACTIONS[name]) return;
    event.preventDefault();
    this.#tools.close();
    this.#do(name, row, press);
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
    this.#composer.replyTo(this.#quoted(idOf(row)));
  }

  /** What the composer shows of a quoted message. */
  #quoted(id) {
    const { author, excerpt } = this.#store.quoteOf(id) ?? {};
    return { id, author: author?.name ?? "", excerpt: excerpt ?? "" };
  }

  async toggle(row, chip) {
    await this.#react(row, chip.value, chip.getAttribute("aria-pressed") !== "true");
  }

  async #react(row, emoji, on) {
    const id = idOf(row);
    const chip = chipOf(row, emoji);
    if (chip?.getAttribute("aria-busy") === "true") return;
    chip?.setAttribute("aria-busy", "true");
    try {
      this.#message.rememberReaction(id, emoji, on);
      await this.#chat.react(id, emoji, on);
    } finally {
      chip?.removeAttribute("aria-busy");
    }
  }

  pick(row) {
    const isOpen = this.#picker && row.contains(this.#picker);
    this.#closePicker();
    if (isOpen) return;
    const picker = fromTemplate("picker-template");
    const form = picker.querySelector("form");
    picker.addEventListener("click", (/** @type {any} */ event) => {
      const emoji = event.target.closest("[data-emoji]")?.dataset.emoji;
      if (emoji) this.#picked(row, emoji);
    });
    form?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#picked(row, form.elements.emoji.value.trim());
    });
    part(row, "message__line").after(picker);
    this.#picker = picker;
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
    const id = idOf(row);
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
    await this.#chat.markUnread(Number(row.dataset.seq));
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
          canEdit: (row) => this.#permissions.allows("edit", row),
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

  /** The focus moves to the message before it, not to the composer: a phone would show its keyboard. */
  async discard(row, press) {
    const rows = this.#timeline.rows();
    const before = rows.findLast((each) => each.compareDocumentPosition(row) & FOLLOWING);
    await this.#chat.outbox.discard(press.dataset.key);
    (before ?? document.getElementById("timeline")).focus({ preventScroll: true });
  }

  async amend(_row, press) {
    const record = await this.#chat.outbox.discard(press.dataset.key);
    if (!record) return;
    const quoted = record.reply_to ? this.#quoted(record.reply_to) : null;
    this.#composer.amend(record, quoted);
  }

  // Internal: closing

  #onPointerdown(event) {
    if (this.#picker && !this.#picker.contains(event.target)) this.#closePicker();
  }

  /** Close everything and return the focus to where the menu or picker was opened. */
  #onEscape(from) {
    const row = from.closest?.(".picker")?.closest(".message");
    this.#closePicker();
    this.#tools.close();
    row?.focus();
  }

  #closePicker() {
    this.#picker?.remove();
    this.#picker = null;
  }
}

// data-action -> handler(actions, row, pressed element)
const ACTIONS = {
  reply: (actions, row) => actions.reply(row),
  react: (actions, row) => actions.pick(row),
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

const FOLLOWING = 4; // Node.DOCUMENT_POSITION_FOLLOWING

function chipOf(row, emoji) {
  return [...row.querySelectorAll(".chip")].find((chip) => chip.value === emoji);
}
