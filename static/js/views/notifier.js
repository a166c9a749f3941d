// New messages while nobody looks: one notification per conversation and a sound.
//
// Every window has one of these. Whichever holds the lock "notifier" speaks for all; a window that
// somebody looks at holds "looked at", and while any does nobody is told anything.
// What is told follows from the numbers of the conversation list, not from frames: so also what came while the
// connection was down is told, and what was read on another device is taken away.

import { notifiableCount, levelOf } from "chatty/chat/conversation_list.js";
import { ACCOUNT_CLOSED, SIGNED_OUT } from "chatty/chat/protocol.js";
import { isLiveText } from "chatty/chat/store.js";
import { excerpt, plain } from "chatty/lib/text.js";
import { isWatched } from "chatty/views/dom.js";
import { t, tn } from "chatty/views/i18n.js";

const GRACE = 800; // ms: what is read at once, wherever, needs no notification
const QUIET = 4_000; // ms between two sounds
const BODY = 140; // characters
const HANDOVER = 5_000; // ms: what a window did not tell before it closed, the next one tells

export class Notifier {
  #me;
  #scope;
  #conversationList;
  #chat;
  #prefs;
  #notifications;
  #sound;
  #grace;
  #known = new Map(); // id -> {seq, calls}, as of when it was last looked at here
  #latest = new Map(); // id -> the last message that calls
  #soon = new Map(); // id -> timer
  #shown = new Set(); // ids
  #untold = new Map(); // id -> when it was left to the window that speaks
  #isLeader = false;
  #stepDown = null;
  #looking = false;
  #lookAway = null;
  #sounded = -Infinity;
  #stops = [];
  #ending = new AbortController();

  /**
   * `prefs()` gives {banners, sound}; `notifications` is {showNotification,
   * closeNotifications, notificationIds} and `sound` {canSound, playSound}.
   */
  constructor({ me, scope, conversationList, chat, prefs, notifications, sound, grace = GRACE }) {
    this.#me = me;
    this.#scope = `chatty.${scope}`;
    this.#conversationList = conversationList;
    this.#chat = chat;
    this.#prefs = prefs;
    this.#notifications = notifications;
    this.#sound = sound;
    this.#grace = grace;
  }

  // Lifecycle

