// The message list of a conversation: renders the store's messages, grouped by day and author.

import { element, fill, fromTemplate, slot } from "chatty/views/dom.js";
import { Scroll, firstIndex } from "chatty/views/scroll.js";
import { t, tn } from "chatty/views/i18n.js";

const ROWS_MAX = 200; // messages in the page; above that, the far end is dropped
const ROWS_KEPT = 150;
const PATIENCE = 600; // ms before a pending message shows its state
const REACH = 900; // px from an end at which the next page is fetched

export class Timeline {
  #store;
  #chat;
  #message; // MessageView
  #times;
  #me;
  #box;
  #inner;
  #jump;
  #scroll;
  #rows = new Map(); // message id -> element
  #pending = new Map(); // key -> element
  #reaching = null; // IntersectionObserver
  #showsPending = false;
  #locked; // why messages can't be sent: see Composer.lock()
  #waiting = 0; // new messages below the view
  #onMove;
  #stops = [];
  #ending = new AbortController();

  /** `locked`: as for lock(). `onMove()` is called whenever other messages may be in view. */
  constructor({ store, chat, message, times, me, locked, onMove }) {
    this.#store = store;
    this.#chat = chat;
    this.#message = message;
    this.#times = times;
    this.#me = me;
    this.#locked = locked;
    this.#onMove = onMove;
    this.#box = document.getElementById("timeline");
    this.#inner = document.getElementById("messages");
    this.#jump = document.getElementById("jump");
    this.#scroll = new Scroll({ box: this.#box, inner: this.#inner, onMove: () => this.#updateJump() });
  }

  // Lifecycle

  connect() {
    for (const row of this.#drawnRows()) this.#rows.set(Number(row.dataset.messageId), row);
    this.#stops.push(
      this.#store.on("change", (change) => this.#onChange(change)),
      this.#chat.on("message", (spoken) => this.#onMessage(spoken)),
    );
    const { signal } = this.#ending;
    this.#inner.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.#jump.addEventListener("click", () => this.toLatest(), { signal });
    document.addEventListener("visibilitychange", () => this.#nameDays(), { signal });
    this.#reaching = new IntersectionObserver((entries) => this.#onIntersect(entries), {
      root: this.#box,
      rootMargin: `${REACH}px 0px`,
    });
    // The server uses the profile's time zone, if set. Otherwise only the browser knows it.
    for (const row of this.#rows.values()) this.#message.showTime(row, row.dataset.created);
    this.#arrange();
    this.#nameDays();
    this.#scroll.connect();
    this.#openAt();
    this.#mark();
    this.#watchEnds();
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    this.#ending.abort();
    this.#reaching.disconnect();
    this.#scroll.disconnect();
  }

  // Public methods

  get atEnd() {
    return this.#scroll.atEnd && !this.#store.hasNewer;
  }

  /** The seq of the last message whose end is in view, or 0. */
  lastSeen() {
    return Number(this.#scroll.lastSeen(this.#drawnRows())?.dataset.seq ?? 0);
  }

  row(id) {
    return this.#rows.get(id);
  }

  /** The elements of messages and system messages, oldest first. */
  rows() {
    return this.#drawnRows();
  }

  /** True if the end of the element is in view. */
  isInSight(element) {
    return this.#scroll.hasSeen(element);
  }

  /** The scroll position for putBack(): the first visible message and its offset. */
  place() {
    const { element, top } = this.#scroll.firstInSight ?? {};
    const { messageId, seq } = element?.dataset ?? {};
    return { id: Number(messageId), seq: Number(seq), top, atEnd: this.atEnd };
  }

  /** Restore a position of place(). Returns false if its message is not loaded. */
  putBack({ id, top }) {
    const row = this.#rows.get(id);
    if (row) this.#scroll.put(row, top);
    return Boolean(row);
  }

  show(element, options) {
    this.#scroll.to(element, options);
  }

  async toLatest({ smooth = true } = {}) {
    if (this.#store.hasNewer) await this.#fetch(() => this.#chat.latest());
    this.#scroll.toEnd({ smooth });
    this.#waiting = 0;
    this.#updateJump();
  }

  /** Move the "New" line before `row`. */
  placeNewLine(row) {
    this.#scroll.keep(() => {
      this.dropNewLine();
      row.before(fromTemplate("new-line-template"));
      this.#arrange();
    });
  }

