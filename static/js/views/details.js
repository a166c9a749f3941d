// The side pane with the members and settings of the open conversation, in wide windows. It shows the
// server-rendered pages of the same name. Forms with [data-pane] are submitted within it.

import { opensElsewhere, WIDE } from "chatty/views/details_start.js";
import { button, element, isTypedInto } from "chatty/views/dom.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const KEPT = 31_536_000; // s: lifetime of the cookie that remembers the open pane
const PAUSE = 500; // ms to wait for further changes before reloading

export class Details {
  #chat;
  #place;
  #title;
  #body;
  #toggles; // path of a page -> its link in the top bar
  #path = ""; // of the open page
  #address = ""; // of the open page, with its query
  #requests = 0;
  #isSending = false;
  #isStale = false;
  #timer = null;
  #stop;
  #ending = new AbortController();

  /** `place`: #details in templates/conversations/conversation.html. */
  constructor({ place, chat }) {
    this.#place = place;
    this.#chat = chat;
    this.#title = place.querySelector("h2");
    this.#body = place.querySelector(".details__body");
    const toggles = document.querySelectorAll(".topbar [data-pane]");
    this.#toggles = new Map([...toggles].map((toggle) => [toggle.pathname, toggle]));
  }

  connect() {
    const { signal } = this.#ending;
    const on = (target, type, work) => target.addEventListener(type, work, { signal });
    on(document, "click", (event) => this.#onClick(event));
    on(this.#place, "submit", (event) => this.#onSubmit(event));
    on(this.#place, "focusout", (event) => this.#onFocusout(event));
    on(this.#place, "keydown", (event) => this.#onKeydown(event));
    on(this.#place.querySelector("[data-slot=close]"), "click", () => this.#close());
    on(WIDE, "change", () => this.#onResize());
    this.#stop = this.#chat.on("message", ({ message }) => message.notice && this.#refreshSoon());
    this.#onResize();
  }

  disconnect() {
    this.#stop();
    clearTimeout(this.#timer);
    this.#ending.abort();
  }

  // User input

  #onClick(event) {
    const link = event.target.closest?.("a");
    const isOurs = this.#toggles.has(link?.pathname) && link.closest(".topbar, .details");
    if (!isOurs || !WIDE.matches || event.defaultPrevented) return;
    if (opensElsewhere(event)) return;
    event.preventDefault();
    if (link.closest(".topbar") && link.pathname === this.#path) {
      this.#close();
      return;
    }
    this.#open(link.href);
    this.#title.focus({ preventScroll: true }); // now: after loading, the user may be typing elsewhere
  }

  #onSubmit(event) {
    const { target: form, submitter } = event;
    if (!form.hasAttribute("data-pane")) return;
    event.preventDefault();
    const fields = new URLSearchParams(/** @type {any} */ (new FormData(form, submitter)));
    const address = new URL(form.action);
    if (form.method === "post") {
      this.#send(address.href, fields);
    } else {
      address.search = String(fields);
      this.#load(address.href);
    }
  }

  #onKeydown(event) {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
    if (isTypedInto(event.target) && this.#isTouched()) return; // don't discard unsaved input
    event.preventDefault();
    this.#close();
  }

  #onFocusout({ relatedTarget }) {
    if (this.#isStale && !this.#body.contains(relatedTarget)) this.#refreshSoon();
  }

  /** Open the pane that the server left room for, once the window is wide enough. */
  #onResize() {
    const { shows } = this.#place.dataset;
    if (shows && WIDE.matches && !this.#path) this.#open(shows);
    this.#showExpanded();
  }

  // Opening and closing

  #open(url) {
    const { pathname } = new URL(url, location.href);
    if (pathname !== this.#path) this.#body.replaceChildren();
    this.#path = pathname;
    this.#address = url;
    this.#place.hidden = false;
    const toggle = this.#toggles.get(pathname);
    this.#title.textContent = toggle.title;
    this.#remember(toggle.dataset.pane);
    this.#showExpanded();
    this.#load(url);
  }

  #close() {
    const toggle = this.#toggles.get(this.#path);
    const hadFocus = this.#place.contains(document.activeElement);
    this.#path = "";
    this.#requests += 1;
    delete this.#place.dataset.shows;
    this.#place.hidden = true;
    this.#body.replaceChildren();
    this.#remember("");
    this.#showExpanded();
    if (hadFocus) toggle?.focus();
  }

  /** In a narrow window the toggles are ordinary links. */
  #showExpanded() {
    for (const toggle of this.#toggles.values()) {
      if (WIDE.matches) {
        toggle.setAttribute("aria-controls", this.#place.id);
        toggle.setAttribute("aria-expanded", String(toggle.pathname === this.#path));
      } else {
        toggle.removeAttribute("aria-controls");
        toggle.removeAttribute("aria-expanded");
      }
    }
  }

  /** Set a cookie, so that the server renders the next page with room for the pane. */
  #remember(name) {
    // biome-ignore lint/suspicious/noDocumentCookie: not every browser has the Cookie Store API.
    document.cookie = `details=${name}; path=/; max-age=${name ? KEPT : 0}; samesite=lax`;
  }

  // Loading

  /** `isQuiet`: an automatic refresh, which shows neither progress nor errors. */
  async #load(url, { isQuiet = false } = {}) {
    const request = ++this.#requests;
    this.#isStale = false;
    if (!isQuiet) this.#body.setAttribute("aria-busy", "true");
    const typed = /** @type {HTMLInputElement} */ (document.activeElement).value;
    const { answer, page, why } = await fetchPage(url);
    if (request !== this.#requests) return;
    if (this.#isSignedOut(answer)) return;
    if (answer?.status === 404)
      this.#close(); // no longer accessible: the page itself shows that
    else if (isQuiet && (!page || this.#isInUse())) this.#isStale = true;
    else if (page) {
      this.#address = url;
      this.#show(page, { isQuiet, typed });
    } else this.#showError(why, () => this.#load(url));
  }

  /** One form at a time: a second click on a button is ignored. */
  async #send(url, fields) {
    if (this.#isSending) return;
    this.#isSending = true;
    const request = ++this.#requests;
    this.#isStale = false;
    this.#body.setAttribute("aria-busy", "true");
    const typed = /** @type {HTMLInputElement} */ (document.activeElement).value;
    const { answer, page, why } = await fetchPage(url, { method: "POST", body: fields });
    this.#isSending = false;
    if (request !== this.#requests) {
      // Something else has been opened since, but an error must still be reported.
      if (!answer?.ok) toast.error(why || t("error.server"));
      return;
    }
    if (this.#isSignedOut(answer)) return;
    if (!page) return this.#showError(why, () => this.#send(url, fields));
    const { search } = new URL(this.#address, location.href);
    this.#show(page, { typed });
    // The server redirects to the first page of the member list. Return to the page that was open.
    if (answer.redirected && /[?&]page=/.test(search)) await this.#load(this.#address, { isQuiet: true });
  }

  /** The session has ended. Don't leave the page: it may contain unsent text. */
  #isSignedOut(answer) {
    if (!answer?.redirected || this.#toggles.has(new URL(answer.url).pathname)) return false;
    this.#showError(t("connection.signed_out_plain"), () => location.reload(), "connection.signed_out.way");
    return true;
  }

  /** `typed`: the value of the focused field when the page was requested. */
  #show(page, { isQuiet = false, typed }) {
    const focused = /** @type {HTMLInputElement} */ (document.activeElement);
    const hadFocus = this.#body.contains(focused);
    const ticked = this.#body.querySelectorAll("input[type=checkbox]:checked");
    const flashes = isQuiet ? this.#body.querySelectorAll(":scope > .flashes") : [];
    page.querySelector(":scope > .page__back")?.remove();
    const head = page.querySelector(".page__head");
    this.#title.textContent = head.querySelector("h1").textContent;
    if (head.children.length > 1) head.querySelector("h1").remove();
    else head.remove();
    this.#body.removeAttribute("aria-busy");
    this.#body.replaceChildren(...flashes, ...page.children);
    for (const { name, value } of ticked) {
      const same = this.#body.querySelector(`input[name="${name}"][value="${CSS.escape(value)}"]`);
      if (same) same.checked = true;
    }
    if (!isQuiet) this.#body.scrollTop = 0;
    if (!hadFocus) return;
    const same = focused.id && this.#body.querySelector(`#${CSS.escape(focused.id)}`);
    if (same && isTypedInto(same) && focused.value !== typed) same.value = focused.value;
    const wrong = this.#body.querySelector("[aria-invalid=true]");
    (wrong ?? (same || this.#title)).focus({ preventScroll: !wrong });
  }

  /** `label`: the translation key of the button that calls `again`. */
  #showError(why, again, label = "status.retry") {
    const hadFocus = this.#body.contains(document.activeElement);
    const text = element("p", "flash flash--error", why || t("error.server"));
    text.setAttribute("role", "alert");
    const press = button("button button--quiet button--small", t(label), again);
    this.#body.removeAttribute("aria-busy");
    this.#body.querySelector(":scope > .details__error")?.remove();
    this.#body.prepend(element("div", "details__error", text, press));
    if (hadFocus) press.focus();
  }

  // Changes by others

  /** Reload the pane, unless it is being used. */
  #refreshSoon() {
    if (!this.#path) return;
    this.#isStale = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const isBusy = this.#isSending || this.#body.hasAttribute("aria-busy");
      if (!this.#path || isBusy || this.#isInUse()) return;
      this.#load(this.#address, { isQuiet: true });
    }, PAUSE);
  }

  #isInUse() {
    const isWrong = this.#body.querySelector("[aria-invalid=true], .flash--error");
    return isWrong || this.#isTouched() || this.#body.contains(document.activeElement);
  }

  #isTouched() {
    return [...this.#body.querySelectorAll("input, textarea, option")].some(
      (field) =>
        (field.checked ?? false) !== (field.defaultChecked ?? false) ||
        (field.selected ?? false) !== (field.defaultSelected ?? false) ||
        ("defaultValue" in field && field.value !== field.defaultValue),
    );
  }
}

/** {answer, page, why}. Without a usable page, `page` is null and `why` is the reason, if known. */
async function fetchPage(url, options = {}) {
  try {
    const answer = await fetch(url, { ...options, headers: { Accept: "text/html" } });
    const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
    const page = answer.status === 404 ? null : drawn.querySelector("#main > .page");
    const wrong = page ? "[role=alert], .field__errors" : "#main p";
    return { answer, page, why: answer.ok ? "" : (drawn.querySelector(wrong)?.textContent.trim() ?? "") };
  } catch {
    return { answer: null, page: null, why: t("error.unreachable") };
  }
}
