// The open conversation in the page: everything inside #main, from when it is shown until another one is.

import { ConversationChat } from "chatty/chat/conversation_chat.js";
import { Store } from "chatty/chat/store.js";
import { BufferedEmitter } from "chatty/lib/emitter.js";
import { attempt } from "chatty/views/attempt.js";
import { Composer } from "chatty/views/composer.js";
import { byId, slot, view } from "chatty/views/dom.js";
import { MessageView } from "chatty/views/message.js";
import { MessageList } from "chatty/views/message_list.js";
import { PASSING, PermissionsView } from "chatty/views/permissions.js";
import { startSending } from "chatty/views/start_sending.js";

/** @param {import("chatty/views/page.js").Page} page */
export function connect(element, page) {
  const shown = new ConversationPage({ root: element.closest("#main"), data: page.data, page });
  page.conversation = shown;
  shown.connect(page.arrival);
  return shown;
}

export class ConversationPage {
  #root;
  #page;
  #data;
  #chat;
  #composer;
  #timeline;
  #reading = null; // until the module has loaded
  #permissions;
  #message;
  #actions = null; // until the module has loaded, its links and forms work without it
  #connected = []; // parts to disconnect, in this order
  #hasSlowMode = false;
  #isClosed = false;

  /**
   * `root`: #main. `data`: of the page, with a conversation. `page` outlives the conversation.
   * @param {{ root: Element, data: Wire.PageData, page: import("chatty/views/page.js").Page }} given
   */
  constructor({ root, data, page }) {
    this.#root = root;
    this.#data = data;
    this.#page = page;
    const { user: me, conversation } = data;
    const { chat, conversationList, times } = page;
    const { drafts, loaded } = startSending(page);
    const store = new Store({ me: me.id, page: conversation.history });
    const { id, last_read_seq: lastRead } = conversation;
    this.#chat = chat.open((shared) => new ConversationChat({ ...shared, id, lastRead, store }));
    this.#permissions = new PermissionsView({
      place: byId(root, "conversation"),
      conversation,
      conversationList,
    });
    this.#message = new MessageView({ me, times, permissions: this.#permissions });
    this.#timeline = new MessageList(root, this.#chat, {
      message: this.#message,
      times,
      me,
      locked: this.#permissions.locked,
      onMove: () => this.#reading?.look(),
    });
    this.#composer = new Composer({
      form: byId(root, "composer"),
      chat: this.#chat,
      drafts,
      loaded,
      onSent: () => {
        this.#timeline.toLatest();
        this.#reading?.messageSent();
      },
      editLast: () => this.#actions?.editLast() ?? false,
    });
  }

  // Lifecycle

  /**
   * `place`: the scroll position to restore, see MessageList.place(). Null to show the URL's message, or what is new.
   * `isLoaded`: by the browser, which then scrolls to the URL's message itself.
   */
  connect({ place = null, isLoaded = true } = {}) {
    const { rest, conversationList } = this.#page;
    const { drafts } = this.#page.sending;
    const { user: me, conversation, limits } = this.#data;
    const { id } = conversation;
    const [root, chat, timeline, composer] = [this.#root, this.#chat, this.#timeline, this.#composer];

    attempt(() => this.#keep(timeline, { place, target: location.hash.slice(1), isLoaded }));
    attempt(() => this.#keep(composer));
    attempt(() => this.#keep(this.#permissions));
    this.#permissions.on("locked", ({ locked }) => this.#onLocked(locked));
    chat.on("removed", ({ change }) => this.lock(change));
    chat.on("readded", () => composer.locked === "removed" && this.#page.reload());
    const { locked } = this.#permissions;
    if (locked) {
      // The page says so already. Text from before needs the bar, to be copied or discarded.
      composer.lock(locked);
      if (composer.text) this.lock(locked);
    }
    this.#loadBuffered(view("read_marks"), [[chat, "message", "read_mark"]], ({ ReadMarksView }, events) => {
      const shared = { root, conversationList, timeline, conversation };
      this.#reading = new ReadMarksView({ ...shared, chat, events });
      this.#keep(this.#reading);
    });
    this.#connected.push({
      disconnect: conversationList.on("change", () => this.#startSlowMode()),
    });
    this.#startSlowMode();
    this.#load([view("message_links")], ({ MessageLinks }) =>
      this.#keep(new MessageLinks({ root, chat, rest, timeline }), {
        isLoaded: isLoaded || place !== null,
      }),
    );
    const form = byId(root, "composer");
    const { scope } = this.#page;
    const writing = { form, chat, rest, me, conversationList, permissions: this.#permissions, scope };
    this.#load([view("message_actions"), view("keyboard")], ({ MessageActions }, { Keyboard }) => {
      const actions = new MessageActions({
        root,
        chat,
        timeline,
        message: this.#message,
        drafts,
        me,
        max: limits.body,
        permissions: this.#permissions,
        writing,
      });
      this.#actions = actions;
      this.#keep(actions, { composer });
      this.#keep(new Keyboard({ root, timeline, actions, composer }));
    });
    this.#load([view("writing_start")], ({ startWriting }) => this.#connected.push(startWriting(writing)));
    this.#loadAtFirst(
      "message",
      () => view("announcer"),
      ({ Announcer }, events) => {
        this.#keep(new Announcer({ chat: events }));
      },
    );
    this.#loadAtFirst(
      "typing",
      () => view("typing"),
      ({ Typing }, events) => {
        this.#keep(new Typing({ chat: events, place: slot(form, "typing") }));
      },
    );
    const events = new BufferedEmitter([chat, "message"]);
    this.#connected.push(events);
    this.#page.part("presence").then((presence) => {
      if (presence && !this.#isClosed) {
        presence.open({ conversation, chat: events, store: chat.store });
        this.#connected.push({ disconnect: () => presence.close() });
      }
      events.replay();
    });
    this.#load([view("heading"), this.#page.part("badge")], ({ Heading }, badge) =>
      this.#keep(new Heading({ root, conversation: id, conversationList, badge })),
    );
  }

  /** Before its elements are removed, if possible. */
  disconnect() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#page.conversation === this) this.#page.conversation = null;
    for (const part of this.#connected) attempt(() => part.disconnect());
    this.#page.chat.close();
  }

  // Public methods

  get id() {
    return this.#data.conversation.id;
  }

  /** The ConversationChat. */
  get chat() {
    return this.#chat;
  }

  /** The scroll position, for connect() later. */
  get place() {
    return this.#timeline.place();
  }

  get composer() {
    return this.#composer;
  }

  /** Lock what can be written, rather than leave: its author may be looking elsewhere. See Composer.lock(). */
  lock(change) {
    if (this.#page.isLeaving) return;
    this.#composer.lock(change);
    this.#timeline.lock(change);
    this.#load([view("locked_bar")], ({ showLocked }) =>
      showLocked({ root: this.#root, change, composer: this.#composer, home: this.#data.urls.home }),
    );
  }

  // Internal

  #onLocked(locked) {
    const { locked: before } = this.#composer;
    if (before && !PASSING.includes(before)) return;
    if (before === "archived" && locked !== "archived") {
      this.#load([view("orphaned_text")], ({ hideArchived }) => hideArchived());
    }
    if (locked) {
      this.lock(locked);
      return;
    }
    this.#composer.unlock();
    this.#timeline.lock("");
    this.#load([view("locked_bar")], ({ hideLocked }) => hideLocked(this.#root));
  }

  /** Most conversations have no slow mode, so it is loaded where it is needed. */
  #startSlowMode() {
    const { conversationList } = this.#page;
    if (this.#hasSlowMode || !conversationList.get(this.id)?.slow_mode) return;
    this.#hasSlowMode = true;
    const form = byId(this.#root, "composer");
    const shared = { form, chat: this.#chat, conversationList, permissions: this.#permissions };
    this.#load([view("slow_mode")], ({ SlowMode }) => this.#keep(new SlowMode(shared)));
  }

  #keep(part, options) {
    part.connect(options);
    this.#connected.push(part);
  }

  /** Start views once they have loaded, unless the conversation has been closed. */
  #load(views, start) {
    return Promise.all(views).then((modules) => {
      if (!this.#isClosed) start(...modules);
    });
  }

  /** Load a part once the chat emits `type`, which may never happen. It gets that event, too. */
  #loadAtFirst(type, load, start) {
    const stop = this.#chat.on(type, (detail) => {
      stop();
      this.#loadBuffered(load(), [[this.#chat, "typing", "message"]], (module, events) => {
        start(module, events);
        events.emit(type, detail);
      });
    });
    this.#connected.push({ disconnect: stop });
  }

  /** Load a part later and buffer its events until it has started. `sources`: see BufferedEmitter. */
  #loadBuffered(module, sources, start) {
    const events = new BufferedEmitter(...sources);
    this.#connected.push(events);
    // Also replay if the module fails to load, or the buffer would grow forever.
    this.#load([module], (loaded) => start(loaded, events)).finally(() => events.replay());
  }
}
