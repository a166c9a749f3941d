// Jumping to quoted or linked messages, loaded or not, and back to the previous position.

import { byId, isTypedInto, view } from "chatty/views/dom.js";
import { followedLink, go } from "chatty/views/go.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const FOUND = 2_500; // ms for which the target of a jump is highlighted

export class MessageLinks {
  #chat;
  #rest;
  #timeline;
  #places = []; // scroll positions before each jump, newest last
  #root;
  #days; // a promise of sticky_days.js
  #back;
  #ending = new AbortController();

  constructor({ root, chat, rest, timeline }) {
    this.#root = root;
    this.#back = byId(root, "jump-back");
    this.#chat = chat;
    this.#rest = rest;
    this.#timeline = timeline;
  }

  /** `isLoaded`: see ConversationPage.connect(). */
  connect({ isLoaded = true } = {}) {
    const { signal } = this.#ending;
    const on = (target, type, work, options) => target.addEventListener(type, work, { signal, ...options });
    on(byId(this.#root, "messages"), "click", (event) => this.#onClick(event));
    on(byId(this.#root, "unread-bar"), "click", (event) => this.#onBarClick(event));
    on(byId(this.#root, "jump"), "click", () => this.#forget());
    on(byId(this.#root, "timeline"), "scroll", () => this.#onScroll(), { passive: true });
    on(this.#back, "click", () => this.#goBack());
    on(window, "hashchange", () => this.#followHash());
    // In the capture phase, before other handlers of Escape.
    on(document, "keydown", (event) => this.#onKeydown(event), { capture: true });
    this.#followHash({ isLoaded });
  }

  disconnect() {
    this.#ending.abort();
  }

  // Internal: jumping

  #onClick(event) {
    const link = followedLink(event);
    if (!link || link.matches("[data-action], .message__time, .message__more")) return;
    const id = Number(link.pathname.match(/^\/m\/(\d+)\/$/)?.[1]);
    if (!id) return;
    event.preventDefault();
    this.#goTo(id, link.closest(".message")).catch(() => go(link.href));
  }

  /** Rejects if the message is not in this conversation. */
  async #goTo(id, from) {
    const place = { ...this.#timeline.place(), from: from?.id };
    const known = this.#timeline.row(id);
    if (!known) await this.#load(id);
    const row = this.#timeline.row(id);
    if (!row) throw new Error("not in this conversation");
    if (!known || !this.#timeline.isInSight(row)) {
      if (from) this.#remember(place);
      this.#timeline.show(row);
    }
    highlight(row);
  }

  async #load(id) {
    const { conversation, seq } = await this.#rest.get(`messages/${id}/`);
    if (conversation === this.#chat.id) await this.#chat.loadAround(seq);
  }

  /** Jump to the message of #m<id> if it is not loaded; otherwise the browser scrolls to it. */
  #followHash({ isLoaded = true } = {}) {
    const [, id] = location.hash.match(/^#m(\d+)$/) ?? [];
    if (!id || (isLoaded && this.#timeline.row(Number(id)))) return;
    this.#goTo(Number(id), null).catch((error) => toast.error(error.detail ?? t("error.server")));
  }

  /** Jump to the first unread message. Once it is loaded, the "New" line is before it. */
  async #onBarClick(event) {
    const link = followedLink(event);
    if (!link) return;
    event.preventDefault();
    const place = this.#timeline.place();
    const seq = new URL(link.href).searchParams.get("around");
    try {
      if (!this.#newLine && seq) await this.#chat.loadAround(Number(seq));
    } catch {
      // Following the link below shows what is wrong.
    }
    if (!this.#newLine) return go(link.href);
    this.#remember(place);
    this.#timeline.show(this.#newLine, { block: "start" });
    return undefined;
  }

  get #newLine() {
    return byId(this.#root, "new");
  }

  // Internal: going back

  #remember(place) {
    this.#places.push(place);
    this.#back.hidden = false;
  }

  #forget() {
    this.#places = [];
    this.#back.hidden = true;
  }

  async #goBack() {
    const place = this.#places.pop();
    this.#back.hidden = !this.#places.length;
    if (!place) return;
    try {
      if (place.atEnd) await this.#timeline.toLatest({ smooth: false });
      else if (!this.#timeline.putBack(place)) {
        await this.#chat.loadAround(place.seq);
        this.#timeline.putBack(place);
      }
    } catch (error) {
      this.#remember(place);
      toast.error(error.detail ?? t("error.server"));
      return;
    }
    const from = place.from && byId(this.#root, place.from);
    (from ?? byId(this.#root, "timeline")).focus({ preventScroll: true });
  }

  /** After scrolling back to the end by hand, the "back" button is no longer needed. */
  #onScroll() {
    const list = byId(this.#root, "messages");
    if (list.querySelectorAll(".day")[1]) {
      this.#days ??= view("sticky_days");
      this.#days.then(
        ({ hidePassed }) => hidePassed(list),
        () => {},
      );
    }
    if (this.#places.at(-1)?.atEnd && this.#timeline.atEnd) this.#forget();
  }

  #onKeydown(event) {
    if (event.key !== "Escape" || !this.#places.length || isTypedInto(event.target)) return;
    if (document.querySelector("dialog[open], .message-menu:not([hidden]), .picker")) return;
    event.preventDefault();
    event.stopPropagation();
    this.#goBack();
  }
}

function highlight(row) {
  row.focus({ preventScroll: true });
  row.classList.add("message--found");
  setTimeout(() => row.classList.remove("message--found"), FOUND);
}
