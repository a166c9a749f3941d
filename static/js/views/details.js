// People and settings of the open conversation, beside it where there is room. They are the pages of
// that name: what the server draws there is shown here, and [data-beside] sends a form from here.

import { button, element } from "chatty/views/dom.js";
import { say } from "chatty/views/words.js";

const WIDE = matchMedia("(width > 72em)"); // as static/css/components/details.css
const KEPT = 31_536_000; // s: the server draws the place of what was open last
const PAUSE = 500; // ms in which more may change

export class Details {
  #chat;
  #place;
  #title;
  #body;
  #doors; // path of a page -> the link to it above the log
  #path = ""; // of what is shown
  #asked = 0;
  #isStale = false;
  #timer = null;
  #stop;
  #ending = new AbortController();

  /** `place`: as templates/conversations/conversation.html has it. */
  constructor({ place, chat }) {
    this.#place = place;
    this.#chat = chat;
    this.#title = place.querySelector("h2");
    this.#body = place.querySelector(".details__body");
    const doors = document.querySelectorAll(".topbar [data-beside]");
    this.#doors = new Map([...doors].map((door) => [door.pathname, door]));
  }

  connect() {
    const { signal } = this.#ending;
    document.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.#place.addEventListener("submit", (event) => this.#submitted(event), { signal });
    this.#place.addEventListener("focusout", (event) => this.#left(event), { signal });
    this.#place.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.#place.querySelector("[data-slot=close]").addEventListener("click", () => this.#close(), { signal });
    WIDE.addEventListener("change", () => this.#openDrawn(), { signal });
    this.#stop = this.#chat.on("spoken", ({ message }) => message.notice && this.#outdated());
    for (const door of this.#doors.values()) door.setAttribute("aria-controls", this.#place.id);
    this.#say();
    this.#openDrawn();
  }

  disconnect() {
    this.#stop();
    clearTimeout(this.#timer);
    this.#ending.abort();
  }

  // What the reader does

  #clicked(event) {
    const link = event.target.closest?.("a");
    const isOurs = this.#doors.has(link?.pathname) && link.closest(".topbar, .details");
    if (!isOurs || !WIDE.matches || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    if (link.closest(".topbar") && link.pathname === this.#path) this.#close();
    else this.#open(link.href).then(() => this.#title.focus({ preventScroll: true }));
  }

  #submitted(event) {
    const { target: form, submitter } = event;
    if (!form.hasAttribute("data-beside")) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, submitter));
    const address = new URL(form.action);
    if (form.method === "get") {
      address.search = fields;
      this.#load(address.href);
    } else {
      this.#load(address.href, { method: "POST", body: fields });
    }
  }

  #pressed(event) {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
    if (event.target.type === "search" && event.target.value) return; // it empties the field
    event.preventDefault();
    this.#close();
  }

  #left({ relatedTarget }) {
    if (this.#isStale && !this.#body.contains(relatedTarget)) this.#outdated();
  }

  // What is shown

  /** What the page was drawn with a place for. */
  #openDrawn() {
    const { shows } = this.#place.dataset;
    if (shows && WIDE.matches && !this.#path) this.#open(shows);
  }

  #open(url) {
    this.#path = new URL(url, location.href).pathname;
    this.#place.hidden = false;
    const door = this.#doors.get(this.#path);
    this.#title.textContent = door.title;
    this.#keep(door.dataset.beside);
    this.#say();
    return this.#load(url);
  }

  #close() {
    const door = this.#doors.get(this.#path);
    const hadFocus = this.#place.contains(document.activeElement);
    this.#path = "";
    this.#asked += 1;
    this.#place.hidden = true;
    this.#body.replaceChildren();
    this.#keep("");
    this.#say();
    if (hadFocus) door?.focus();
  }

  #say() {
    for (const door of this.#doors.values()) {
      door.setAttribute("aria-expanded", String(door.pathname === this.#path));
    }
  }

  /** The server draws the next page with a place for it. */
  #keep(name) {
    document.cookie = `details=${name}; path=/; max-age=${name ? KEPT : 0}; samesite=lax`;
  }

  async #load(url, request = {}) {
    const asked = ++this.#asked;
    this.#isStale = false;
    this.#body.setAttribute("aria-busy", "true");
    let answer = null;
    let page = null;
    try {
      answer = await fetch(url, { ...request, headers: { Accept: "text/html" } });
      const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
      page = drawn.querySelector("#main > .page");
    } catch {
      // No line: said below.
    }
    if (asked !== this.#asked) return;
    const { pathname } = new URL(answer?.url ?? url, location.href);
    if (answer?.redirected && !this.#doors.has(pathname)) {
      location.assign(answer.url); // not signed in any more, or not in this conversation
      return;
    }
    this.#body.removeAttribute("aria-busy");
    if (page) this.#show(page);
    else this.#fail(say(answer ? "error.server" : "error.unreachable"), url, request);
  }

  #show(page) {
    const focused = document.activeElement;
    const hadFocus = this.#body.contains(focused);
    page.querySelector(":scope > .page__back")?.remove();
    const head = page.querySelector(".page__head");
    this.#title.textContent = head.querySelector("h1").textContent;
    if (head.children.length > 1) head.querySelector("h1").remove();
    else head.remove();
    this.#body.replaceChildren(...page.children);
    if (!hadFocus) return;
    const same = focused.id && this.#body.querySelector(`#${CSS.escape(focused.id)}`);
    (same || this.#title).focus({ preventScroll: true });
  }

  #fail(why, url, request) {
    const look = "button button--quiet button--small";
    const again = button(look, say("status.retry"), () => this.#load(url, request));
    const words = element("p", "flash flash--error", why);
    words.setAttribute("role", "alert");
    this.#body.querySelector(":scope > .details__trouble")?.remove();
    this.#body.prepend(element("div", "details__trouble", words, again));
  }

  // What changes meanwhile

  /** Drawn anew, once nobody is in the middle of something there. */
  #outdated() {
    if (!this.#path) return;
    this.#isStale = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#path || this.#body.contains(document.activeElement) || this.#isTouched()) return;
      this.#load(this.#path);
    }, PAUSE);
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
