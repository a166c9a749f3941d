// The side pane: pages of the server beside the conversation, such as its members or search. In narrow windows, it
// covers the page. Each page that is opened in it is an entry in the browser's history, so Back returns to the one
// before, and then closes the pane.

import { Frame } from "chatty/views/frame.js";
import { isTypedInto, slot } from "chatty/views/dom.js";
import { go } from "chatty/views/go.js";
import { openerOf, WIDE } from "chatty/views/pane_start.js";

const KEPT = 31_536_000; // s: lifetime of the cookie that remembers the open pane
const PAUSE = 500; // ms to wait for further changes before reloading
const PHONE = matchMedia("(width <= 43.75em)"); // as in static/css/layout.css

/** Returns a Pane. `place`: #details in templates/conversations/_pane.html. */
export function connectPane(place, page) {
  const pane = new Pane({ place, page });
  pane.connect();
  return pane;
}

class Pane {
  /** @type {import("chatty/views/page.js").Page} */
  #page;
  #place;
  #title;
  /** @type {Frame} */
  #frame;
  #name = ""; // of the open page, as in [data-pane]
  #pageTitle = ""; // of the document in the pane
  #shown = addressNow(); // of the page that the pane is in
  #opener = null; // gets the focus back
  #isClosing = false; // history is going back to before the pane
  #timer = null;
  #stopFollowing = () => {};
  #stops = [];
  #ending = new AbortController();

  constructor({ place, page }) {
    this.#place = place;
    this.#page = page;
    this.#title = place.querySelector("h2");
    this.#frame = new Frame({ body: place.querySelector(".details__body"), page });
  }

  // Lifecycle

