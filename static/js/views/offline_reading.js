// Keeps messages on this device for reading offline, and removes them when they must not be read here any more. Says
// how old what is shown is while there is no connection, and goes over to the page of the server when it is back.
// Registers the service worker, which serves the offline page, and goes where it asks to.

import { OfflineCopy } from "chatty/chat/offline_copy.js";
import { clear, readAll } from "chatty/chat/offline_storage.js";
import { ACCOUNT_CLOSED, SIGNED_OUT } from "chatty/chat/protocol.js";
import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { Timers } from "chatty/lib/timers.js";
import { trusted } from "chatty/lib/trusted_types.js";
import { button, element, part, setText } from "chatty/views/dom.js";
import { go } from "chatty/views/go.js";
import { t } from "chatty/views/i18n.js";
import { ageText } from "chatty/views/offline_page.js";

const PATIENCE = 1_500; // ms offline before anything is shown
const TICK = 1_000; // ms between two looks at how old it is, and at when the next attempt is
const CALM = 700; // ms without typing before the page is replaced
const AGAIN = 5_000; // ms after a replacement that failed
const PLACES = /** @type {const} */ ([
  [".topbar", "after"],
  ["#conversations", "before"],
]);

function registerWorker() {
  const worker = navigator.serviceWorker;
  // Fails on plain HTTP and where it is blocked. Pages work without it.
  worker?.register(trusted.createScriptURL("/service-worker.js")).catch(() => {});
  worker?.ready.then(({ active }) => worker.controller ?? active.postMessage("claim"));
  // A notification was clicked.
  worker?.addEventListener("message", ({ data, ports }) => {
    if (!data?.go) return;
    ports[0]?.postMessage("going");
    go(data.go);
  });
}

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  registerWorker();
  const reading = new OfflineReading(page);
  reading.connect();
  new OfflineView(page).connect();
  return reading;
}

/** Keeps messages on this device, while that is allowed. */
class OfflineReading {
  #page;
  #copy = null; // OfflineCopy, while messages are kept
  #name; // of the setting in this browser. It stays after signing out, as it reveals nothing private.

  /** @param {import("chatty/views/page.js").Page} page */
  constructor(page) {
    this.#page = page;
    this.#name = `chatty.offline.${page.me.id}`;
  }

