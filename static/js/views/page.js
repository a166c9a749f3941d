// What the views of a page share. There is one Page from its load on, whatever it shows.
//
// Emits:
//   shown   {title}   it shows the content of another page

import { Chat } from "chatty/chat/chat.js";
import { ConversationList } from "chatty/chat/conversation_list.js";
import { Rest } from "chatty/chat/rest.js";
import { Socket } from "chatty/chat/socket.js";
import { isRecent } from "chatty/lib/elapsed.js";
import { BufferedEmitter, Emitter } from "chatty/lib/emitter.js";
import { Times } from "chatty/lib/times.js";
import { isWatched } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";
import { Loader } from "chatty/views/loader.js";
import { entryNow, Places } from "chatty/views/places.js";
import { offerReload } from "chatty/views/reload_offer.js";

const RELOAD_PAUSE = 10_000; // ms: no second automatic reload within this time

export class Page extends Emitter {
  /**
   * The open conversation, if there is one.
   * @type {import("chatty/views/conversation_page.js").ConversationPage | null}
   */
  conversation = null;
  /**
   * What is unsent. Null until it is loaded: see views/start_sending.js.
   * @type {import("chatty/chat/sending.js").Sending | null}
   */
  sending = null;
  /** Already navigating, such as after a form: the next page says what happened. */
  isLeaving = false;
  #parts = new Map(); // name of a view -> {promise, resolve} of what its connect() returned

  /** @param {Wire.PageData} data of the page that is loaded */
  constructor(data) {
    super();
    const { user: me, epoch, urls } = data;
    /** Of the page that is shown. */
    this.data = data;
    this.me = me;
    /** Identifies account and epoch. Stored data of others is not shown. */
    this.scope = `${me.id}.${epoch}`;
    /** Of the reader. Everything that is live uses it. */
    this.times = new Times({
      zone: me.time_zone,
      cycle: me.hour_cycle,
      language: document.documentElement.lang,
    });
    this.conversationList = new ConversationList({ me: me.id, rows: data.conversations });
    this.rest = new Rest({ root: urls.api, token: csrfToken, t });
    this.socket = new Socket(socketUrl(urls.socket));
    const { conversationList, rest, socket } = this;
    this.chat = new Chat({ me: me.id, epoch, socket, rest, conversationList });
    this.places = new Places(this.scope);
    /**
     * How the open conversation is shown. `place`: see ConversationPage.connect().
     * @type {{ place: any, isLoaded: boolean }}
     */
    this.arrival = { place: this.places.get(entryNow())?.scroll ?? null, isLoaded: true };
    /** Events for views that are loaded later, from the start on. */
    this.early = {
      sidebar: new BufferedEmitter([conversationList, "change", "removed", "messages"]),
      presence: new BufferedEmitter([socket, "frame"], [this.chat, "status"]),
    };
    this.loader = new Loader(this);
  }

  connect() {
    addEventListener("beforeunload", () => (this.isLeaving = true));
    addEventListener("viewerror", (/** @type {any} */ { detail }) => this.#onViewError(detail));
    this.chat.on("foreign", ({ change }) => this.#onForeign(change));
    this.loader.connect();
    this.chat.connect();
  }

  /** Show the content of another page: `data` is its data, and `swap()` has put its elements there. */
  show({ data, title, place, swap }) {
    this.conversation?.disconnect();
    this.data = data;
    this.arrival = { place, isLoaded: false };
    swap();
    // Without a socket, the list can be older than the page.
    const isNewer = ({ id, version }) => version > this.conversationList.get(id)?.version;
    this.conversationList.setCounts(data.conversations.filter(isNewer));
    this.loader.update();
    this.emit("shown", { title });
  }

  /**
   * What connect() of a view returned, once it has loaded. Null if it can't be loaded.
   * @returns {Promise<any>}
   */
  part(name) {
    return this.#part(name).promise;
  }

  /** A view has been connected. `part`: what that returned, or null if it can't be loaded. */
  provide(name, part) {
    this.#part(name).resolve(part);
    this.early[name]?.replay(); // also if it can't be loaded, or they would be kept forever
  }

  /** Reload the page, but not in a loop: see RELOAD_PAUSE. */
  reload() {
    const last = Number(sessionStorage.getItem("chatty.reloaded")) || 0;
    if (isRecent(last, RELOAD_PAUSE)) return;
    sessionStorage.setItem("chatty.reloaded", String(Date.now()));
    location.reload();
  }

  // Internal

  #part(name) {
    if (!this.#parts.has(name)) {
      const part = {};
      part.promise = new Promise((resolve) => (part.resolve = resolve));
      this.#parts.set(name, part);
    }
    return this.#parts.get(name);
  }

  /** Without a connection, the view is loaded when there is one again. Without a network, a reload would not help. */
  #onViewError(failure) {
    const isLost = () => this.chat.status.isDown || !navigator.onLine;
    if (isLost() && !failure.isAwaited) {
      failure.reconnected = new Promise((resolve) => {
        const look = () => isLost() || resolve(null);
        this.chat.on("status", look);
        addEventListener("online", look);
      });
    } else if (navigator.onLine && !this.isLeaving) offerReload();
  }

  #onForeign(change) {
    if (this.isLeaving) return;
    // Lock the page rather than reload as another account: the author may not be looking at the text.
    if (this.conversation && (this.conversation.composer.text || isWatched())) this.conversation.lock(change);
    else this.reload();
  }
}

function socketUrl(path) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${path}`;
}

function csrfToken() {
  return document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
}