  connect() {
    for (const id of this.#conversationList.ids()) this.#onChange(id);
    this.#stops.push(
      this.#conversationList.on("messages", ({ id, messages }) => this.#onMessages(id, messages)),
      this.#conversationList.on("change", ({ id }) => this.#onChange(id)),
      this.#conversationList.on("removed", ({ id }) => this.#dismiss(id)),
      this.#chat.on("status", (status) => this.#onStatus(status)),
    );
    const { signal } = this.#ending;
    for (const type of ["focus", "blur"]) addEventListener(type, () => this.#updateWatching(), { signal });
    document.addEventListener("visibilitychange", () => this.#updateWatching(), { signal });
    this.#updateWatching();
    navigator.locks.request(`${this.#scope}.notifier`, { signal }, () => this.#lead()).catch(() => {}); // ended before it was its turn
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    for (const timer of this.#soon.values()) clearTimeout(timer);
    this.#ending.abort();
    this.#isLeader = this.#looking = false;
    this.#stepDown?.();
    this.#lookAway?.();
  }

  // Internal: who speaks

  /** A window that hears nothing any more leaves it to another; signed out, nothing is left behind. */
  #onStatus({ state, code }) {
    if (state !== "stopped") return;
    this.disconnect();
    if (code === SIGNED_OUT || code === ACCOUNT_CLOSED) this.#notifications.closeNotifications();
  }

  async #lead() {
    for (const id of await this.#notifications.notificationIds()) this.#shown.add(id);
    if (this.#ending.signal.aborted) return;
    this.#isLeader = true;
    for (const id of this.#shown) this.#dismissIfRead(id);
    for (const [id, at] of this.#untold) {
      if (!this.#shown.has(id) && Date.now() - at < HANDOVER) this.#notify(id);
    }
    await new Promise((resolve) => {
      this.#stepDown = resolve;
    });
  }

  #updateWatching() {
    if (isWatched() === this.#looking) return;
    this.#looking = !this.#looking;
    if (this.#looking) this.#look();
    else this.#lookAway?.();
  }

  #look() {
    const away = new Promise((resolve) => (this.#lookAway = resolve));
    navigator.locks.request(this.#lookedAt, { mode: "shared" }, () => away);
  }

  get #lookedAt() {
    return `${this.#scope}.looked-at`;
  }

  async #isLookedAt() {
    const { held } = await navigator.locks.query();
    return held.some(({ name }) => name === this.#lookedAt);
  }

  // Internal: what there is to tell

  #onMessages(id, messages) {
    const row = this.#conversationList.get(id);
    const gone = messages.some((each) => each.deleted_at && each.id === this.#latest.get(id)?.id);
    if (gone) this.#dismiss(id); // its words must not be left standing there
    const calling = messages.filter((each) => this.#notifies(row, each));
    if (calling.length) this.#latest.set(id, calling.at(-1));
  }

  #notifies(row, message) {
    if (!isLiveText(message) || message.author?.id === this.#me || message.edited_at) return false;
    return levelOf(row) === "all" || message.mentions.includes(this.#me);
  }

  #onChange(id) {
    const row = this.#conversationList.get(id);
    if (!row?.counted) return;
    const count = notifiableCount(row);
    // Of a conversation that appears, all that is unread is new; not so of those the page began with.
    const before = this.#known.get(id) ?? row.first ?? { seq: row.last_read_seq, count: 0 };
    this.#known.set(id, { seq: row.last_seq, count });
    if (!count) this.#dismiss(id);
    else if (row.last_seq > before.seq && count > before.count) this.#notifySoon(id);
  }

  #dismissIfRead(id) {
    const row = this.#conversationList.get(id);
    if (!row || (row.counted && !notifiableCount(row))) this.#dismiss(id);
  }

  #dismiss(id) {
    clearTimeout(this.#soon.get(id));
    this.#soon.delete(id);
    this.#latest.delete(id);
    if (this.#isLeader && this.#shown.delete(id)) this.#notifications.closeNotifications(id);
  }

  // Internal: telling

  #notifySoon(id) {
    if (this.#soon.has(id)) return;
    const timer = setTimeout(() => {
      this.#soon.delete(id);
      this.#notify(id);
    }, this.#grace);
    this.#soon.set(id, timer);
  }

  async #notify(id) {
    if (!this.#isLeader) {
      this.#untold.set(id, Date.now());
      return;
    }
    if (await this.#isLookedAt()) return;
    const row = this.#conversationList.get(id);
    if (!row || !notifiableCount(row)) return;
    const { banners, sound } = this.#prefs();
    const again = Date.now() - this.#sounded >= QUIET;
    if (again) this.#sounded = Date.now();
    if (sound && again) this.#sound.playSound();
    if (!banners) return;
    this.#shown.add(id);
    // Where the page may not sound by itself, the system may.
    const silent = !sound || !again || this.#sound.canSound();
    await this.#notifications.showNotification({
      id,
      ...this.#contentOf(row),
      url: `/c/${id}/`,
      again,
      silent,
    });
    if (!this.#shown.has(id)) this.#notifications.closeNotifications(id); // read meanwhile
  }

  #contentOf(row) {
    const count = notifiableCount(row);
    const more = row.unread_more && levelOf(row) === "all" ? "+" : "";
    const title = count > 1 ? `${row.name} (${count}${more})` : row.name;
    const message = this.#latest.get(row.id);
    if (!message) return { title, body: tn("new", count, { n: `${count}${more}` }) };
    const text = excerpt(plain(message), BODY);
    if (row.kind === "direct") return { title, body: text };
    return { title, body: t("notify.says", { name: message.author?.name ?? "", text }) };
  }
}
