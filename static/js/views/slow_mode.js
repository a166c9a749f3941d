// Slow mode, below the message box: how often one can post, and how long one still has to wait. Messages that
// are sent too soon wait in the outbox.

import { isLiveText } from "chatty/chat/live_text.js";
import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { Timers } from "chatty/lib/timers.js";
import { slot } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

const TICK = 1_000; // ms

export class SlowMode {
  #place;
  #chat;
  #conversationList;
  #permissions;
  #wait = 0; // ms
  #since = null; // when that wait began
  #timers = new Timers();
  #stops = [];

  /** `chat`: the ConversationChat. */
  constructor({ form, chat, conversationList, permissions }) {
    this.#place = slot(form, "slow-mode");
    this.#chat = chat;
    this.#conversationList = conversationList;
    this.#permissions = permissions;
  }

  connect() {
    this.#stops = [
      this.#conversationList.on("change", ({ id }) => id === this.#chat.id && this.#show()),
      this.#permissions.on("change", () => this.#show()),
      this.#chat.on("message", ({ message, own }) => own && isLiveText(message) && this.#start(this.#pause)),
      this.#chat.outbox.on("waiting", (told) => this.#onWaiting(told)),
    ];
    this.#start(Number(this.#place.dataset.wait || 0));
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    this.#timers.close();
  }

  get #pause() {
    return this.#conversationList.get(this.#chat.id)?.slow_mode ?? 0;
  }

  #onWaiting({ conversation, seconds }) {
    if (conversation === this.#chat.id) this.#start(seconds);
  }

  #start(seconds) {
    this.#wait = 1000 * seconds;
    this.#since = momentNow();
    this.#show();
  }

  #show() {
    const left = Math.ceil((Math.min(this.#wait, 1000 * this.#pause) - elapsedSince(this.#since)) / 1000);
    this.#timers.clear("tick");
    this.#place.hidden = !this.#pause || this.#permissions.can("post-at-once") || this.#permissions.locked;
    if (this.#place.hidden) return;
    const isWaiting = left > 0;
    this.#place.textContent = t(isWaiting ? "slow_mode.wait" : "slow_mode.on", {
      n: isWaiting ? left : this.#pause,
    });
    if (isWaiting) this.#timers.set("tick", TICK, () => this.#show());
  }
}