  /** Show on failed messages why they can't be sent, with the remaining actions. `why`: "" to unlock. */
  lock(why) {
    this.#locked = why;
    for (const row of this.#pending.values()) delete row.dataset.state;
    this.#onChange({ ids: [], keys: [...this.#pending.keys()], replaced: false });
  }

  dropNewLine() {
    this.#inner.querySelector(":scope > .new-line")?.remove();
  }

  // Internal: opening

  /** Scroll to the URL's fragment, else to the "New" line, else to the end. */
  #openAt() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && this.#inner.contains(target) && target.id !== "newest") return;
    if (this.#store.hasNewer) return;
    this.#scroll.toEnd();
    const line = this.#inner.querySelector(":scope > .new-line");
    if (line && !this.#scroll.hasSeen(line)) this.#scroll.to(line, { block: "start" });
  }

  // Internal: rendering

  #onChange({ ids, keys, replaced }) {
    this.#scroll.keep(() => {
      const drawn = ids.length ? this.#drawnRows() : [];
      for (const id of ids) this.#draw(id, drawn);
      this.#drawPending(keys, replaced);
      if (ids.length) {
        this.#refreshQuotes(ids);
        this.#mark();
        this.#arrange();
      }
    });
    if (replaced && !this.#store.hasNewer) this.#scroll.toEnd();
    this.#trim();
  }

