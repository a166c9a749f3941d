// Jumping to quoted or linked messages, loaded or not, and back to the previous position.

import { isTypedInto } from "chatty/views/dom.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const FOUND = 2_500; // ms for which the target of a jump is highlighted

export class MessageLinks {
  #chat;
  #rest;
  #timeline;
  #conversation; // id
  #places = []; // scroll positions before each jump, newest last
  #back = document.getElementById("jump-back");
  #ending = new AbortController();

  constructor({ chat, rest, timeline, conversation }) {
    this.#chat = chat;
    this.#rest = rest;
    this.#timeline = timeline;
    this.#conversation = conversation;
  }

  connect() {
    const { signal } = this.#ending;
    const on = (target, type, work, options) => target.addEventListener(type, work, { signal, ...options });
    on(document.getElementById("messages"), "click", (event) => this.#onClick(event));
    on(document.getElementById("unread-bar"), "click", (event) => this.#onBarClick(event));
    on(document.getElementById("jump"), "click", () => this.#forget());
    on(document.getElementById("timeline"), "scroll", () => this.#onScroll(), { passive: true });
    on(this.#back, "click", () => this.#goBack());
    on(window, "hashchange", () => this.#followHash());
    // In the capture phase, before other handlers of Escape.
    on(document, "keydown", (event) => this.#onKeydown(event), { capture: true });
    this.#followHash();
  }

  disconnect() {
    this.#ending.abort();
  }

  // Internal: jumping

  #onClick(event) {
    if (event.defaultPrevented || hasModifier(event)) return;
    const link = event.target.closest("a[href]:not([data-action], .message__time, .message__more)");
    const id = link && idIn(new URL(link.href));
    if (!id) return;
    event.preventDefault();
    this.#goTo(id, link.closest(".message")).catch(() => location.assign(link.href));
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
    if (conversation === this.#conversation) await this.#chat.loadAround(seq);
  }

  /** Jump to the message of #m<id> if it is not loaded; otherwise the browser scrolls to it. */
  #followHash() {
    const [, id] = location.hash.match(/^#m(\d+)$/) ?? [];
    if (!id || this.#timeline.row(Number(id))) return;
    this.#goTo(Number(id), null).catch((error) => toast.error(error.detail ?? t("error.server")));
  }

  /** Jump to the first unread message. Once it is loaded, the "New" line is before it. */
  async #onBarClick(event) {
    const link = event.target.closest("a");
    if (!link || hasModifier(event)) return;
    event.preventDefault();
    const place = this.#timeline.place();
    const seq = new URL(link.href).searchParams.get("around");
    try {
      if (!newLine() && seq) await this.#chat.loadAround(Number(seq));
    } catch {
      // Following the link below shows what is wrong.
    }
    if (!newLine()) return location.assign(link.href);
    this.#remember(place);
    this.#timeline.show(newLine(), { block: "start" });
    return undefined;
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
    const from = place.from && document.getElementById(place.from);
    (from ?? document.getElementById("timeline")).focus({ preventScroll: true });
  }

  /** After scrolling back to the end by hand, the "back" button is no longer needed. */
  #onScroll() {
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

function newLine() {
  return document.getElementById("new");
}

function highlight(row) {
  row.focus({ preventScroll: true });
  row.classList.add("message--found");
  setTimeout(() => row.classList.remove("message--found"), FOUND);
}

/** The message id in a URL of this installation, or 0. */
function idIn({ origin, pathname }) {
  return origin === location.origin ? Number(pathname.match(/^\/m\/(\d+)\/$/)?.[1] ?? 0) : 0;
}

function hasModifier(event) {
  return event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button > 0;
}