  connect() {
    const { signal } = this.#ending;
    const on = (target, type, work, options) => target.addEventListener(type, work, { signal, ...options });
    on(document, "keydown", (event) => this.#onKeydown(event));
    on(slot(this.#place, "close"), "click", () => this.close());
    on(WIDE, "change", () => this.#arrange());
    on(PHONE, "change", () => this.#arrange());
    // Before navigation.js.
    on(window, "popstate", (event) => this.#onPopstate(event), { capture: true });
    this.#stops = [
      this.#frame.on("shown", (shown) => this.#onShown(shown)),
      this.#frame.on("left", ({ answer, drawn }) => go(answer.url, { answer, drawn })),
      this.#frame.on("gone", () => this.close()), // the page itself shows that
      this.#page.on("shown", () => this.#onPage()),
      this.#page.socket.on("frame", ({ type, conversation }) => {
        if (type === "join_requests") this.#refreshSoon(conversation); // the list of people begins with them
      }),
    ];
    this.#frame.connect();
    this.#page.part("conversation_page").then(() => this.#follow());
  }

  disconnect() {
    for (const stop of [this.#stopFollowing, ...this.#stops]) stop();
    clearTimeout(this.#timer);
    this.#frame.disconnect();
    this.#ending.abort();
  }

  // Public methods

  /** Open the page of a link, or close the pane if it shows that page. `focused`: what had the focus at the click. */
  toggle(link, focused) {
    if (this.#isOpen && link.pathname === this.#path) {
      this.close();
      return;
    }
    this.#push(link.href);
    this.#open(link.href, { title: link.title || link.textContent.trim() });
    this.#opener = link;
    // Now: later, the user may be typing elsewhere, as they may have begun while this module was loading.
    const isHere = [focused, document.body].includes(document.activeElement);
    if (isHere) this.#title.focus({ preventScroll: true });
  }

  /** Open what was open before a load, or what the server left room for. */
  reopen() {
    const { pane } = history.state ?? {};
    const { shows } = this.#place.dataset;
    if (pane) this.#open(pane, { isAutomatic: true });
    else if (shows && WIDE.matches) {
      this.#mark(shows);
      this.#open(shows, { isAutomatic: true });
    }
  }

  close() {
    const { depth = 0 } = history.state ?? {};
    this.#hide();
    this.#remember("");
    if (!depth) {
      this.#mark("");
      return;
    }
    this.#isClosing = true;
    history.go(-depth);
  }

  // Internal: history. `pane` of an entry is the URL in the pane, `depth` the number of entries since it was closed.

  #push(url) {
    const { depth = 0, ...state } = history.state ?? {};
    history.pushState({ ...state, pane: url, depth: depth + 1 }, "");
  }

  #mark(url) {
    history.replaceState({ ...history.state, pane: url }, "");
  }

  #onPopstate(event) {
    if (this.#isClosing) {
      this.#isClosing = false;
      if (addressNow() === this.#shown) event.stopImmediatePropagation(); // a page may be loading by now
      return;
    }
    if (addressNow() !== this.#shown || !history.state) return; // see #onPage(); or a fragment of the page
    const { pane } = history.state;
    if (pane) this.#open(pane);
    else if (this.#isOpen) this.#hide();
  }

  /** Another page is shown, or the same one again. */
  #onPage() {
    this.#shown = addressNow();
    this.#follow();
    const { pane } = history.state ?? {};
    if (pane) this.#open(pane);
    else if (this.#isOpen && WIDE.matches) this.#stay();
    else if (this.#isOpen) this.#hide();
    this.#arrange();
  }

  /** In wide windows, the pane stays open on another page. Members and settings are then those of that page. */
  #stay() {
    const name = this.#name;
    const isOfConversation = this.#path.startsWith("/c/");
    const same = isOfConversation
      ? document.querySelector(`a[data-pane="${name}"]`)?.href
      : this.#frame.address;
    if (!same) {
      this.#hide();
      return;
    }
    this.#mark(same);
    if (isOfConversation) this.#open(same, { isAutomatic: true });
  }

  // Internal: user input

  #onKeydown(event) {
    if (!this.#isOpen || event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
    const { target } = event;
    if (!this.#place.contains(target) && (WIDE.matches || target !== document.body)) return;
    if (isTypedInto(target) && this.#frame.isTouched) return; // don't discard unsaved input
    event.preventDefault();
    this.close();
  }

  // Internal: opening and closing

  get #isOpen() {
    return Boolean(this.#frame.address);
  }

  get #path() {
    return new URL(this.#frame.address, location.href).pathname;
  }

  #open(url, { title = "", isAutomatic = false } = {}) {
    const { pathname, href } = new URL(url, location.href);
    if (this.#isOpen && href === this.#frame.address && !isAutomatic) return;
    const opener = openerOf(pathname);
    this.#opener = opener;
    this.#place.hidden = false;
    delete this.#place.dataset.shows;
    if (opener) this.#remember(opener.dataset.pane);
    this.#title.textContent = title || opener?.title || this.#title.textContent;
    this.#frame.load(href, { isAutomatic });
    this.#arrange();
  }

  #hide() {
    const hadFocus = this.#place.contains(document.activeElement) || !WIDE.matches;
    this.#frame.empty();
    delete this.#place.dataset.shows;
    this.#place.hidden = true;
    this.#pageTitle = "";
    this.#arrange();
    const opener = this.#opener?.isConnected ? this.#opener : openerOf(this.#opener?.pathname);
    if (hadFocus) opener?.focus({ preventScroll: true });
  }

  /** In narrow windows, what the pane covers can't be reached, and the pane gives the window its title. */
  #arrange() {
    const covers = this.#isOpen && !WIDE.matches;
    for (const part of this.#place.parentElement.children) {
      if (part === this.#place) continue;
      part.inert = covers && (PHONE.matches || part.id !== "sidebar");
    }
    // For screen readers, it is the page then.
    this.#place.role = covers && !this.#place.closest("main") ? "main" : null;
    this.#title.ariaLevel = covers ? "1" : null;
    for (const toggle of document.querySelectorAll("a[data-pane]")) {
      toggle.setAttribute("aria-controls", this.#place.id);
      toggle.setAttribute("aria-expanded", String(this.#isOpen && toggle.pathname === this.#path));
    }
    this.#page.part("badge").then((badge) => badge?.cover(covers ? this.#pageTitle : ""));
  }

  /** Set a cookie, so that the server renders the next page with room for the pane. */
  #remember(name) {
    this.#name = name;
    if (!WIDE.matches) return;
    // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API.
    document.cookie = `details=${name}; path=/; max-age=${name ? KEPT : 0}; samesite=lax`;
  }

  // Internal: the page in the pane

  #onShown({ title, heading, url, how, needsFocus }) {
    const { pane } = openerOf(this.#path)?.dataset ?? {};
    if (pane) this.#remember(pane);
    this.#title.textContent = heading;
    this.#pageTitle = title;
    if (how === "link") this.#push(url);
    else if (url !== new URL(history.state?.pane ?? "", location.href).href) this.#mark(url);
    if (needsFocus) this.#title.focus({ preventScroll: true });
    else if (document.activeElement === this.#title) this.#focusWithin();
    this.#arrange();
  }

  /** The field that a page begins with, such as the one for searching. */
  #focusWithin() {
    this.#place.querySelector("[autofocus]")?.focus({ preventScroll: true });
  }

  /** Show changes in the conversation that is open now. */
  #follow() {
    this.#stopFollowing();
    const { chat, id } = this.#page.conversation ?? {};
    const stops = chat
      ? [
          chat.on("message", ({ message }) => message.notice && this.#refreshSoon(id)),
          chat.store.on(
            "change",
            ({ ids }) => ids.some((each) => this.#lists(each)) && this.#refreshSoon(id),
          ),
        ]
      : [];
    this.#stopFollowing = () => {
      for (const stop of stops) stop();
    };
  }

  /** Whether the page in the pane shows this message. */
  #lists(id) {
    return this.#place.querySelector(`[data-message="${id}"]`);
  }

  #refreshSoon(id) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#isOpen && this.#path.startsWith(`/c/${id}/`)) this.#frame.refresh();
    }, PAUSE);
  }
}

function addressNow() {
  return location.pathname + location.search;
}
