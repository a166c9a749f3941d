// Jumping to a message that is quoted or linked to, be it loaded or not, and back to where one was.

import { isTypedInto } from "chatty/views/dom.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const FOUND = 2_500; // ms a message that was jumped to stands out

export class MessageLinks {
  #chat;
  #rest;
  #timeline;
  #conversation; // id
  #places = []; // where one was before each jump, the last one last
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
    // Before whoever else takes Escape: a jump was the last thing one did.
    on(document, "keydown", (event) => this.#onKeydown(event), { capture: true });
    this.#followHash();
  }

  disconnect() {
    this.#ending.abort();
  }

  // Internal: going there

  #onClick(event) {
    if (event.defaultPrevented || hasModifier(event)) return;
    const link = event.target.closest("a[href]:not([data-action], .message__time)");
    const id = link && idIn(new URL(link.href));
    if (!id) return;
    event.preventDefault();
    this.#goTo(id, link.closest("[data-kind]")).catch(() => location.assign(link.href));
  }

  /** Rejects for what is not to be found here. */
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
    if (conversation === this.#conversation) await this.#chat.around(seq);
  }

  /** An address that ends in #m and a number, opened or followed, of what is not loaded. */
  #followHash() {
    const [, id] = location.hash.match(/^#m(\d+)$/) ?? [];
    if (!id || this.#timeline.row(Number(id))) return;
    this.#goTo(Number(id), null).catch((error) => toast.error(error.detail ?? t("error.server")));
  }

  /** The first unread message: the New line goes before it as soon as it is loaded. */
  async #onBarClick(event) {
    const link = event.target.closest("a");
    if (!link || hasModifier(event)) return;
    event.preventDefault();
    const place = this.#timeline.place();
    const seq = new URL(link.href).searchParams.get("around");
    try {
      if (!newLine() && seq) await this.#chat.around(Number(seq));
    } catch {
      // The address itself says what is the matter.
    }
    if (!newLine()) return location.assign(link.href);
    this.#remember(place);
    this.#timeline.show(newLine(), { block: "start" });
    return undefined;
  }

  // Internal: and back

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
        await this.#chat.around(place.seq);
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

  /** Who went back by hand needs no way back. */
  #onScroll() {
    if (this.#places.at(-1)?.atEnd && this.#timeline.atEnd) this.#forget();
  }

  #onKeydown(event) {
    if (event.key !== "Escape" || !this.#places.length || isTypedInto(event.target)) return;
    if (document.querySelector("dialog[open], details.menu[open], .picker")) return;
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

/** The message an address of this Chatty stands for, or 0. */
function idIn({ origin, pathname }) {
  return origin === location.origin ? Number(pathname.match(/^\/m\/(\d+)\/$/)?.[1] ?? 0) : 0;
}

function hasModifier(event) {
  return event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button > 0;
}
