// Notifications for new messages while no window is being looked at: one per conversation, and a sound.
//
// Each window has a Notifier. The one that holds the lock "notifier" notifies for all. A window that is
// being looked at holds "looked-at", and no notification is shown while any window does.
// Notifications follow the counts of the conversation list, not frames: messages that arrived while
// offline are included, and notifications of messages read on another device are closed.

import { notifiableCount, levelOf } from "chatty/chat/conversation_list.js";
import { ACCOUNT_CLOSED, SIGNED_OUT, TOO_MANY_SOCKETS } from "chatty/chat/protocol.js";
import { isLiveText, isMentioned } from "chatty/chat/live_text.js";
import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { loadPrefs } from "chatty/lib/notification_prefs.js";
import { canSound } from "chatty/lib/sound.js";
import { isWatched, view } from "chatty/views/dom.js";
import { t, tn } from "chatty/views/i18n.js";
import { closeNotifications, notificationIds, showNotification } from "chatty/views/system_notifications.js";

const GRACE = 800; // ms to wait, in case the message is read immediately on some device
const QUIET = 4_000; // ms between two sounds
const HANDOVER = 5_000; // ms for which a new leader shows notifications the previous one may have missed

/** @param {import("chatty/views/page.js").Page} page */
export function startNotifier({ me, scope, conversationList, chat, socket }) {
  let prefs = loadPrefs;
  view("quiet_hours").then((quiet) => (prefs = quiet.prefsNow(socket, me)));
  const playSound = () => view("notification_sound").then((sounds) => sounds.playSound());
  new Notifier({
    me: me.id,
    scope,
    conversationList,
    chat,
    prefs: () => prefs(me.id),
    notifications: { closeNotifications, notificationIds, showNotification },
    sound: { canSound, playSound },
  }).connect();
}

export class Notifier {
  #me;
  #scope;
  #conversationList;
  #chat;
  #prefs;
  #notifications;
  #sound;
  #grace;
  #known = new Map(); // id -> {seq, count} at the last change
  #latest = new Map(); // id -> the last message worth a notification
  #soon = new Map(); // id -> timer
  #shown = new Set(); // ids
  #untold = new Map(); // id -> when its notification was left to the leader
  #isLeader = false;
  #stepDown = null;
  #looking = false;
  #lookAway = null;
  #sounded = null; // when the last sound was played
  #stops = [];
  #ending = new AbortController();

  /**
   * `prefs()` returns {banners, sound}. `notifications` is {showNotification, closeNotifications,
   * notificationIds} and `sound` is {canSound, playSound}.
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
    this.#ending = new AbortController();
    for (const id of this.#conversationList.ids()) this.#onChange(id);
    this.#stops = [
      this.#conversationList.on("messages", ({ id, messages }) => this.#onMessages(id, messages)),
      this.#conversationList.on("change", ({ id }) => this.#onChange(id)),
      this.#conversationList.on("removed", ({ id }) => this.#dismiss(id)),
      this.#chat.on("status", (status) => this.#onStatus(status)),
    ];
    const { signal } = this.#ending;
    for (const type of ["focus", "blur"]) addEventListener(type, () => this.#updateWatching(), { signal });
    document.addEventListener("visibilitychange", () => this.#updateWatching(), { signal });
    // The browser may keep the page for "Back", with its locks.
    addEventListener("pagehide", () => this.#updateWatching(false), { signal });
    addEventListener("pageshow", () => this.#updateWatching(), { signal });
    this.#updateWatching();
    navigator.locks.request(`${this.#scope}.notifier`, { signal }, () => this.#lead(signal)).catch(() => {}); // ended before it was its turn
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    for (const timer of this.#soon.values()) clearTimeout(timer);
    this.#soon.clear();
    this.#ending.abort();
    this.#isLeader = this.#looking = false;
    this.#stepDown?.();
    this.#lookAway?.();
  }

  // Internal: leader election

  /** A window without a socket leaves notifying to another. After signing out, close all notifications. */
  #onStatus({ state, code }) {
    if (state !== "stopped") return;
    this.disconnect();
    if (code === SIGNED_OUT || code === ACCOUNT_CLOSED) this.#notifications.closeNotifications();
    if (code !== TOO_MANY_SOCKETS) return;
    // It may get a socket once another window is closed.
    const stop = this.#chat.on("status", (status) => {
      if (status.state !== "online") return;
      stop();
      this.connect();
    });
    this.#stops = [stop];
  }

  async #lead(signal) {
    for (const id of await this.#notifications.notificationIds()) this.#shown.add(id);
    if (signal.aborted) return;
    this.#isLeader = true;
    for (const id of this.#shown) this.#dismissIfRead(id);
    for (const [id, at] of this.#untold) {
      if (!this.#shown.has(id) && elapsedSince(at) < HANDOVER) this.#notify(id);
    }
    await new Promise((resolve) => {
      this.#stepDown = resolve;
    });
  }

  #updateWatching(isLooking = isWatched()) {
    if (isLooking === this.#looking) return;
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

  // Internal: what to notify about

  #onMessages(id, messages) {
    const row = this.#conversationList.get(id);
    const gone = messages.some((each) => each.deleted_at && each.id === this.#latest.get(id)?.id);
    if (gone) this.#dismiss(id); // the text of a deleted message must not remain visible
    const calling = messages.filter((each) => this.#notifies(row, each));
    if (calling.length) this.#latest.set(id, calling.at(-1));
  }

  #notifies(row, message) {
    if (!isLiveText(message) || message.author?.id === this.#me || message.edited_at) return false;
    return levelOf(row) === "all" || isMentioned(message, this.#me);
  }

  #onChange(id) {
    const row = this.#conversationList.get(id);
    if (!row?.counted) return;
    const count = notifiableCount(row);
    // In a conversation that was just added, everything unread is new. The rows the page started with
    // have their first counts as the baseline.
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

  // Internal: notifying

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
      this.#untold.set(id, momentNow());
      return;
    }
    if (await this.#isLookedAt()) return;
    const row = this.#conversationList.get(id);
    if (!row || !notifiableCount(row)) return;
    const { banners, sound } = this.#prefs();
    const again = elapsedSince(this.#sounded) >= QUIET;
    if (again) this.#sounded = momentNow();
    if (sound && again) this.#sound.playSound();
    if (!banners) return;
    this.#shown.add(id);
    // If the page is not allowed to play the sound, let the system play its own.
    const silent = !sound || !again || this.#sound.canSound();
    await this.#notifications.showNotification({
      id,
      ...this.#contentOf(row),
      url: `/c/${id}/`,
      again,
      silent,
    });
    if (!this.#shown.has(id)) this.#notifications.closeNotifications(id); // read in the meantime
  }

  #contentOf(row) {
    const count = notifiableCount(row);
    const more = row.unread_more && levelOf(row) === "all" ? "+" : "";
    const title = count > 1 ? `${row.name} (${count}${more})` : row.name;
    const message = this.#latest.get(row.id);
    if (!message) return { title, body: tn("new", count, { n: `${count}${more}` }) };
    const { author, excerpt } = message;
    if (row.kind === "direct") return { title, body: excerpt };
    return { title, body: t("notify.says", { name: author?.name ?? "", text: excerpt }) };
  }
}
