// Shows a page of the server inside another one: fetches it, puts the children of its #main > .page in an element,
// and follows its links and sends its forms there. Pages need nothing for that, and can have views of their own.
//
// Emits:
//   shown     {title, heading, url, how}   a page is shown. `how`: "link", "form" or "" as for load()
//   left      {answer, drawn}              the answer is a page that can't be shown here
//   gone      {}                           the page can't be accessed anymore

import { Emitter } from "chatty/lib/emitter.js";
import { isOfOtherBuild, parsePage } from "chatty/lib/pages.js";
import { button, byId, element, isTypedInto } from "chatty/views/dom.js";
import { requestOf } from "chatty/views/form_request.js";
import { followedLink } from "chatty/views/go.js";
import { announceWithin } from "chatty/views/announce_within.js";
import { announce } from "chatty/views/live_region.js";
import { canShow } from "chatty/views/navigation.js";
import { adoptSettings, loadStyles } from "chatty/views/page_head.js";
import { toast } from "chatty/views/toast.js";
import { t } from "chatty/views/i18n.js";

const SLOW = 700; // ms after which an empty frame says that the page is loading
const PATIENCE = 30_000; // ms to wait for a page. Forms can contain large files, so they have no limit.

export class Frame extends Emitter {
  #body;
  #page;
  #address = ""; // of the page that is shown or loading, "" for none
  #requests = 0;
  #isSending = false;
  #isStale = false;
  #ending = new AbortController();

  /** @param {{ body: HTMLElement, page: import("chatty/views/page.js").Page }} given `body`: where pages are shown */
  constructor({ body, page }) {
    super();
    this.#body = body;
    this.#page = page;
  }

  // Lifecycle

  connect() {
    const { signal } = this.#ending;
    this.#body.addEventListener("click", (event) => this.#onClick(event), { signal });
    this.#body.addEventListener("submit", (event) => this.#onSubmit(event), { signal });
    this.#body.addEventListener("focusout", (event) => this.#onFocusout(event), { signal });
  }

  disconnect() {
    this.empty();
    this.#ending.abort();
  }

  // Public methods

  get address() {
    return this.#address;
  }

  get #path() {
    return new URL(this.#address, location.href).pathname;
  }

  /** True if something has been entered and not sent. */
  get isTouched() {
    return [...this.#body.querySelectorAll("input, textarea, select")].some(
      (field) =>
        (field.checked ?? false) !== (field.defaultChecked ?? false) ||
        (field.options && field.selectedIndex !== defaultIndex(field)) ||
        ("defaultValue" in field && field.type !== "file" && field.value !== field.defaultValue) ||
        Boolean(field.files?.length),
    );
  }

  /** Show nothing. */
  empty() {
    this.#requests += 1;
    this.#address = "";
    this.#body.replaceChildren();
  }

