// Actions on messages without leaving the page: reply, react, edit, delete, pin, copy; and retry, edit or
// discard failed ones. All but copying also work on the page of a message, without this script.

import { isLiveText } from "chatty/chat/live_text.js";
import { byId, hasModifier, idOf, part, view } from "chatty/views/dom.js";
import { templateData } from "chatty/views/template_data.js";
import { copy } from "chatty/views/copy.js";
import { MessageTools } from "chatty/views/message_tools.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

export class MessageActions {
  #chat;
  #timeline;
  #message; // MessageView
  #composer = null;
  #me;
  #drafts;
  #editing = null; // a promise of Editing, loaded on first use
  #max;
  #permissions;
  #writing; // what startWriting() needs
  #root;
  #tools;
  #stop;
  #ending = new AbortController();

  constructor({ root, chat, timeline, message, drafts, me, max, permissions, writing }) {
    this.#root = root;
    this.#tools = new MessageTools({ root, me });
    this.#chat = chat;
    this.#timeline = timeline;
    this.#message = message;
    this.#drafts = drafts;
    this.#me = me;
    this.#max = max;
    this.#permissions = permissions;
    this.#writing = writing;
  }

  // Lifecycle

  connect({ composer }) {
    this.#composer = composer;
    this.#tools.connect();
    this.#stop = this.#permissions.on("change", () => this.#editing?.then((editing) => editing.resume()));
    const { signal } = this.#ending;
    const place = byId(this.#root, "messages");
    place.addEventListener("click", (event) => this.#onClick(event), { signal });
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.#tools.close(), { signal });
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
    const mine = this.#chat.store
      .messages()
      .filter((message) => message.author?.id === this.#me.id && isLiveText(message));
    const row = mine.length ? this.#timeline.row(mine.at(-1).id) : null;
    if (!row || !this.#permissions.allows("edit", row)) return false;
    return this.#do("edit", row);
  }

  /** Run an action ("reply", "edit", ...) on a message's row. Returns false if it is not offered. */
  run(name, row) {
    if (!ACTIONS.includes(name) || !this.#permissions.allows(name, row)) return false;
    this.#do(name, row);
    return true;
  }

  /** Toggle the picker's emoji `number`, counted from 1, without opening the picker. */
  reactWith(number, row) {
    const emoji = templateData("quick-template").emoji.split(" ")[number - 1];
    if (!emoji || !this.#permissions.allows("react", row)) return false;
    this.#do("toggle", row, { value: emoji });
    return true;
  }

  /** Make the buttons of this message reachable by Tab. */
  place(row) {
    this.#tools.place(row);
  }

  // Internal

  #onClick(event) {
    if (hasModifier(event) || event.button) return;
    const press = event.target.closest("[data-action], .chip, .message__more");
    if (!press) return;
    const row = press.closest(".message");
    if (press.matches(".message__more")) {
      event.preventDefault();
      this.#tools.toggle(row).catch(() => location.assign(press.href));
      return;
    }
    const name = press.dataset.action ?? "toggle"; // a chip
    if (!ACTIONS.includes(name)) return;
    event.preventDefault();
    this.#tools.close();
    this.#do(name, row, press);
  }

  async #do(name, row, press) {
    try {
      await this[name](row, press);
    } catch (error) {
      toast.error(error.detail ?? t("error.server"));
      if (!error.detail) reportError(error);
    }
  }

  reply(row) {
    this.#composer.replyTo(this.quoted(idOf(row)));
  }

  /** What the composer shows of a quoted message. */
  quoted(id) {
    const { author, excerpt } = this.#chat.store.quoteOf(id) ?? {};
    return { id, author: author?.name ?? "", excerpt: excerpt ?? "" };
  }

  toggle(row, { value }) {
    return this.#react(row, value);
  }

  /** Without `on`, a reaction of mine is removed, and another one added. */
  async #react(row, emoji, on) {
    const id = idOf(row);
    const chip = [...row.querySelectorAll(".chip")].find(({ value }) => value === emoji);
    if (chip?.ariaBusy) return;
    on ??= chip?.ariaPressed !== "true";
    if (chip) chip.ariaBusy = "true";
    try {
      this.#message.rememberReaction(id, emoji, on);
      await this.#chat.toggle(id, `reactions/${encodeURIComponent(emoji)}`, on);
    } finally {
      if (chip) chip.ariaBusy = null;
    }
  }

  async react(row, press) {
    const { openPicker } = await view("emoji_picker", { isAwaited: true });
    openPicker({
      anchor: press?.offsetParent ? press : part(row, "message__line"),
      me: this.#me.id,
      picked: (_, emoji) => this.#do("picked", row, { emoji }),
      back: row,
      signal: this.#ending.signal,
    });
  }

  async picked(row, { emoji }) {
    await this.#react(row, emoji, true);
  }

  async delete(row) {
    const { remove } = await view("removal", { isAwaited: true });
    await remove(row, this.#chat);
  }

  /** The rendered text, without Markdown, with the names of custom emoji. */
  copy(row) {
    const body = part(row, "message__body");
    const names = [...body.querySelectorAll("img")].map((image) => {
      image.before(image.alt);
      return image.previousSibling;
    });
    // biome-ignore lint/performance/useDomNodeTextContent: innerText keeps the visible line breaks.
    const text = body.innerText.trim();
    for (const name of names) name.remove();
    return copy(text);
  }

  link(row) {
    return copy(new URL(`/m/${idOf(row)}/`, location.origin).href, "copied.link");
  }

  async pin(row) {
    await this.#chat.toggle(idOf(row), "pin", !part(row, "message__pin"));
  }

  async unread(row) {
    await this.#chat.markUnread(Number(row.dataset.seq));
  }

  async edit(row) {
    await (await this.#loadEditing()).open(row);
  }

  #loadEditing() {
    this.#editing ??= view("editing", { isAwaited: true }).then(
      ({ Editing }) => {
        const editing = new Editing({
          chat: this.#chat,
          timeline: this.#timeline,
          drafts: this.#drafts,
          composer: this.#composer,
          max: this.#max,
          writing: this.#writing,
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

  // What the reader chose to do with a failed message: the button says it.

  async retry(row, press) {
    const { doWithFailed } = await view("failed_message", { isAwaited: true });
    await doWithFailed(this, row, press, [this.#chat, this.#timeline, this.#composer]);
  }

  amend = this.retry;

  discard = this.retry;
}

// The values of data-action, each with a method(row, pressed element).
const ACTIONS = "reply react toggle picked edit delete pin unread copy link retry amend discard".split(" ");
