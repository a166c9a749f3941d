// Moves from one conversation to another without loading a page: fetches the page of the link, and shows its
// content. Socket, outbox and sidebar live on. Anything else is an ordinary load: other pages, pages of another
// version of Chatty or another account, and errors.

import { isOfOtherBuild, parsePage } from "chatty/lib/pages.js";
import { isTouch } from "chatty/views/dom.js";
import { followedLink, navigateWith } from "chatty/views/go.js";
import { announce } from "chatty/views/live_region.js";
import { entryNow } from "chatty/views/places.js";
import { swap } from "chatty/views/swap.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const SLOW = 150; // ms after which a line shows that the page is loading
const PATHS = /^\/(c\/\d+\/|m\/\d+\/)?$/; // conversations, messages and the list

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  new PageNavigation(page).connect();
}

class PageNavigation {
  /** @type {import("chatty/views/page.js").Page} */
  #page;
  #shown = addressOf(location); // the address of the page that is shown
  #entry; // its entry in the browser's history, which names its place
  #pending = null; // {url, abort}

  constructor(page) {
    this.#page = page;
    this.#entry = entryNow() ?? this.#newEntry();
  }

  connect() {
    navigateWith((url, fetched) => this.go(url, fetched));
    document.addEventListener("click", (event) => this.#onClick(event));
    addEventListener("popstate", () => this.#onPopstate());
    addEventListener("pagehide", () => this.#save());
  }

  /** Go to a URL, by an ordinary load if necessary. `fetched`: {answer, drawn}, if its page is here already. */
  go(url, fetched = null) {
    const to = new URL(url, location.href);
    this.#save(); // it may be this page
    const isOurs = fetched && !isOfOtherBuild(fetched.answer, this.#page.data.build);
    const found = isOurs && readPage(fetched.answer, fetched.drawn);
    if (found && this.#fits(found.data)) this.#move(found, to, { place: null });
    else if (fetched || !canShow(to)) location.assign(to);
    else this.#load(to, { place: this.#page.places.get(to.pathname) });
  }

  // Internal: what leads to another page

  #onClick(event) {
    const link = followedLink(event);
    if (!link || !canShow(link)) return;
    if (link.hash && addressOf(link) === this.#shown) return; // within the page
    event.preventDefault();
    const isKey = event.detail === 0;
    const isHere = link.pathname === this.#shown.split("?")[0];
    const place = isHere ? null : this.#page.places.get(link.pathname);
    this.#load(new URL(link.href), { place, keepFocus: isKey && Boolean(link.closest("#sidebar")) });
  }

  #onPopstate() {
    if (addressOf(location) === this.#shown) {
      this.#cancel(); // back to what is still shown
      this.#entry = entryNow() ?? this.#newEntry();
      return;
    }
    if (!canShow(location)) {
      location.reload();
      return;
    }
    this.#load(new URL(location.href), { place: this.#page.places.get(entryNow()), isBack: true });
  }

  // Internal: loading

  /** `isBack`: the browser's address and history are there already. */
  async #load(url, { place = null, isBack = false, keepFocus = false }) {
    if (this.#pending?.url.href === url.href) return; // a second click
    this.#pending?.abort.abort();
    const pending = { url, abort: new AbortController() };
    this.#pending = pending;
    const slow = setTimeout(() => setLoading(true), SLOW);
    let found;
    try {
      found = await fetchPage(withPlace(url, place), this.#page.data.build, pending.abort.signal);
    } catch {
      // Offline, there is what was saved.
      found = await import("chatty/views/offline_page.js")
        .then((module) => module.fetchPage(url, this.#page.data))
        .catch(() => null);
      if (!found) {
        if (this.#pending === pending) toast.error(t("error.unreachable"));
        return;
      }
    } finally {
      clearTimeout(slow);
      if (this.#pending === pending) {
        this.#pending = null;
        setLoading(false);
      }
    }
    if (pending.abort.signal.aborted) return;
    if (!found || !this.#fits(found.data)) {
      this.#save();
      if (isBack) location.reload();
      else location.assign(url);
      return;
    }
    this.#move(found, url, { place, isBack, keepFocus });
  }

  #cancel() {
    this.#pending?.abort.abort();
    this.#pending = null;
    setLoading(false);
  }

  /** The page is of the same account and database. */
  #fits({ user, epoch }) {
    return user.id === this.#page.me.id && epoch === this.#page.data.epoch;
  }

  #move({ drawn, data, answer }, url, { place, isBack = false, keepFocus = false }) {
    const focused = document.activeElement;
    this.#save();
    if (isBack) {
      this.#entry = entryNow() ?? this.#newEntry();
    } else {
      const address = addressAfter(answer, url);
      const isSame = addressOf(address) === this.#shown;
      this.#entry = isSame ? this.#entry : newName();
      const how = isSame ? "replaceState" : "pushState";
      history[how]({ entry: this.#entry }, "", address);
    }
    this.#shown = addressOf(location);
    const { title } = drawn;
    this.#page.show({ data, title, place: place?.scroll ?? null, swap: () => swap(drawn) });
    announce(title);
    this.#focus(focused, { place, keepFocus });
  }

  // Internal: places and focus

  #save() {
    const { conversation } = this.#page;
    const focus = document.activeElement?.closest("#main [id]")?.id ?? "";
    const place = { scroll: conversation?.place ?? null, focus };
    this.#page.places.set(this.#entry, place);
    if (conversation) this.#page.places.set(`/c/${conversation.id}/`, place);
  }

  /** What had the focus keeps it if it is still there. Otherwise one can write at once, as after a load. */
  #focus(focused, { place, keepFocus }) {
    const known = place?.focus && document.getElementById(place.focus);
    if (keepFocus && focused.isConnected) focused.focus({ preventScroll: true });
    else if (known) known.focus({ preventScroll: true });
    else
      ((!isTouch.matches && document.getElementById("composer-body")) || main()).focus({
        preventScroll: true,
      });
  }

  #newEntry() {
    const entry = newName();
    history.replaceState({ ...history.state, entry }, "");
    return entry;
  }
}

/** Null if it isn't a page that can be shown here. Rejects if there is no answer. */
async function fetchPage(url, build, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "text/html", "Chatty-Part": "main" } });
  return isOfOtherBuild(answer, build) ? null : readPage(answer, await parsePage(answer));
}

/** {drawn, data, answer}, or null: see fetchPage(). */
function readPage(answer, drawn) {
  const script = drawn.getElementById("app-data");
  if (!answer.ok || !script || !canShow(new URL(answer.url))) return null;
  /** @type {Wire.PageData} */
  const data = JSON.parse(script.textContent);
  // At the URL of a conversation, there can also be the offer to join it.
  if (!data.conversation && new URL(answer.url).pathname !== data.urls.home) return null;
  return { drawn, data, answer };
}

/** The URL of the part of the history that a place is in. */
function withPlace(url, place) {
  const { atEnd, seq } = place?.scroll ?? { atEnd: true };
  if (atEnd || !seq) return url;
  return new URL(`${url.pathname}?around=${seq}`, url);
}

/** The address of a page: of the link, or where that leads. */
function addressAfter(answer, url) {
  const [, message] = url.pathname.match(/^\/m\/(\d+)\/$/) ?? [];
  if (!message) return url;
  // A request doesn't tell the fragment that it was redirected to.
  return new URL(`#m${message}`, answer.url);
}

/** Not the pages of a message, which have a query. */
export function canShow({ origin, pathname, search }) {
  const isAction = search && pathname.startsWith("/m/");
  return origin === location.origin && PATHS.test(pathname) && !isAction;
}

function addressOf({ pathname, search }) {
  return pathname + search;
}

function newName() {
  return Math.random().toString(36).slice(2);
}

function main() {
  return document.getElementById("main");
}

function setLoading(isLoading) {
  document.documentElement.toggleAttribute("data-loading", isLoading);
  if (isLoading) main().setAttribute("aria-busy", "true");
  else main().removeAttribute("aria-busy");
}
