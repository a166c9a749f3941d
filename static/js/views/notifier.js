// New messages while nobody looks: one notification per conversation and a sound.
//
// Every window has one of these. Whichever holds the lock "notifier" speaks for all; a window that
// somebody looks at holds "looked at", and while any does nobody is told anything.
// What is told follows from the numbers of the roster, not from frames: so also what came while the
// line was down is told, and what was read on another device is taken away.

import { callsOf, levelOf } from "chatty/chat/roster.js";
import { ACCOUNT_CLOSED, SIGNED_OUT } from "chatty/chat/protocol.js";
import { isWord } from "chatty/chat/store.js";
import { excerpt, plain } from "chatty/lib/text.js";
import { isWatched } from "chatty/views/dom.js";
import { say, sayCount } from "chatty/views/words.js";

const GRACE = 800; // ms: what is read at once, wherever, needs no notification
const QUIET = 4_000; // ms between two sounds
const BODY = 140; // characters
const HANDOVER = 5_000; // ms: what a window did not tell before it closed, the next one tells

export class Notifier {
  #me;
  #scope;
  #roster;
  #chat;
  #wishes;
  #banners;
  #tone;
  #grace;
  #known = new Map(); // id -> {seq, calls}, as of when it was last looked at here
  #latest = new Map(); // id -> the last message that calls
  #soon = new Map(); // id -> timer
  #shown = new Set(); // ids
  #untold = new Map(); // id -> when it was left to the window that speaks
  #leads = false;
  #stepDown = null;
  #looking = false;
  #lookAway = null;
  #sounded = -Infinity;
  #stops = [];
  #ending = new AbortController();

  /**
   * `wishes()` gives {banners, sound}; `banners` is {showBanner, closeBanners, bannerIds} and `tone`
   * {canSound, playTone}.
   */
  constructor({ me, scope, roster, chat, wishes, banners, tone, grace = GRACE }) {
    this.#me = me;
    this.#scope = `chatty.${scope}`;
    this.#roster = roster;
    this.#chat = chat;
    this.#wishes = wishes;
    this.#banners = banners;
    this.#tone = tone;
    this.#grace = grace;
  }

  // Lifecycle

  connect() {
    for (const id of this.#roster.ids()) this.#changed(id);
    this.#stops.push(
      this.#roster.on("heard", ({ id, messages }) => this.#heard(id, messages)),
      this.#roster.on("change", ({ id }) => this.#changed(id)),
      this.#roster.on("gone", ({ id }) => this.#hush(id)),
      this.#chat.on("status", (status) => this.#lineChanged(status)),
    );
    const { signal } = this.#ending;
    for (const type of ["focus", "blur"]) addEventListener(type, () => this.#watch(), { signal });
    document.addEventListener("visibilitychange", () => this.#watch(), { signal });
    this.#watch();
    navigator.locks
      .request(`${this.#scope}.notifier`, { signal }, () => this.#lead())
      .catch(() => {}); // ended before it was its turn
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    for (const timer of this.#soon.values()) clearTimeout(timer);
    this.#ending.abort();
    this.#leads = this.#looking = false;
    this.#stepDown?.();
    this.#lookAway?.();
  }

  // Internal: who speaks

  /** A window that hears nothing any more leaves it to another; signed out, nothing is left behind. */
  #lineChanged({ state, code }) {
    if (state !== "stopped") return;
    this.disconnect();
    if (code === SIGNED_OUT || code === ACCOUNT_CLOSED) this.#banners.closeBanners();
  }

  async #lead() {
    for (const id of await this.#banners.bannerIds()) this.#shown.add(id);
    if (this.#ending.signal.aborted) return;
    this.#leads = true;
    for (const id of this.#shown) this.#tidy(id);
    for (const [id, at] of this.#untold) {
      if (!this.#shown.has(id) && Date.now() - at < HANDOVER) this.#tell(id);
    }
    await new Promise((resolve) => {
      this.#stepDown = resolve;
    });
  }

  #watch() {
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

  #heard(id, messages) {
    const row = this.#roster.get(id);
    const gone = messages.some((each) => each.deleted_at && each.id === this.#latest.get(id)?.id);
    if (gone) this.#hush(id); // its words must not be left standing there
    const calling = messages.filter((each) => this.#calls(row, each));
    if (calling.length) this.#latest.set(id, calling.at(-1));
  }

  #calls(row, message) {
    if (!isWord(message) || message.author?.id === this.#me || message.edited_at) return false;
    return levelOf(row) === "all" || message.mentions.includes(this.#me);
  }

  #changed(id) {
    const row = this.#roster.get(id);
    if (!row?.counted) return;
    const calls = callsOf(row);
    // Of a conversation that appears, all that is unread is new; not so of those the page began with.
    const before = this.#known.get(id) ?? row.first ?? { seq: row.last_read_seq, calls: 0 };
    this.#known.set(id, { seq: row.last_seq, calls });
    if (!calls) this.#hush(id);
    else if (row.last_seq > before.seq && calls > before.calls) this.#tellSoon(id);
  }

  #tidy(id) {
    const row = this.#roster.get(id);
    if (!row || (row.counted && !callsOf(row))) this.#hush(id);
  }

  #hush(id) {
    clearTimeout(this.#soon.get(id));
    this.#soon.delete(id);
    this.#latest.delete(id);
    if (this.#leads && this.#shown.delete(id)) this.#banners.closeBanners(id);
  }

  // Internal: telling

  #tellSoon(id) {
    if (this.#soon.has(id)) return;
    const timer = setTimeout(() => {
      this.#soon.delete(id);
      this.#tell(id);
    }, this.#grace);
    this.#soon.set(id, timer);
  }

  async #tell(id) {
    if (!this.#leads) {
      this.#untold.set(id, Date.now());
      return;
    }
    if (await this.#isLookedAt()) return;
    const row = this.#roster.get(id);
    if (!row || !callsOf(row)) return;
    const { banners, sound } = this.#wishes();
    const again = Date.now() - this.#sounded >= QUIET;
    if (again) this.#sounded = Date.now();
    if (sound && again) this.#tone.playTone();
    if (!banners) return;
    this.#shown.add(id);
    // Where the page may not sound by itself, the system may.
    const silent = !sound || !again || this.#tone.canSound();
    await this.#banners.showBanner({ id, ...this.#words(row), url: `/c/${id}/`, again, silent });
    if (!this.#shown.has(id)) this.#banners.closeBanners(id); // read meanwhile
  }

  #words(row) {
    const calls = callsOf(row);
    const more = row.unread_more && levelOf(row) === "all" ? "+" : "";
    const title = calls > 1 ? `${row.name} (${calls}${more})` : row.name;
    const message = this.#latest.get(row.id);
    if (!message) return { title, body: sayCount("new", calls, { n: `${calls}${more}` }) };
    const words = excerpt(plain(message), BODY);
    if (row.kind === "direct") return { title, body: words };
    return { title, body: say("notify.says", { name: message.author?.name ?? "", words }) };
  }
}
