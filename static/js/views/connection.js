// Shows connection problems. Short interruptions are not shown.

import { ACCOUNT_CLOSED, SIGNED_OUT, TOO_MANY_SOCKETS } from "chatty/chat/protocol.js";
import { element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

const PATIENCE = 1_500; // ms offline before anything is shown

export class ConnectionView {
  #chat;
  #outbox;
  #unsent;
  #place; // for the short status in the top bar; null on pages without a conversation
  #signIn;
  #bar = null; // for problems with an explanation and an action
  #timer = null;
  #unstored = null; // timer; null while a reload would lose nothing
  #status = {};

  constructor({ chat, outbox, unsent, place, signIn }) {
    this.#chat = chat;
    this.#outbox = outbox;
    this.#unsent = unsent;
    this.#place = place;
    this.#signIn = signIn;
  }

  connect() {
    this.#chat.on("status", (status) => this.#onStatus(status));
    this.#outbox.on("stored", () => this.#checkStored());
    this.#onStatus(this.#chat.status); // the status before this module had loaded
    this.#checkStored();
    addEventListener("beforeunload", (event) => this.#outbox.stored || event.preventDefault());
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#onStatus(this.#status));
    }
  }

  #onStatus(status) {
    this.#status = status;
    document.documentElement.dataset.connection = status.state;
    if (status.state === "online" || status.state === "off" || status.state === "stopped") {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#show();
    } else if (this.#place?.textContent) {
      this.#show();
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#show();
      }, PATIENCE);
    }
    if (status.blocked) this.#show();
  }

  /** Delayed: most messages are sent before anyone could read that they aren't stored. */
  #checkStored() {
    clearTimeout(this.#unstored);
    this.#unstored = null;
    if (!this.#outbox.stored) this.#unstored = setTimeout(() => this.#showBar(), PATIENCE);
    else this.#showBar();
  }

  #show() {
    const { state, blocked } = this.#status;
    const isDown = state === "connecting" || state === "waiting";
    const key = !isDown || blocked ? "" : navigator.onLine ? "connection.connecting" : "connection.offline";
    if (this.#place) this.#place.textContent = key && t(key);
    this.#showBar();
  }

  #showBar() {
    const name = this.#problem();
    if (this.#bar?.dataset.problem === name) return;
    this.#bar?.remove();
    this.#bar = null;
    if (!name) return;
    this.#bar = element("div", "connection-bar", element("p", "", t(`connection.${name}`)));
    this.#bar.dataset.problem = name;
    this.#bar.setAttribute("role", "status");
    const action = this.#actionFor(name);
    if (action) this.#bar.append(action);
    document.getElementById("main").prepend(this.#bar);
  }

  #problem() {
    const { state, code, blocked } = this.#status;
    if (blocked) return "blocked";
    if (state !== "stopped") return this.#outbox.stored ? "" : "unstored";
    if (code === SIGNED_OUT) return this.#unsent.size ? "signed_out" : "signed_out_plain";
    if (code === ACCOUNT_CLOSED) return "closed";
    if (code === TOO_MANY_SOCKETS) return "too_many";
    return "stopped";
  }

  #actionFor(name) {
    if (["closed", "blocked", "unstored"].includes(name)) return null;
    const isSignedOut = name.startsWith("signed_out");
    const text = isSignedOut ? t("connection.signed_out.way") : t(`connection.${name}.way`);
    const link = element("a", "button button--quiet", text);
    const here = location.pathname + location.search;
    link.href = isSignedOut ? `${this.#signIn}?next=${encodeURIComponent(here)}` : here;
    return link;
  }
}