  /** `drawn`: the existing rows in order. New ones are added to it. */
  #draw(id, drawn) {
    const message = this.#store.get(id);
    const row = this.#rows.get(id);
    if (!message) {
      row?.remove();
      this.#rows.delete(id);
    } else if (row) {
      this.#message.update(row, message);
    } else {
      this.#place(this.#arrived(message), message, drawn);
    }
  }

  /** Render a new message, replacing its pending row if there is one. */
  #arrived(message) {
    const waiting = message.author?.id === this.#me.id && this.#pending.get(message.key);
    if (!waiting) return this.#message.draw(message);
    this.#pending.delete(message.key);
    const drawn = this.#message.draw(message);
    waiting.replaceWith(drawn);
    return drawn;
  }

  #place(row, message, drawn) {
    this.#rows.set(message.id, row);
    const index = firstIndex(drawn, (other) => Number(other.dataset.seq) > message.seq);
    const next = drawn.slice(index).find((other) => other.isConnected);
    drawn.splice(index, 0, row);
    const here = next ? this.#startOf(next) : this.#afterMessages();
    if (row.isConnected && !next && row.nextElementSibling === here) return;
    this.#inner.insertBefore(row, here);
  }

  /** The element to insert before in order to come before `row`, including its day and "New" line. */
  #startOf(row) {
    let start = row;
    while (start.previousElementSibling?.matches(".day, .new-line")) {
      start = start.previousElementSibling;
    }
    return start;
  }

  #afterMessages() {
    const [first] = this.#pending.values();
    return first ? this.#startOf(first) : this.#end();
  }

  #end() {
    return document.getElementById("newer") ?? document.getElementById("newest");
  }

  /** `keys`: of changed entries. All are rendered again when the end of the list appears or disappears. */
  #drawPending(keys, replaced) {
    const isShown = !this.#store.hasNewer;
    const isAnew = replaced || isShown !== this.#showsPending;
    this.#showsPending = isShown;
    if (isAnew) keys = [...this.#pending.keys(), ...this.#store.pending().map(({ key }) => key)];
    for (const key of new Set(keys)) {
      const entry = isShown && this.#store.getPending(key);
      if (entry) {
        this.#drawEntry(entry);
      } else {
        this.#pending.get(key)?.remove();
        this.#pending.delete(key);
      }
    }
  }

  #drawEntry(entry) {
    let row = this.#pending.get(entry.key);
    if (!row) {
      row = this.#message.drawPending({ ...entry, quote: this.#store.quoteOf(entry.reply_to) });
      this.#pending.set(entry.key, row);
      this.#inner.insertBefore(row, this.#end());
      this.#arrangeRow(row, previousRow(row));
    }
    const state = entry.state === "sent" ? "sending" : entry.state;
    if (row.dataset.state === state) return;
    row.dataset.state = state;
    row.classList.toggle("message--failed", state === "failed");
    this.#showState(row, entry, state);
  }

  #showState(row, entry, state) {
    const status = slot(row, "status");
    if (state !== "failed") {
      // Delayed: most messages are sent before anyone could read their state.
      const wait = status.textContent ? 0 : PATIENCE;
      setTimeout(() => {
        if (row.isConnected && row.dataset.state === state) status.textContent = t(`status.${state}`);
      }, wait);
      return;
    }
    status.replaceChildren();
    // If the page must be reloaded instead, the server's error is shown.
    const isHere = ["removed", "deleted", "archived"].includes(this.#locked);
    const why = isHere ? t(`unsent.${this.#locked}`) : entry.failure.detail;
    status.append(element("span", "message__failure", why));
    for (const action of this.#locked ? ["copy", "discard"] : ["retry", "amend", "discard"]) {
      const press = element("button", "message__action", t(`status.${action}`));
      press.type = "button";
      press.dataset.action = action;
      press.dataset.key = entry.key;
      status.append(press);
    }
  }

  /** Update the quotes of changed messages. */
  #refreshQuotes(ids) {
    const changed = new Set(ids);
    for (const quote of this.#inner.querySelectorAll(".quote[data-reply-to]")) {
      const id = Number(quote.dataset.replyTo);
      const quoted = changed.has(id) && this.#store.quoteOf(id);
      if (quoted) this.#message.updateQuote(quote.closest("[data-kind]"), quoted);
    }
  }

  // Internal: days, groups, ends

  #drawnRows() {
    return [...this.#inner.querySelectorAll(":scope > [data-kind]:not([data-state])")];
  }

  /** Put a heading before the first message of each day, and group consecutive messages by author. */
  #arrange() {
    // Among pending messages, only the first can have a different message before it now.
    const [waiting] = this.#pending.values();
    let before = null;
    for (const row of [...this.#drawnRows(), ...(waiting ? [waiting] : [])]) {
      this.#arrangeRow(row, before);
      before = row;
    }
    for (const day of this.#inner.querySelectorAll(":scope > .day")) {
      if (!this.#leadsMessage(day)) day.remove();
    }
    const line = this.#inner.querySelector(":scope > .new-line");
    if (line && !this.#leadsMessage(line)) line.remove();
  }

  #arrangeRow(row, before) {
    const day = this.#times.dayKey(row.dataset.created);
    const isFirst = !before || this.#times.dayKey(before.dataset.created) !== day;
    this.#arrangeDay(row, day, isFirst);
    const isAfterLine = row.previousElementSibling?.matches(".new-line") ?? false;
    const goesOn =
      !isFirst &&
      !isAfterLine &&
      row.dataset.kind === "text" &&
      before.dataset.kind === "text" &&
      before.dataset.author === row.dataset.author &&
      this.#times.isNear(before.dataset.created, row.dataset.created);
    row.classList.toggle("message--continued", goesOn);
  }

  #arrangeDay(row, day, isFirst) {
    const start = this.#startOf(row);
    const days = [];
    for (let lead = start; lead !== row; lead = lead.nextElementSibling) {
      if (lead.matches(".day")) days.push(lead);
    }
    const [kept, ...extra] = isFirst ? days : [undefined, ...days];
    for (const each of extra) each.remove();
    if (!isFirst) return;
    const heading = kept ?? fromTemplate("day-template");
    if (!kept) this.#startOf(row).before(heading);
    if (heading.dataset.day === day) return;
    heading.dataset.day = day;
    this.#nameDay(heading, row.dataset.created);
  }

  #leadsMessage(lead) {
    let next = lead.nextElementSibling;
    while (next?.matches(".day, .new-line")) next = next.nextElementSibling;
    return Boolean(next?.matches("[data-kind]"));
  }

  #nameDay(heading, moment) {
    const names = { 0: "day.today", 1: "day.yesterday" };
    const name = names[this.#times.daysAgo(moment)];
    fill(heading, "day", name ? t(name) : this.#times.day(moment));
  }

  /** Update the day headings: a page left open past midnight must not keep showing "Today". */
  #nameDays() {
    for (const heading of this.#inner.querySelectorAll(":scope > .day")) {
      let row = heading.nextElementSibling;
      while (row && !row.matches("[data-kind]")) row = row.nextElementSibling;
      if (row) this.#nameDay(heading, row.dataset.created);
    }
  }

  /** Show the links to older and newer messages if there are any. */
  #mark() {
    this.#markEnd("older", this.#store.hasOlder, (made) => this.#inner.prepend(made));
    this.#markEnd("newer", this.#store.hasNewer, (made) =>
      this.#inner.insertBefore(made, document.getElementById("newest")),
    );
    const beginning = this.#inner.querySelector(":scope > .intro");
    if (this.#store.hasOlder) beginning?.remove();
    else if (!beginning) this.#inner.prepend(fromTemplate("intro-template") ?? "");
    this.#watchEnds();
  }

  #markEnd(id, isThere, put) {
    const nav = document.getElementById(id);
    if (!isThere) nav?.remove();
    else if (!nav) put(fromTemplate(`${id}-template`));
  }

  // Internal: loading

  #watchEnds() {
    if (!this.#reaching) return;
    this.#reaching.disconnect();
    for (const id of ["older", "newer"]) {
      const nav = document.getElementById(id);
      if (nav) this.#reaching.observe(nav);
    }
  }

  #onIntersect(entries) {
    for (const entry of entries) {
      if (entry.isIntersecting) this.#loadMore(entry.target.id);
    }
  }

  async #loadMore(end) {
    const nav = document.getElementById(end);
    if (!nav || nav.getAttribute("aria-busy") === "true") return;
    nav.setAttribute("aria-busy", "true");
    await this.#fetch(() => (end === "older" ? this.#chat.older() : this.#chat.newer()));
    // After an error the link stays, and clicking it tries again.
    nav.removeAttribute("aria-busy");
  }

  async #fetch(work) {
    try {
      await work();
      this.#showError("");
    } catch (error) {
      this.#showError(error.detail ?? t("error.server"));
    }
  }

  #showError(text) {
    for (const id of ["older", "newer"]) {
      const nav = document.getElementById(id);
      nav?.querySelector(".timeline__error")?.remove();
      if (nav && text) nav.prepend(element("p", "timeline__error", text));
    }
  }

  #trim() {
    if (this.#rows.size <= ROWS_MAX) return;
    // Drop messages at the end farther from the view, but never an open editor or picker.
    const end = this.#scroll.nearerTo === "older" ? "newer" : "older";
    const rows = this.#drawnRows();
    if (end === "older") rows.reverse();
    const held = rows.findLastIndex((row) => row.querySelector(".editor, .picker"));
    this.#store.trim(end, Math.max(ROWS_KEPT, held + 1));
  }

  // Internal: user input

  #onClick(event) {
    const more = event.target.closest("#older a, #newer a");
    if (more && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      if (more.hasAttribute("rel")) this.#loadMore(more.closest("nav").id);
      else this.toLatest();
    }
  }

  #onMessage({ own }) {
    if (!own && !this.atEnd) this.#waiting += 1;
    this.#updateJump();
  }

  #updateJump() {
    const atEnd = this.atEnd;
    if (atEnd) this.#waiting = 0;
    this.#jump.hidden = atEnd;
    const text = this.#waiting ? tn("new", this.#waiting) : t("jump");
    fill(this.#jump, "jump", text);
    this.#onMove();
  }
}

/** The message or system message before `row`, or null. */
function previousRow(row) {
  let before = row.previousElementSibling;
  while (before && !before.matches("[data-kind]")) before = before.previousElementSibling;
  return before;
}
