// Shows connection problems. Short interruptions are not shown.

import { ACCOUNT_CLOSED, SIGNED_OUT, TOO_MANY_SOCKETS } from "chatty/chat/protocol.js";
import { element, view } from "chatty/views/dom.js";
import { announce } from "chatty/views/live_region.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const PATIENCE = 1_500; // ms offline before anything is shown

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  const view = new ConnectionView(page);
  view.connect();
  page.on("shown", () => view.moved());
}

class ConnectionView {
  /** @type {import("chatty/views/page.js").Page} */
  #page;
  #bar = null; // for problems with an explanation and an action
  #timer = null;
  #unstored = null; // timer; null while a reload would lose nothing
  #status = {};
  #isRetried = false; // someone has pressed the button after TOO_MANY_SOCKETS

  constructor(page) {
    this.#page = page;
  }

  connect() {
    const { chat } = this.#page;
    chat.on("status", (status) => this.#onStatus(status));
    this.#onStatus(chat.status); // the status before this module had loaded
    this.#page.part("sending").then((sending) => {
      for (const type of ["stored", "sent"]) sending?.outbox.on(type, () => this.#checkStored());
      this.#checkStored();
    });
    addEventListener("input", () => this.#checkStored()); // its draft has just been stored, or refused
    addEventListener("beforeunload", (event) => this.#isStored || event.preventDefault());
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#onStatus(this.#status));
    }
  }

  /** Another page is shown: it has the places for the status, but is without it. */
  moved() {
    this.#bar = null;
    if (!this.#timer) this.#show();
  }

  /** A reload would lose nothing. */
  get #isStored() {
    const { sending } = this.#page;
    return !sending || (sending.outbox.stored && sending.drafts.stored);
  }

  /** For the short status in the top bar. Null on pages without a conversation. */
  get #place() {
    return document.getElementById("connection");
  }

  #onStatus(status) {
    this.#status = status;
    if (status.state === "stopped" && this.#isRetried) toast.error(t("connection.too_many"));
    if (status.state !== "connecting") this.#isRetried = false;
    document.documentElement.dataset.connection = status.state;
    if (!status.isDown) {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#show();
    } else if (this.#place?.textContent || !navigator.onLine) {
      this.#show();
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#show();
      }, PATIENCE);
    }
  }

  /** Delayed: most messages are sent before anyone could read that they aren't stored. */
  #checkStored() {
    clearTimeout(this.#unstored);
    if (!this.#isStored) this.#unstored = setTimeout(() => this.#showBar(), PATIENCE);
    else this.#showBar();
  }

  #show() {
    const key = !this.#status.isDown ? "" : navigator.onLine ? "connection.connecting" : "connection.offline";
    if (this.#place) this.#place.textContent = key && t(key);
    this.#showBar();
  }

  #showBar() {
    const name = this.#problem();
    if (this.#bar?.dataset.problem === name) return;
    const hadFocus = this.#bar?.contains(document.activeElement);
    this.#bar?.remove();
    this.#bar = null;
    if (hadFocus) document.getElementById("main").focus({ preventScroll: true });
    if (!name) return;
    const text = t(`connection.${name}`);
    const bar = element("div", "connection-bar", element("p", "", text));
    bar.dataset.problem = name;
    document.getElementById("main").prepend(bar);
    announce(text);
    this.#bar = bar;
    // Every action needs the server anyway, so its module can wait for it.
    view("connection_action").then((it) => it.offerAction(bar, this.#page, () => this.#retry()));
  }

  #problem() {
    const { state, code, blocked } = this.#status;
    if (blocked) return "blocked";
    if (code === TOO_MANY_SOCKETS && (state === "stopped" || state === "connecting")) return "too_many";
    if (state !== "stopped") return this.#isStored ? "" : "unstored";
    if (code === SIGNED_OUT) return this.#page.sending?.size ? "signed_out" : "signed_out_plain";
    if (code === ACCOUNT_CLOSED) return "closed";
    return "stopped";
  }

  /** Works without a reload once another window has been closed. Until then, say that it does not. */
  #retry() {
    this.#isRetried = true;
    this.#page.chat.retry();
  }
}
