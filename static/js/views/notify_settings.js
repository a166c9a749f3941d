// Asking for leave to notify, on the page of settings only and only when a button is pressed; and the
// line in the list of conversations that leads there, until it is answered.

import { wish, wishesOf } from "chatty/lib/wishes.js";
import { showBanner } from "chatty/views/banners.js";
import { slot } from "chatty/views/dom.js";
import { playTone } from "chatty/views/tone.js";
import { say } from "chatty/views/words.js";

/** Show the line to who has not been asked and could say yes. */
export function offer(line, me) {
  if (wishesOf(me).settled || stateFor(me) !== "ask") return;
  line.hidden = false;
  line.querySelector("button").addEventListener("click", () => {
    wish(me, { settled: true });
    line.remove();
  });
}

export class NotifySettings {
  #place;
  #me;
  #turnedOn;

  /** `onTurnedOn()`: there is something to do in this window from now on. */
  constructor({ place, me, onTurnedOn }) {
    this.#place = place;
    this.#me = me;
    this.#turnedOn = onTurnedOn;
  }

  connect() {
    this.#on("on", "click", () => this.#ask());
    this.#on("off", "click", () => this.#wish({ banners: false }, "on"));
    this.#on("try", "click", () => this.#try());
    this.#on("listen", "click", playTone);
    this.#on("sound", "change", ({ target }) => this.#wish({ sound: target.checked }));
    navigator.permissions
      ?.query({ name: "notifications" })
      .then((permission) => permission.addEventListener("change", () => this.#show()))
      .catch(() => {}); // a browser that cannot tell: the next visit shows it
    this.#show();
  }

  #part(name) {
    return this.#place.querySelector(`[data-action=${name}]`);
  }

  #on(name, type, work) {
    this.#part(name).addEventListener(type, work);
  }

  async #ask() {
    const answer = await Notification.requestPermission();
    const { sound = true } = wishesOf(this.#me);
    if (answer === "granted") this.#wish({ banners: true, sound, settled: true }, "try");
    else this.#show();
  }

  async #try() {
    const words = { title: "Chatty", body: say("notify.try") };
    await showBanner({ id: "try", ...words, url: location.pathname, again: true });
    if (wishesOf(this.#me).sound) playTone();
    const place = slot(this.#place, "tried");
    place.textContent = place.dataset.tried;
  }

  #wish(changes, focused = "") {
    wish(this.#me, changes);
    this.#show();
    if (focused) this.#part(focused).focus(); // the button that was pressed is gone
    if (changes.banners || changes.sound) this.#turnedOn();
  }

  #show() {
    const state = stateFor(this.#me);
    for (const part of this.#place.querySelectorAll("[data-states]")) {
      part.hidden = !part.dataset.states.split(" ").includes(state);
    }
    this.#part("sound").checked = Boolean(wishesOf(this.#me).sound);
  }
}

function stateFor(me) {
  if (!globalThis.isSecureContext) return "insecure";
  if (!("Notification" in globalThis) || !navigator.locks) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  if (Notification.permission === "default") return "ask";
  return wishesOf(me).banners ? "on" : "off";
}
