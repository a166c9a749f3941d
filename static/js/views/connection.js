// How the line is, said quietly: nothing while all is well or only flickers.

import { ACCOUNT_CLOSED, SIGNED_OUT, TOO_MANY_SOCKETS } from "chatty/chat/protocol.js";
import { element } from "chatty/views/dom.js";
import { say } from "chatty/views/words.js";

const PATIENCE = 1_500; // ms without a line before a word is said

export class Connection {
  #chat;
  #outbox;
  #unsent;
  #place; // for a word or two, in the top bar; null on pages without a conversation
  #signIn;
  #bar = null; // for what needs a sentence and something to do
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
    this.#chat.on("status", (status) => this.#changed(status));
    this.#outbox.on("stored", () => this.#mindTheCopy());
    this.#changed(this.#chat.status); // as it came to be before this was here
    this.#mindTheCopy();
    addEventListener("beforeunload", (event) => this.#outbox.stored || event.preventDefault());
    for (const type of ["online", "offline"]) {
      addEventListener(type, () => this.#changed(this.#status));
    }
  }

  #changed(status) {
    this.#status = status;
    document.documentElement.dataset.line = status.state;
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
    if (status.refused) this.#show();
  }

  /** Most words are sent before anybody could read that this browser does not keep them. */
  #mindTheCopy() {
    clearTimeout(this.#unstored);
    this.#unstored = null;
    if (!this.#outbox.stored) this.#unstored = setTimeout(() => this.#showBar(), PATIENCE);
    else this.#showBar();
  }

  #show() {
    const { state, refused } = this.#status;
    const isDown = state === "connecting" || state === "waiting";
    const word = !isDown || refused ? "" : navigator.onLine ? "line.connecting" : "line.offline";
    if (this.#place) this.#place.textContent = word && say(word);
    this.#showBar();
  }

  #showBar() {
    const name = this.#trouble();
    if (this.#bar?.dataset.trouble === name) return;
    this.#bar?.remove();
    this.#bar = null;
    if (!name) return;
    this.#bar = element("div", "line-bar", element("p", "", say(`line.${name}`)));
    this.#bar.dataset.trouble = name;
    this.#bar.setAttribute("role", "status");
    const way = this.#wayOut(name);
    if (way) this.#bar.append(way);
    document.getElementById("main").prepend(this.#bar);
  }

  #trouble() {
    const { state, code, refused } = this.#status;
    if (refused) return "refused";
    if (state !== "stopped") return this.#outbox.stored ? "" : "unstored";
    if (code === SIGNED_OUT) return this.#unsent.size ? "signed_out" : "signed_out_plain";
    if (code === ACCOUNT_CLOSED) return "closed";
    if (code === TOO_MANY_SOCKETS) return "too_many";
    return "stopped";
  }

  #wayOut(name) {
    if (["closed", "refused", "unstored"].includes(name)) return null;
    const isSignedOut = name.startsWith("signed_out");
    const words = isSignedOut ? say("line.signed_out.way") : say(`line.${name}.way`);
    const link = element("a", "button button--quiet", words);
    const here = location.pathname + location.search;
    link.href = isSignedOut ? `${this.#signIn}?next=${encodeURIComponent(here)}` : here;
    return link;
  }
}
