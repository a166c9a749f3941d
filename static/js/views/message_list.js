// A list of messages: shows those of a source, and my pending ones below them. The source is a conversation
// (ConversationChat), or anything else with the same methods, such as a thread.

import { isLiveText } from "chatty/chat/live_text.js";
import { Days, previousRow, startOf } from "chatty/views/days.js";
import { byId, element, fill, fromTemplate, hasModifier, idOf } from "chatty/views/dom.js";
import { PendingRows } from "chatty/views/pending_rows.js";
import { Scroll, firstIndex } from "chatty/views/scroll.js";
import { t, tn } from "chatty/views/i18n.js";

const ROWS_MAX = 200; // messages in the page; above that, the far end is dropped
const ROWS_KEPT = 150;
const REACH = 900; // px from an end at which the next page is fetched

/**
 * @typedef {object} MessageSource
 * @property {import("chatty/chat/store.js").Store} store the messages that are loaded
 * @property {(type: "message", listener: (event: any) => void) => () => void} on {message, own}: a new one arrived
 * @property {() => Promise<void>} loadOlder each load rejects with an ApiError, and changes the store
 * @property {() => Promise<void>} loadNewer
 * @property {() => Promise<void>} loadLatest
 * @property {(seq: number) => Promise<void>} loadAround
 * @property {(window?: { before?: number, after?: number }) => string} pageUrl of these, or of the latest
 */

export class MessageList {
  /** @type {MessageSource} */
  #source;
  #store;
  #message; // MessageView
  #me;
  #days;
  #box;
  #inner;
  #jump;
  #scroll;
  #rows = new Map(); // message id -> element
  #pending;
  #reaching = null; // IntersectionObserver
  #waiting = new Set(); // ids of new messages below the view
  #beginning; // the introduction above the first message
  #onMove;
  #stops = [];
  #ending = new AbortController();

  /**
   * `root` contains the list as in templates/conversations/conversation.html. `locked`: as for lock(). `onMove()`
   * is called whenever other messages may be in view.
   * @param {Element} root
   * @param {MessageSource} source
   */
  constructor(root, source, { message, times, me, locked = "", onMove = () => {} }) {
    const { store } = source;
    this.#source = source;
    this.#store = store;
    this.#message = message;
    this.#me = me;
    this.#onMove = onMove;
    this.#box = byId(root, "timeline");
    this.#inner = byId(root, "messages");
    this.#jump = byId(root, "jump");
    this.#days = new Days({ inner: this.#inner, times });
    const insert = (row) => {
      this.#inner.insertBefore(row, this.#end());
      this.#days.arrangeRow(row, previousRow(row));
    };
    this.#pending = new PendingRows({ store, message, locked, insert });
    this.#scroll = new Scroll({ box: this.#box, inner: this.#inner, onMove: () => this.#updateJump() });
  }

  // Lifecycle