  /** Load the page again after changes by others, unless it is being used. */
  refresh() {
    this.#isStale = true;
    if (!this.#address || this.#isSending || this.#body.ariaBusy === "true" || this.#isInUse()) return;
    this.load(this.#address, { isQuiet: true });
  }

  /**
   * `isQuiet`: a refresh, which shows neither progress nor errors. `isAutomatic`: no one has asked for this page,
   * so it must not replace the one that it is in. `how`: passed on to "shown".
   */
  async load(url, { isQuiet = false, isAutomatic = false, how = "" } = {}) {
    const { pathname, href } = new URL(url, location.href);
    if (!this.#address || pathname !== this.#path) this.#body.replaceChildren();
    this.#address = href;
    const request = this.#begin({ isQuiet });
    const typed = typedNow();
    const found = await this.#fetch(href, { signal: AbortSignal.timeout(PATIENCE) });
    if (request !== this.#requests) return;
    const { answer, drawn, content } = found;
    if (this.#isSignedOut(answer)) return;
    if (answer?.status === 404 && pathname.startsWith("/c/")) this.emit("gone", {});
    else if (isQuiet && (!content || this.#isOfOtherBuild(answer) || this.#isInUse())) this.#isStale = true;
    else if (!content && answer?.ok) this.emit("left", { answer, drawn });
    else if (!content) this.#showError(found.why, () => this.load(url, { isAutomatic, how }));
    else if (!this.#isOfOtherBuild(answer)) this.#show(found, { isQuiet, typed, how });
    // It may need other styles and scripts than this page has.
    else if (isAutomatic) this.#showError(t("reload"), () => location.reload(), "connection.stopped.way");
    else location.assign(href);
  }

  // Internal: user input

  #onClick(event) {
    const link = followedLink(event);
    if (!link || canShow(link)) return; // navigation.js goes to conversations and messages
    const { origin, pathname, search } = new URL(this.#address, location.href);
    if (link.hash && link.href.startsWith(`${origin}${pathname}${search}#`)) {
      event.preventDefault();
      this.#scrollTo(link.hash);
      return;
    }
    event.preventDefault();
    this.load(link.href, { how: "link" });
  }

  #onSubmit(event) {
    const { target: form, submitter } = event;
    if (event.defaultPrevented || form.getAttribute("target") || submitter?.formTarget) return;
    const { url, body } = requestOf(form, submitter, new URL(this.#address, location.href));
    if (new URL(url).origin !== location.origin) return;
    event.preventDefault();
    if (body) this.#send(url, body);
    else this.load(url, { how: "link" });
  }

  #onFocusout({ relatedTarget }) {
    if (this.#isStale && !this.#body.contains(relatedTarget)) this.refresh();
  }

  // Internal: requests

  /** One form at a time: a second click on a button is ignored. */
  async #send(url, body) {
    if (this.#isSending) return;
    this.#isSending = true;
    const request = this.#begin();
    const typed = typedNow();
    const before = this.#address;
    const found = await this.#fetch(url, { method: "POST", body });
    this.#isSending = false;
    const { answer, drawn, content, why } = found;
    if (request !== this.#requests) {
      // Something else has been opened since, but an error must still be reported.
      if (!answer?.ok) toast.error(why || t("error.server"));
      return;
    }
    if (this.#isSignedOut(answer)) return;
    if (!answer?.ok) {
      if (content) this.#show(found, { typed, how: "form" });
      else this.#showError(why, () => this.#send(url, body));
      return;
    }
    if (!content) return this.emit("left", { answer, drawn });
    if (answer.redirected) this.#address = answer.url;
    if (adoptSettings(drawn, this.#page)) return; // the whole page loads again
    this.#show(found, { typed, how: "form" });
    // The server redirects to the first page of the member list. Return to the page that was open.
    const { pathname, search } = new URL(before);
    if (answer.redirected && /[?&]page=/.test(search) && pathname === this.#path) {
      await this.load(before, { isQuiet: true });
    }
  }

  #begin({ isQuiet = false } = {}) {
    this.#isStale = false;
    this.#requests += 1;
    const request = this.#requests;
    if (isQuiet) return request;
    this.#body.ariaBusy = "true";
    setTimeout(() => {
      if (request !== this.#requests || this.#body.ariaBusy !== "true" || this.#body.childElementCount)
        return;
      this.#body.append(element("p", "quiet", t("loading")));
      announce(t("loading"));
    }, SLOW);
    return request;
  }

  /** {answer, drawn, content, why}. Without a page to show, `content` is null, and `why` is the reason, if known. */
  async #fetch(url, options) {
    try {
      const answer = await fetch(url, { ...options, headers: { Accept: "text/html" } });
      const drawn = await parsePage(answer);
      const isOurs = drawn.getElementById("app-data") && !canShow(new URL(answer.url));
      const content = isOurs ? drawn.querySelector("#main > .page:not(:has([data-error]))") : null;
      const wrong = content ? "[role=alert], .field__errors" : "#main p";
      const why = answer.ok ? "" : (drawn.querySelector(wrong)?.textContent.trim() ?? "");
      if (content && !this.#isOfOtherBuild(answer)) await loadStyles(drawn);
      return { answer, drawn, content, why };
    } catch {
      return { answer: null, drawn: null, content: null, why: t("error.unreachable") };
    }
  }

  /** The session has ended. Don't leave the page: it may contain unsent text. */
  #isSignedOut(answer) {
    const { sign_in: signIn } = this.#page.data.urls;
    if (!answer?.redirected || new URL(answer.url).pathname !== signIn) return false;
    this.#showError(t("connection.signed_out_plain"), () => location.reload(), "connection.signed_out.way");
    return true;
  }

  // Internal: showing

  /** `typed`: the value of the focused field when the page was requested. */
  #show({ drawn, content }, { isQuiet = false, typed, how }) {
    const focused = /** @type {HTMLInputElement} */ (document.activeElement);
    const hadFocus = this.#body.contains(focused);
    const ticked = this.#body.querySelectorAll("input[type=checkbox]:checked");
    const flashes = isQuiet ? this.#body.querySelectorAll(":scope > .flashes") : [];
    content.querySelector(":scope > .page__back")?.remove();
    const heading = takeHeading(content);
    // They would lead to the page that this one is in.
    for (const link of content.querySelectorAll('a[href^="?"]')) {
      link.href = new URL(link.getAttribute("href"), this.#address).href;
    }
    this.#body.ariaBusy = null;
    announceWithin(content);
    this.#body.replaceChildren(...flashes, ...document.importNode(content, true).children);
    if (how !== "link") tickAgain(this.#body, ticked);
    if (!isQuiet) this.#body.scrollTop = 0;
    const { hash } = new URL(this.#address);
    if (hash && !isQuiet) this.#scrollTo(hash);
    const target = hadFocus ? this.#focusTarget(focused, { typed, isQuiet }) : null;
    target?.focus({ preventScroll: !target.matches("[aria-invalid=true]") });
    this.emit("shown", {
      title: drawn.title,
      heading,
      url: this.#address,
      how,
      needsFocus: hadFocus && !target,
    });
  }

  /** What gets the focus instead of an element that was replaced, or null. */
  #focusTarget(focused, { typed, isQuiet }) {
    const same = focused.id && byId(this.#body, focused.id);
    if (same && isTypedInto(same) && focused.value !== typed) same.value = focused.value;
    return (
      this.#body.querySelector("[aria-invalid=true]") ||
      same ||
      (!isQuiet && this.#body.querySelector("[autofocus]")) ||
      null
    );
  }

  #scrollTo(hash) {
    byId(this.#body, hash.slice(1))?.scrollIntoView({ block: "start" });
  }

  /** `label`: the translation key of the button that calls `again`. */
  #showError(why, again, label = "status.retry") {
    const hadFocus = this.#body.contains(document.activeElement);
    const sentence = why || t("error.server");
    const text = element("p", "flash flash--error", sentence);
    const press = button("button button--quiet button--small", t(label), again);
    if (this.#body.querySelector(":scope > .quiet:only-child")) this.#body.replaceChildren();
    this.#body.ariaBusy = null;
    this.#body.querySelector(":scope > .details__error")?.remove();
    this.#body.prepend(element("div", "details__error", text, press));
    announce(sentence);
    if (hadFocus) press.focus();
  }

  #isOfOtherBuild(answer) {
    return isOfOtherBuild(answer, this.#page.data.build);
  }

  #isInUse() {
    const isWrong = this.#body.querySelector("[aria-invalid=true], .flash--error");
    return isWrong || this.isTouched || this.#body.contains(document.activeElement);
  }
}

/** Without a chosen option, browsers choose the first. */
function defaultIndex({ options }) {
  return Math.max(
    [...options].findIndex(({ defaultSelected }) => defaultSelected),
    0,
  );
}

function typedNow() {
  return /** @type {HTMLInputElement} */ (document.activeElement).value;
}

/** Remove the h1 of a page, and what is around it if nothing else is in there. Returns its text. */
function takeHeading(content) {
  const head = content.querySelector(".page__head");
  const heading = (head ?? content).querySelector("h1");
  const text = heading?.textContent.trim() ?? "";
  if (head && head.children.length < 2) head.remove();
  else heading?.remove();
  return text;
}

/** People who were chosen stay chosen after another search. */
function tickAgain(body, ticked) {
  for (const { name, value } of ticked) {
    const same = body.querySelector(`input[name="${name}"][value="${CSS.escape(value)}"]`);
    if (same) same.checked = true;
  }
}