  connect() {
    const { chat, data, scope } = this.#page;
    const isEnded = ({ code }) => code === SIGNED_OUT || code === ACCOUNT_CLOSED;
    // First, and without a connection: remove what is too old, or of another account.
    readAll()
      .then((saved) => saved && saved.scope !== scope && clear())
      .catch(() => {}) // the browser refuses: nothing is stored
      .then(() =>
        data.offline_reading && this.isOn && !isEnded(chat.status) ? this.#keep() : this.#remove(),
      );
    chat.on("status", (status) => isEnded(status) && this.#remove());
    chat.on("foreign", () => this.#remove());
  }

  get isOn() {
    try {
      return localStorage.getItem(this.#name) !== "off";
    } catch {
      return false; // storage is blocked
    }
  }

  set isOn(isOn) {
    if (isOn) {
      localStorage.removeItem(this.#name);
      this.#keep();
    } else {
      localStorage.setItem(this.#name, "off");
      this.#remove();
    }
  }

  #keep() {
    const { data, scope, chat, rest, conversationList } = this.#page;
    const { user, epoch, writer, urls, limits } = data;
    const { theme, contrast, density } = document.documentElement.dataset;
    const look = { theme, contrast, density };
    const page = { user: { ...user, picture: null }, epoch, writer, urls, limits, ...look };
    this.#copy = new OfflineCopy({ me: user.id, scope, page, chat, conversationList, rest });
    this.#copy.connect();
  }

  async #remove() {
    await this.#copy?.remove();
    this.#copy = null;
    await clear().catch(() => {});
  }
}

/** Says how old what is shown is, and goes over to the page of the server. */
class OfflineView {
  #chat;
  #socket;
  #lostAt = performance.timeOrigin;
  #wasOnline = false;
  #isOffline = false;
  #typed = null; // the moment of the last input
  #isComposing = false; // text with an input method
  #box = null; // the text box with the focus, of a page that is being replaced
  #timers = new Timers();

  constructor({ chat, socket }) {
    this.#chat = chat;
    this.#socket = socket;
  }

  connect() {
    this.#chat.on("status", () => this.#onStatus());
    this.#chat.on("hello", () => this.#refreshLater(0));
    this.#chat.on("opened", () => this.#onOpened());
    document.addEventListener("input", () => (this.#typed = momentNow()), { passive: true });
    document.addEventListener("compositionstart", () => (this.#isComposing = true));
    document.addEventListener("compositionend", () => (this.#isComposing = false));
    this.#onStatus();
    if (this.#chat.status.state === "online") this.#refreshLater(0);
  }

  /** When the page that is shown was saved (ms), or null if it came from the server. */
  get #savedAt() {
    return Number(document.getElementById("main").dataset.saved) || null;
  }

  #onStatus() {
    const { isDown, blocked } = this.#chat.status;
    if (this.#wasOnline && isDown) this.#lostAt = Date.now();
    this.#wasOnline = !isDown;
    if (!isDown) {
      this.#timers.clear("doubt");
      this.#isOffline = false;
      this.#show();
    } else if (this.#isOffline) {
      this.#show();
    } else if (!this.#timers.has("doubt")) {
      this.#timers.set("doubt", this.#savedAt || !navigator.onLine ? 0 : PATIENCE, () => {
        this.#isOffline = true;
        this.#show();
      });
    }
    if (blocked) this.#refreshLater(0);
  }

  #onOpened() {
    if (this.#isOffline) this.#show();
    else if (this.#savedAt) this.#refreshLater(AGAIN);
    giveTokens();
    this.#keepCaret();
  }

  // The age, at the top of the conversation and of the list

  #show() {
    this.#timers.clear("age");
    for (const [name, how] of PLACES) {
      const place = document.querySelector(name);
      const there = place?.parentElement.querySelector(":scope > .offline-note");
      if (!place || !this.#isOffline) {
        there?.remove();
        continue;
      }
      const note = there ?? this.#newNote();
      const [age, , next] = note.querySelectorAll("span");
      const { state, retryAt } = this.#socket;
      const n = state === "waiting" ? Math.ceil((retryAt - performance.now()) / 1000) : 0;
      setText(age, ageText(this.#savedAt ?? this.#lostAt));
      setText(next, n > 0 ? t("offline.next", { n }) : t("connection.connecting"));
      part(note, "button").ariaDisabled = String(this.#chat.status.state === "connecting");
      if (!there) place[how](note);
    }
    if (this.#isOffline) this.#timers.set("age", TICK, () => this.#show());
  }

  /** It isn't a live region: screen readers read it when someone goes there, not every second. */
  #newNote() {
    const way = button("button button--quiet button--small", t("offline.try"), () => this.#chat.retry());
    const promise = element("span", "offline-note__promise", t("offline.send"));
    const next = element("span", "offline-note__next");
    const text = element("p", "offline-note__text", element("span"), " ", promise, " ", next);
    return element("div", "offline-note", text, way);
  }

  // The page of the server instead of the saved one

  #refreshLater(delay) {
    if (this.#savedAt) this.#timers.set("refresh", delay, () => this.#refresh());
  }

  #refresh() {
    const { state, blocked } = this.#chat.status;
    if (!this.#savedAt || (state !== "online" && !blocked)) return;
    if (this.#isComposing || elapsedSince(this.#typed) < CALM) {
      this.#refreshLater(CALM);
      return;
    }
    this.#box = document.querySelector("textarea:focus");
    const isOfflinePage = Boolean(document.getElementById("offline-frame"));
    // Without a message box, nothing can be lost, and there are no parts that have to be replaced one by one.
    if (isOfflinePage && !document.getElementById("composer")) location.reload();
    else go(location.href);
    this.#refreshLater(AGAIN);
  }

  /** The former message box keeps its selection after it was removed. The next one gets the focus a moment later. */
  #keepCaret() {
    const { id, value, selectionStart, selectionEnd } = this.#box ?? {};
    this.#box = null;
    queueMicrotask(() => {
      const box = /** @type {HTMLTextAreaElement} */ (document.activeElement);
      if (id && box.id === id && box.value === value) box.setSelectionRange(selectionStart, selectionEnd);
    });
  }
}

/** The offline page has forms without a token, which also those outside of #main need then. */
function giveTokens() {
  const token = document.querySelector("#main input[name=csrfmiddlewaretoken]");
  if (!token) return;
  for (const form of document.querySelectorAll("form[method=post]")) {
    if (!form.querySelector("[name=csrfmiddlewaretoken]")) form.prepend(token.cloneNode());
  }
}
