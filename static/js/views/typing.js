// The typing indicator. Tracked by user id, since names are not unique.

import { t } from "chatty/views/i18n.js";

const FADES = 5_000; // ms after the last `typing` frame
const NAMED = 3; // more people than that are "several people"

export class Typing {
  #chat;
  #place;
  #people = new Map(); // user id -> {name, timer}
  #stops = [];

  constructor({ chat, place }) {
    this.#chat = chat;
    this.#place = place;
  }

  connect() {
    this.#stops.push(
      this.#chat.on("typing", ({ user }) => this.#onTyping(user)),
      // Someone whose message has arrived is no longer typing it.
      this.#chat.on("message", ({ message }) => message.author && this.#forget(message.author.id)),
    );
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    for (const id of [...this.#people.keys()]) this.#forget(id);
  }

  #onTyping({ id, name }) {
    clearTimeout(this.#people.get(id)?.timer);
    this.#people.set(id, { name, timer: setTimeout(() => this.#forget(id), FADES) });
    this.#show();
  }

  #forget(id) {
    clearTimeout(this.#people.get(id)?.timer);
    if (this.#people.delete(id)) this.#show();
  }

  #show() {
    const names = [...this.#people.values()].map(({ name }) => name);
    this.#place.textContent = names.length ? this.#sentence(names) : "";
  }

  #sentence(names) {
    if (names.length > NAMED) return t("typing.several");
    if (names.length === 1) return t("typing.one", { name: names[0] });
    const list = new Intl.ListFormat(document.documentElement.lang || "en").format(names);
    return t("typing.some", { names: list });
  }
}
