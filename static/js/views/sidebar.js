// The list of conversations: what is always there. What draws its rows is loaded with the first change, and its menus
// and filters when they are used.

import { Drafts } from "chatty/chat/drafts.js";
import { hasModifier, view } from "chatty/views/dom.js";

const LONG_PRESS = 500; // ms
const CONTROLS = "[data-filter-name], .row__more, summary";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(element, page) {
  new Sidebar(element, page).connect();
}

class Sidebar {
  #element;
  #page;
  #drawn; // id -> conversation, as the page was rendered
  #loading; // a promise of SidebarList
  #press; // timer
  #isPressed = false; // a long press has opened a menu, and goes on

  constructor(element, page) {
    this.#element = element;
    this.#page = page;
    this.#drawn = new Map(page.data.conversations.map((each) => [each.id, each]));
  }

  connect() {
    const { early, scope, socket } = this.#page;
    early.sidebar.on("messages", (detail) => this.#pass("applyMessages", detail));
    early.sidebar.on("removed", (detail) => this.#pass("remove", detail));
    early.sidebar.on("change", (detail) => this.#isDrawn(detail.id) || this.#pass("update", detail));
    socket.on("frame", (frame) => {
      if (/typing|person/.test(frame.type)) this.#pass(frame.type, frame);
    });
    this.#noteOpen();
    this.#page.on("shown", () => {
      this.#noteOpen();
      this.#pass("setCurrent");
    });
    // On a phone, it has fewer sections. The server often knows that.
    const narrow = matchMedia("(width <= 43.75em)");
    const arrange = () => this.#pass("arrange", narrow.matches);
    narrow.onchange = arrange;
    if (narrow.matches !== "narrow" in this.#element.dataset) arrange();
    if (new Drafts(scope).size) this.#pass("showDrafts");
    const on = (type, work, passive) => this.#element.addEventListener(type, work, { passive });
    on("click", (event) => hasModifier(event) || this.#use(closest(event, CONTROLS), event));
    on("contextmenu", (event) => event.shiftKey || this.#use(closest(event, ".row"), event));
    on("touchstart", (event) => this.#onTouch(event), true);
    on("touchmove", () => clearTimeout(this.#press), true);
    on("touchend", (event) => this.#onLift(event), false);
    document.addEventListener("submit", (event) => this.#use(closest(event, "[data-toggle]"), event));
  }

  /** The switcher offers first what was opened last: see lib/recent.js. */
  #noteOpen() {
    const key = `chatty.recent.${this.#page.scope}`;
    const id = this.#page.data.conversation?.id;
    try {
      if (id) localStorage[key] = `${id},${localStorage[key]}`.slice(0, 999);
    } catch {
      // The storage is full or blocked.
    }
  }

  #pass(method, detail) {
    this.#loading ??= view("sidebar_list").then(({ SidebarList }) => {
      const list = new SidebarList(this.#page);
      list.connect();
      return list;
    });
    this.#loading.then(
      (list) => list[method](detail),
      () => (this.#loading = null),
    );
  }

  /**
   * Whether a conversation is still as the server has drawn it. Nearly all are, after `hello`, but only the browser knows
   * the time zone of people who have none in their profile.
   */
  #isDrawn(id) {
    const drawn = !this.#loading && this.#page.me.time_zone && this.#drawn.get(id);
    const now = this.#page.conversationList.get(id);
    return (
      drawn && Object.keys(drawn).every((key) => JSON.stringify(drawn[key]) === JSON.stringify(now[key]))
    );
  }

  #onTouch(event) {
    clearTimeout(this.#press);
    this.#isPressed = false;
    this.#press = setTimeout(() => {
      const row = closest(event, ".row");
      this.#isPressed = Boolean(row);
      this.#use(row, event);
    }, LONG_PRESS);
  }

  /** After a long press, it would follow the link of the row. */
  #onLift(event) {
    clearTimeout(this.#press);
    if (this.#isPressed) event.preventDefault();
    this.#isPressed = false;
  }

  #use(control, event) {
    if (!control) return;
    if (event.cancelable && control.localName !== "summary") event.preventDefault();
    view("sidebar_controls", { isAwaited: true }).then(({ use }) => use(control, event, this.#page));
  }
}

function closest({ target }, selector) {
  return target.closest(selector);
}