  /**
   * `place`: a position to restore, see place(). `target`: the id of the message to show instead, to which the
   * browser scrolls itself if the page `isLoaded`.
   */
  connect({ place = null, target = "", isLoaded = true } = {}) {
    for (const row of this.rows()) this.#rows.set(idOf(row), row);
    this.#stops.push(
      this.#store.on("change", (change) => this.#onChange(change)),
      this.#source.on("message", (spoken) => this.#onMessage(spoken)),
    );
    const { signal } = this.#ending;
    this.#inner.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.#jump.addEventListener("click", () => this.toLatest(), { signal });
    this.#reaching = new IntersectionObserver((entries) => this.#onIntersect(entries), {
      root: this.#box,
      rootMargin: `${REACH}px 0px`,
    });
    // The server uses the profile's time zone, if set. Otherwise only the browser knows it.
    for (const [id, row] of this.#rows) {
      const { html, created_at: moment } = this.#store.get(id);
      row.html = html;
      this.#message.prepare(row, moment);
    }
    this.#pending.draw([]); // those that were waiting before the conversation was opened
    this.#arrange();
    this.#days.connect();
    this.#scroll.connect();
    if (!place || !this.#restore(place)) this.#openAt(target, { isLoaded });
    this.#mark();
    this.#watchEnds();
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    this.#ending.abort();
    this.#reaching.disconnect();
    this.#scroll.disconnect();
    this.#days.disconnect();
  }

  // Public methods

  get atEnd() {
    return this.#scroll.atEnd && !this.#store.hasNewer;
  }

  /** The seq of the last message whose end is in view, or 0. */
  lastSeen() {
    return Number(this.#scroll.lastSeen(this.rows())?.dataset.seq ?? 0);
  }

  row(id) {
    return this.#rows.get(id);
  }

  /** The elements of messages and system messages, oldest first. */
  rows() {
    return [...this.#inner.querySelectorAll(":scope > [data-seq]")];
  }

  /** True if the end of the element is in view. */
  isInSight(element) {
    return this.#scroll.hasSeen(element);
  }

  /** The scroll position for putBack(): the first visible message and its offset. */
  place() {
    const { element, top } = this.#scroll.firstInSight ?? {};
    return { id: element && idOf(element), seq: Number(element?.dataset.seq), top, atEnd: this.atEnd };
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
    if (this.#store.hasNewer) await this.#fetch(() => this.#source.loadLatest());
    this.#scroll.toEnd({ smooth });
    this.#waiting.clear();
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

  /** Show on failed messages why they can't be sent: see Composer.lock(). `why`: "" to unlock. */
  lock(why) {
    this.#scroll.keep(() => this.#pending.lock(why));
  }

  dropNewLine() {
    this.#inner.querySelector(":scope > .new-line")?.remove();
  }

  // Internal: opening

  /** Returns false if the position is unknown. Elsewhere in the history, it takes a request. */
  #restore(place) {
    if (place.atEnd || this.putBack(place)) return !place.atEnd;
    if (!place.seq) return false;
    this.#fetch(() => this.#source.loadAround(place.seq)).then(() => this.putBack(place));
    return true;
  }

  /** Scroll to the target, else to the "New" line, else to the end. */
  #openAt(target, { isLoaded }) {
    const found = target && byId(this.#inner, target);
    if (found && found !== this.#newest) {
      if (!isLoaded) this.#scroll.to(found);
      return;
    }
    if (this.#store.hasNewer) return;
    this.#scroll.toEnd();
    const line = this.#inner.querySelector(":scope > .new-line");
    if (line && !this.#scroll.hasSeen(line)) this.#scroll.to(line, { block: "start" });
  }

  // Internal: rendering

  #onChange({ ids, keys, replaced }) {
    this.#scroll.keep(() => {
      const drawn = ids.length ? this.rows() : [];
      const seen = this.#scroll.firstInSight?.element; // see Days
      if (seen && seen === drawn[0]) seen.keepsName = true;
      for (const id of ids) this.#draw(id, drawn);
      this.#pending.draw(keys, replaced);
      if (ids.length) {
        this.#refreshQuotes(ids);
        this.#mark();
        this.#arrange();
      }
    });
    if (replaced && !this.#store.hasNewer) this.#scroll.toEnd();
    this.#dropDeleted(ids);
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
    const waiting = message.author?.id === this.#me.id && this.#pending.take(message.key);
    if (!waiting) return this.#message.draw(message);
    const drawn = this.#message.draw(message);
    waiting.replaceWith(drawn);
    return drawn;
  }

  #place(row, message, drawn) {
    this.#rows.set(message.id, row);
    const index = firstIndex(drawn, (other) => Number(other.dataset.seq) > message.seq);
    const next = drawn.slice(index).find((other) => other.isConnected);
    drawn.splice(index, 0, row);
    const here = next ? startOf(next) : this.#afterMessages();
    if (row.isConnected && !next && row.nextElementSibling === here) return;
    this.#inner.insertBefore(row, here);
  }

  #afterMessages() {
    const { first } = this.#pending;
    return first ? startOf(first) : this.#end();
  }

  #end() {
    return this.#endOf("newer") ?? this.#newest;
  }

  get #newest() {
    return byId(this.#inner, "newest");
  }

  #endOf(name) {
    return byId(this.#inner, name);
  }

  /** Update the quotes of changed messages. */
  #refreshQuotes(ids) {
    const changed = new Set(ids);
    for (const quote of this.#inner.querySelectorAll(".quote[data-reply-to]")) {
      const id = Number(quote.dataset.replyTo);
      const quoted = changed.has(id) && this.#store.quoteOf(id);
      if (quoted) this.#message.updateQuote(quote.closest(".message"), quoted);
    }
  }

  // Internal: days, groups, ends

  #arrange() {
    const { first } = this.#pending;
    this.#days.arrange([...this.rows(), ...(first ? [first] : [])]);
  }

  /** Show the links to older and newer messages if there are any. */
  #mark() {
    this.#markEnd("older", this.#store.hasOlder, (made) => this.#inner.prepend(made));
    this.#markEnd("newer", this.#store.hasNewer, (made) => this.#inner.insertBefore(made, this.#newest));
    this.#beginning ??= this.#inner.querySelector(":scope > .intro") ?? fromTemplate("intro-template");
    if (this.#store.hasOlder) this.#beginning?.remove();
    else if (this.#beginning?.isConnected === false) this.#inner.prepend(this.#beginning);
    this.#watchEnds();
  }

  #markEnd(id, isThere, put) {
    const nav = this.#endOf(id);
    if (!isThere) nav?.remove();
    else if (!nav) put(this.#drawEnd(id));
  }

  /** The links work without the timeline, too, such as in a new tab. */
  #drawEnd(id) {
    const nav = fromTemplate(`${id}-template`);
    const seqs = this.#store.messages().map((message) => message.seq);
    const [page, latest] = nav.querySelectorAll("a");
    page.href = this.#source.pageUrl(id === "older" ? { before: seqs[0] } : { after: seqs.at(-1) });
    if (latest) latest.href = this.#source.pageUrl();
    return nav;
  }

  // Internal: loading

  #watchEnds() {
    if (!this.#reaching) return;
    this.#reaching.disconnect();
    for (const id of ["older", "newer"]) {
      const nav = this.#endOf(id);
      if (nav) this.#reaching.observe(nav);
    }
  }

  #onIntersect(entries) {
    for (const entry of entries) {
      if (entry.isIntersecting) this.#loadMore(entry.target.id);
    }
  }

  async #loadMore(end) {
    const nav = this.#endOf(end);
    if (!nav || nav.getAttribute("aria-busy") === "true") return;
    nav.setAttribute("aria-busy", "true");
    await this.#fetch(() => (end === "older" ? this.#source.loadOlder() : this.#source.loadNewer()));
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
      const nav = this.#endOf(id);
      nav?.querySelector(".timeline__error")?.remove();
      if (nav && text) nav.prepend(element("p", "timeline__error", text));
    }
  }

  #trim() {
    if (this.#rows.size <= ROWS_MAX) return;
    // Drop messages at the end farther from the view, but never an open editor or menu.
    const end = this.#scroll.nearerTo === "older" ? "newer" : "older";
    const rows = this.rows();
    if (end === "older") rows.reverse();
    const held = rows.findLastIndex((row) => row.querySelector(".editor, .message-menu:not([hidden])"));
    this.#store.trim(end, Math.max(ROWS_KEPT, held + 1));
  }

  // Internal: user input

  #onClick(event) {
    const more = event.target.closest("#older a, #newer a");
    if (more && !hasModifier(event)) {
      event.preventDefault();
      if (more.hasAttribute("rel")) this.#loadMore(more.closest("nav").id);
      else this.toLatest();
    }
  }

  /** Only messages count as new: not notices, nor what was deleted before it arrived. */
  #onMessage({ message, own }) {
    if (!own && !this.atEnd && isLiveText(message)) this.#waiting.add(message.id);
    this.#updateJump();
  }

  #dropDeleted(ids) {
    const deleted = ids.filter((id) => this.#waiting.has(id) && this.#store.quoteOf(id)?.deleted);
    for (const id of deleted) this.#waiting.delete(id);
    if (deleted.length) this.#updateJump();
  }

  #updateJump() {
    const atEnd = this.atEnd;
    if (atEnd) this.#waiting.clear();
    this.#jump.hidden = atEnd;
    const text = this.#waiting.size ? tn("new", this.#waiting.size) : t("jump");
    fill(this.#jump, "jump", text);
    this.#onMove();
  }
}
