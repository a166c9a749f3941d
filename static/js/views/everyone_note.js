// Says below the composer what "@all" in its text will do: that many people will be notified, or that it does nothing,
// because only admins can notify everyone here.

import { callsEveryone } from "chatty/lib/mentions.js";
import { slot } from "chatty/views/dom.js";
import { tn } from "chatty/views/i18n.js";
import { announce } from "chatty/views/live_region.js";
import { templateData } from "chatty/views/template_data.js";

const MANY = 10; // people: fewer need no warning

export class EveryoneNote {
  #form;
  #place;
  #chat;
  #permissions;
  #conversationList;
  #others;
  #stop;
  #ending = new AbortController();

  /** `page`: see suggestions.js. `others()`: a promise of the other active members. */
  constructor({ form, chat, permissions, conversationList }, others) {
    this.#form = form;
    this.#place = slot(form, "everyone"); // not in the editor of a message
    this.#chat = chat;
    this.#permissions = permissions;
    this.#conversationList = conversationList;
    this.#others = others;
  }

  connect() {
    if (!this.#place) return;
    const { signal } = this.#ending;
    this.#form.addEventListener("change", () => this.#show(), { signal }); // also when the composer is emptied
    this.#stop = this.#permissions.on("change", () => this.#show());
    this.#show();
  }

  disconnect() {
    this.#stop?.();
    this.#ending.abort();
  }

  async #show() {
    const { body } = this.#form.elements;
    const text = body.value;
    const found = callsEveryone(text) && (await this.#sentence(text));
    if (body.value !== text) return;
    const sentence = found || "";
    if (sentence !== this.#place.textContent) announce(sentence);
    this.#place.textContent = sentence;
    this.#place.hidden = !sentence;
  }

  async #sentence(text) {
    const others = await this.#others();
    const names = others.map(({ name }) => name);
    if (!callsEveryone(text, names)) return "";
    const { will, mayNot } = templateData("everyone-template");
    if (this.#permissions.can("mention-all")) {
      return others.length < MANY ? "" : will.replace("{people}", tn("people", others.length));
    }
    // Direct messages have no such setting.
    return this.#conversationList.get(this.#chat.id)?.mentioning_all === "admins" ? mayNot : "";
  }
}
