// The notification settings of this browser. Permission is requested only there, when a button is
// clicked.

import { savePrefs, loadPrefs } from "chatty/lib/notification_prefs.js";
import { showNotification } from "chatty/views/system_notifications.js";
import { slot } from "chatty/views/dom.js";
import { stateFor } from "chatty/views/notification_offer.js";
import { playSound } from "chatty/views/notification_sound.js";
import { siteName } from "chatty/views/site_name.js";
import { t } from "chatty/views/i18n.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(place, page) {
  const onTurnedOn = () => page.part("background").then((background) => background?.notify());
  const settings = new NotificationSettings({ place, me: page.me.id, onTurnedOn });
  settings.connect();
  return settings;
}

class NotificationSettings {
  #place;
  #me;
  #onTurnedOn;
  #ending = new AbortController();

  /** `onTurnedOn()` is called when notifications or the sound are turned on. */
  constructor({ place, me, onTurnedOn }) {
    this.#place = place;
    this.#me = me;
    this.#onTurnedOn = onTurnedOn;
  }

  connect() {
    this.#on("on", "click", () => this.#requestPermission());
    this.#on("off", "click", () => this.#savePrefs({ banners: false }, "on"));
    this.#on("try", "click", () => this.#sendTest());
    this.#on("listen", "click", playSound);
    this.#on("sound", "change", ({ target }) => this.#savePrefs({ sound: target.checked }));
    navigator.permissions
      ?.query({ name: "notifications" })
      .then((permission) =>
        permission.addEventListener("change", () => this.#show(), { signal: this.#ending.signal }),
      )
      .catch(() => {}); // not supported: the next visit shows the change
    this.#show();
  }

  disconnect() {
    this.#ending.abort();
  }

  #part(name) {
    return this.#place.querySelector(`[data-action=${name}]`);
  }

  #on(name, type, work) {
    this.#part(name).addEventListener(type, work);
  }

  async #requestPermission() {
    const answer = await Notification.requestPermission();
    const { sound = true } = loadPrefs(this.#me);
    if (answer === "granted") this.#savePrefs({ banners: true, sound, settled: true }, "try");
    else this.#show();
  }

  async #sendTest() {
    const content = { title: siteName(), body: t("notify.try") };
    await showNotification({ id: "try", ...content, url: location.pathname, again: true });
    if (loadPrefs(this.#me).sound) playSound();
    const place = slot(this.#place, "tried");
    place.textContent = place.dataset.tried;
  }

  #savePrefs(changes, focused = "") {
    savePrefs(this.#me, changes);
    this.#show();
    if (focused) this.#part(focused).focus(); // the clicked button is hidden now
    if (changes.banners || changes.sound) this.#onTurnedOn();
  }

  #show() {
    const state = stateFor(this.#me);
    for (const part of this.#place.querySelectorAll("[data-states]")) {
      part.hidden = !part.dataset.states.split(" ").includes(state);
    }
    this.#part("sound").checked = Boolean(loadPrefs(this.#me).sound);
  }
}
