// Online dots on avatars, member and online counts, and who has seen my last message. None of these changes
// are announced to screen readers.

import { Presence } from "chatty/chat/presence.js";
import { Timers } from "chatty/lib/timers.js";
import { element, fill, setText, view } from "chatty/views/dom.js";
import { t, tn } from "chatty/views/i18n.js";

// ms without a connection after which no one is shown as online. Short interruptions shouldn't flicker.
const OFFLINE_AFTER = 2_000;
const STEPS = { joined: 1, added: 1, left: -1, removed: -1 }; // changes of the member count

/** @param {import("chatty/views/page.js").Page} page */
export function connect(_element, page) {
  const { me, rest, early } = page;
  const presence = new PresenceView({ me: me.id, events: early.presence, rest });
  presence.connect();
  // What shows rare frames is loaded with the first of them.
  early.presence.on("frame", (frame) => {
    const { type, user } = frame;
    if (type === "person") view("people").then(({ updatePerson }) => updatePerson(user, page));
    else if (type.startsWith("join_request")) view("join_requests").then(({ show }) => show(frame));
  });
  return presence;
}

class PresenceView {
  #events; // BufferedEmitter of frames and the status of the connection
  #rest;
  #presence;
  #conversation = null; // of the page's data
  #store = null;
  #isOffline = false;
  #marksReceived = 0; // number of `seen` frames so far
  #timers = new Timers();
  #stopsHere = []; // of the open conversation

  constructor({ me, events, rest }) {
    this.#events = events;
    this.#rest = rest;
    const drawn = [...document.querySelectorAll(".presence--online")].map(personOf);
    this.#presence = new Presence({ me, here: drawn, members: null });
  }

  connect() {
    this.#showOnline(); // me
    this.#events.on("frame", (frame) => this.#onFrame(frame));
    this.#events.on("status", ({ state }) => this.#onStatus(state));
  }

  /** `chat`: emits "message" of the conversation. */
  open({ conversation, chat, store }) {
    this.close();
    this.#conversation = conversation;
    this.#store = store;
    this.#presence.open(conversation.members);
    this.#stopsHere = [
      chat.on("message", ({ message }) => this.#onMessage(message)),
      // The timeline subscribed earlier, so it has already rendered the change when this is called.
      store.on("change", () => this.#showSeen()),
    ];
    this.#showOnline();
    this.#showSeen();
  }

  close() {
    for (const stop of this.#stopsHere) stop();
    this.#stopsHere = [];
    this.#conversation = this.#store = null;
    this.#presence.open(null);
  }

  #onFrame(frame) {
    if (frame.type === "presence") {
      this.#presence.applyPresence(frame);
      this.#showOnline();
    } else if (frame.type === "person" && this.#store) {
      this.#presence.updatePerson(frame.user);
      this.#showOnline();
      this.#showSeen();
    } else if (frame.type === "seen" && frame.conversation === this.#conversation?.id) {
      this.#marksReceived += 1;
      this.#presence.applyMarks(frame.marks);
      this.#showSeen();
    }
  }

  async #fetchMarks() {
    if (!this.#presence.hasReaders) return;
    const asOf = this.#marksReceived;
    const { id } = this.#conversation;
    const { results } = await this.#rest.get(`conversations/${id}/members/`);
    if (id !== this.#conversation?.id) return;
    if (asOf !== this.#marksReceived) return this.#fetchMarks(); // the response may be older
    this.#presence.applyMarks(results.map((row) => ({ user: row.user.id, seq: row.last_read_seq })));
    return this.#showSeen();
  }

  #onMessage(message) {
    if (!message.notice) return;
    this.#presence.applyNotice(message);
    this.#count(STEPS[message.kind] ?? 0);
    this.#showOnline();
    this.#showSeen();
  }

  #onStatus(state) {
    const wasLost = this.#isOffline;
    this.#isOffline = state !== "online";
    if (this.#isOffline === wasLost) return;
    this.#timers.clear("doubt");
    if (wasLost) {
      // Fetch the marks missed while offline. With a random delay, so that clients don't all do so at
      // once when a server comes back.
      this.#timers.set("ask", 1_000 + 4_000 * Math.random(), () => this.#fetchMarks().catch(() => {}));
      return;
    }
    this.#timers.set("doubt", navigator.onLine ? OFFLINE_AFTER : 0, () => {
      this.#presence.clearOnline();
      this.#showOnline();
    });
  }

  #count(step) {
    const people = document.getElementById("people");
    if (!step || !people) return;
    const count = Number(people.dataset.count) + step;
    people.dataset.count = count;
    setText(people, tn("people", count));
    fill(document, "people-number", count);
  }

  #showOnline() {
    // Avatars of conversations that were just added to the list.
    for (const avatar of document.querySelectorAll(".avatar[data-person]")) wrap(avatar);
    for (const wrapper of document.querySelectorAll("[data-person]")) {
      wrapper.classList.toggle("presence--online", this.#presence.isOnline(personOf(wrapper)));
    }
    const { names } = this.#presence;
    const direct = document.getElementById("online-direct");
    if (direct) setText(direct, t(names.length ? "online.now" : "online.direct"));
    const here = document.getElementById("online");
    if (!here) return;
    here.hidden = !names.length;
    const link = here.querySelector("a");
    const { text, title } = onlineSummary(names);
    setText(link, text);
    link.title = title;
  }

  /** The empty element is always under my last message, so that filling it causes no layout shift. */
  #showSeen() {
    let place = document.getElementById("seen");
    const mine = document.querySelectorAll("#messages > [data-own]:not(.message--deleted)");
    const last = [...mine].at(-1);
    if (!last || !this.#presence.hasReaders || this.#store.hasNewer) {
      place?.remove();
      return;
    }
    place ??= element("p", "message__seen");
    place.id = "seen";
    const under = last.querySelector(".message__main");
    if (place.parentElement !== under) under.append(place);
    const seen = this.#presence.seenBy(Number(last.dataset.seq) || Infinity);
    if (place.title === seen.names.join(", ")) return;
    const { kind } = this.#conversation;
    view("seen").then(({ showSeen }) => showSeen(place, seen, kind));
  }
}

/** Who is online, including me: the `names` are of others. */
export function onlineSummary(names) {
  const title = t("online.names", { names: [...names, t("you")].join(", ") });
  return { text: tn("online.count", names.length + 1), title };
}

function personOf(wrapper) {
  return Number(wrapper.dataset.person);
}

/** Wrap an avatar as in templates/rows/badge.html. */
function wrap(avatar) {
  const wrapper = element("span", "presence", element("span", "presence__text visually-hidden", t("online")));
  wrapper.dataset.person = avatar.dataset.person;
  delete avatar.dataset.person;
  avatar.replaceWith(wrapper);
  wrapper.prepend(avatar);
}
