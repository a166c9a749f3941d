// Online dots on avatars, member and online counts, and who has seen my last message. None of these changes
// are announced to screen readers.

import { Presence } from "chatty/chat/presence.js";
import { element } from "chatty/views/dom.js";
import { t, tn } from "chatty/views/i18n.js";

const OFFLINE_AFTER = 20_000; // ms without a connection after which no one is shown as online
const STEPS = { joined: 1, added: 1, left: -1, removed: -1 }; // changes of the member count
const NAMED = 3; // names under a message; if there are more people, two names and a number

export class PresenceView {
  #conversation;
  #socket;
  #chat;
  #store;
  #rest;
  #presence;
  #isOffline = false;
  #marksReceived = 0; // number of `seen` frames so far
  #timers = {};
  #stops = [];

  constructor({ conversation, socket, chat, store, rest }) {
    this.#conversation = conversation;
    this.#socket = socket;
    this.#chat = chat;
    this.#store = store;
    this.#rest = rest;
    const members = conversation?.members ?? null;
    const drawn = [...document.querySelectorAll(".presence--online")].map(personOf);
    const here = [...drawn, ...(members ?? []).filter((member) => member.online).map(({ id }) => id)];
    this.#presence = new Presence({ here, members });
  }

  connect() {
    this.#stops.push(
      this.#socket.on("frame", (frame) => this.#onFrame(frame)),
      this.#chat.on("status", ({ state }) => this.#onStatus(state)),
      this.#chat.on("message", ({ message }) => this.#onMessage(message)),
    );
    if (!this.#store) return;
    // The timeline subscribed earlier, so it has already rendered the change when this is called.
    this.#stops.push(this.#store.on("change", () => this.#showSeen()));
    this.#showSeen();
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
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
    const { results } = await this.#rest.get(`conversations/${this.#conversation.id}/members/`);
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
    clearTimeout(this.#timers.doubt);
    if (wasLost) {
      // Fetch the marks missed while offline. With a random delay, so that clients don't all do so at
      // once when a server comes back.
      this.#after("ask", 1_000 + 4_000 * Math.random(), () => this.#fetchMarks().catch(() => {}));
      return;
    }
    this.#after("doubt", OFFLINE_AFTER, () => {
      this.#presence.clearOnline();
      this.#showOnline();
    });
  }

  #count(step) {
    const people = document.getElementById("people");
    if (!step || !people) return;
    people.dataset.count = Number(people.dataset.count) + step;
    show(people, tn("people", Number(people.dataset.count)));
  }

  #showOnline() {
    // Avatars of conversations that were just added to the list.
    for (const avatar of document.querySelectorAll(".avatar[data-person]")) wrap(avatar);
    for (const wrapper of document.querySelectorAll("[data-person]")) {
      wrapper.classList.toggle("presence--online", this.#presence.isOnline(personOf(wrapper)));
    }
    const { names } = this.#presence;
    const direct = document.getElementById("online-direct");
    if (direct) show(direct, t(names.length ? "online.now" : "online.direct"));
    const here = document.getElementById("online");
    if (!here) return;
    here.hidden = !names.length;
    const link = here.querySelector("a");
    const { text, title } = onlineSummary(names);
    show(link, text);
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
    show(place, receiptText(seen, this.#conversation.kind));
    place.title = seen.names.join(", ");
  }

  #after(name, delay, work) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(work, delay);
  }
}

/** Who is online, including me: the `names` are of others. */
export function onlineSummary(names) {
  const title = t("online.names", { names: [...names, t("you")].join(", ") });
  return { text: tn("online.count", names.length + 1), title };
}

/** Who has seen my last message: the result of seenBy(). `kind`: of the conversation. */
export function receiptText({ names, everybody }, kind) {
  if (!names.length) return "";
  if (kind === "direct") return t("seen");
  if (everybody) return t("seen.all");
  const more = names.length - NAMED + 1;
  const shown = more > 1 ? [...names.slice(0, NAMED - 1), tn("more", more)] : names;
  const last = shown.at(-1);
  const first = shown.slice(0, -1).join(", ");
  return t("seen.by", { names: first ? t("list", { names: first, last }) : last });
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

function show(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
