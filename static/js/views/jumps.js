// Jumping to a message that is quoted or linked to, be it loaded or not, and back to where one was.

import { tell } from "chatty/views/dialog.js";
import { isTypedInto } from "chatty/views/dom.js";
import { say } from "chatty/views/words.js";

const FOUND = 2_500; // ms a message that was jumped to stands out

export class Jumps {
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
    const on = (target, type, work, options) =>
      target.addEventListener(type, work, { signal, ...options });
    on(document.getElementById("messages"), "click", (event) => this.#clicked(event));
    on(document.getElementById("unread-bar"), "click", (event) => this.#clickedBar(event));
    on(document.getElementById("jump"), "click", () => this.#forget());
    on(document.getElementById("timeline"), "scroll", () => this.#scrolled(), { passive: true });
    on(this.#back, "click", () => this.#goBack());
    on(window, "hashchange", () => this.#followAddress());
    // Before whoever else takes Escape: a jump was the last thing one did.
    on(document, "keydown", (event) => this.#pressed(event), { capture: true });
    this.#followAddress();
  }

  disconnect() {
    this.#ending.abort();
  }

  // Internal: going there

  #clicked(event) {
    if (event.defaultPrevented || hasModifier(event)) return;
    const link = event.target.closest("a[href]:not([data-action], .message__time)");
    const id = link && idIn(new URL(link.href));
    if (!id) return;
    event.preventDefault();
    this.#jump(id, link.closest("[data-kind]")).catch(() => location.assign(link.href));
  }

  /** Rejects for what is not to be found here. */
  async #jump(id, from) {
    const place = { ...this.#timeline.place(), from: from?.id };
    const known = this.#timeline.row(id);
    if (!known) await this.#load(id);
    const row = this.#timeline.row(id);
    if (!row) throw new Error("not in this conversation");
    if (!known || !this.#timeline.isInSight(row)) {
      if (from) this.#remember(place);
      this.#timeline.show(row);
    }
    pointOut(row);
  }

  async #load(id) {
    const { conversation, seq } = await this.#rest.get(`messages/${id}/`);
    if (conversation === this.#conversation) await this.#chat.around(seq);
  }

  /** An address that ends in #m and a number, opened or followed, of what is not loaded. */
  #followAddress() {
    const [, id] = location.hash.match(/^#m(\d+)$/) ?? [];
    if (!id || this.#timeline.row(Number(id))) return;
    this.#jump(Number(id), null).catch((refusal) => tell(refusal.detail ?? say("error.server")));
  }

  /** The first unread message: the New line goes before it as soon as it is loaded. */
  async #clickedBar(event) {
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
    } catch (refusal) {
      this.#remember(place);
      tell(refusal.detail ?? say("error.server"));
      return;
    }
    const from = place.from && document.getElementById(place.from);
    (from ?? document.getElementById("timeline")).focus({ preventScroll: true });
  }

  /** Who went back by hand needs no way back. */
  #scrolled() {
    if (this.#places.at(-1)?.atEnd && this.#timeline.atEnd) this.#forget();
  }

  #pressed(event) {
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

function pointOut(row) {
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
