// Dots on the faces of whoever is here, how many of them are in this conversation, what it is about,
// and under my last message who has seen it. None of it is announced: it is read where it stands.

import { Company } from "chatty/chat/company.js";
import { element } from "chatty/views/dom.js";
import { say, sayCount } from "chatty/views/words.js";

const DOUBT = 20_000; // ms without a line after which nobody is said to be here
const STEPS = { joined: 1, added: 1, left: -1, removed: -1 }; // in how many people there are
const NAMED = 3; // under a message; of more people two, and how many more

export class CompanyView {
  #conversation;
  #socket;
  #chat;
  #store;
  #rest;
  #company;
  #lost = false; // the line
  #told = 0; // how often marks were told
  #timers = {};
  #stops = [];

  constructor({ conversation, socket, chat, store, rest }) {
    this.#conversation = conversation;
    this.#socket = socket;
    this.#chat = chat;
    this.#store = store;
    this.#rest = rest;
    const members = conversation?.members ?? null;
    const drawn = [...document.querySelectorAll(".face--here")].map(personOf);
    const here = [...drawn, ...(members ?? []).filter((member) => member.online).map(({ id }) => id)];
    this.#company = new Company({ here, members });
  }

  connect() {
    this.#stops.push(
      this.#socket.on("frame", (frame) => this.#heard(frame)),
      this.#chat.on("status", ({ state }) => this.#lineChanged(state)),
      this.#chat.on("spoken", ({ message }) => this.#spoken(message)),
    );
    if (!this.#store) return;
    // Called after the timeline, which listens for longer and has drawn what changed.
    this.#stops.push(this.#store.on("change", () => this.#showSeen()));
    this.#showSeen();
  }

  disconnect() {
    for (const stop of this.#stops) stop();
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
  }

  #heard(frame) {
    if (frame.type === "presence") {
      this.#company.heardPresence(frame);
      this.#showHere();
    } else if (frame.type === "person" && this.#store) {
      this.#company.heardPerson(frame.user);
      this.#showHere();
      this.#showSeen();
    } else if (frame.type === "seen" && frame.conversation === this.#conversation?.id) {
      this.#told += 1;
      this.#company.heardMarks(frame.marks);
      this.#showSeen();
    }
  }

  async #ask() {
    if (!this.#company.isTold) return;
    const asOf = this.#told;
    const { results } = await this.#rest.get(`conversations/${this.#conversation.id}/members/`);
    if (asOf !== this.#told) return this.#ask(); // the answer may be from before
    this.#company.heardMarks(results.map((row) => ({ user: row.user.id, seq: row.last_read_seq })));
    return this.#showSeen();
  }

  #spoken(message) {
    if (!message.notice) return;
    this.#company.heardNotice(message);
    this.#count(STEPS[message.kind] ?? 0);
    if (message.kind === "topic") this.#showTopic(message.notice.data.new);
    this.#showHere();
    this.#showSeen();
  }

  #lineChanged(state) {
    const wasLost = this.#lost;
    this.#lost = state !== "online";
    if (this.#lost === wasLost) return;
    clearTimeout(this.#timers.doubt);
    if (wasLost) {
      // What was told meanwhile; not everybody at once when a server comes back.
      this.#after("ask", 1_000 + 4_000 * Math.random(), () => this.#ask().catch(() => {}));
      return;
    }
    this.#after("doubt", DOUBT, () => {
      this.#company.forgetHere();
      this.#showHere();
    });
  }

  #count(step) {
    const people = document.getElementById("people");
    if (!step || !people) return;
    people.dataset.count = Number(people.dataset.count) + step;
    show(people, sayCount("people", Number(people.dataset.count)));
  }

  #showTopic(topic) {
    const place = document.getElementById("topic");
    if (place) show(place, topic && ` · ${topic}`);
  }

  #showHere() {
    // Of a conversation that has just come into the list.
    for (const avatar of document.querySelectorAll(".avatar[data-person]")) wrap(avatar);
    for (const face of document.querySelectorAll("[data-person]")) {
      face.classList.toggle("face--here", this.#company.isHere(personOf(face)));
    }
    const { names } = this.#company;
    const direct = document.getElementById("here-direct");
    if (direct) show(direct, say(names.length ? "here.now" : "here.direct"));
    const here = document.getElementById("here");
    if (!here) return;
    here.hidden = !names.length;
    const link = here.querySelector("a");
    show(link, sayCount("here.count", names.length + 1));
    link.title = say("here.names", { names: [...names, say("you")].join(", ") });
  }

  /** Its place is kept under my last message, so that nothing moves when it is filled. */
  #showSeen() {
    let place = document.getElementById("seen");
    const mine = document.querySelectorAll("#messages > .message--own:not(.message--deleted)");
    const last = [...mine].at(-1);
    if (!last || !this.#company.isTold || this.#store.hasNewer) {
      place?.remove();
      return;
    }
    place ??= element("p", "message__seen");
    place.id = "seen";
    const under = last.querySelector(".message__main");
    if (place.parentElement !== under) under.append(place);
    const { names, everybody } = this.#company.seenBy(Number(last.dataset.seq) || Infinity);
    show(place, this.#words(names, everybody));
    place.title = names.join(", ");
  }

  #words(names, everybody) {
    if (!names.length) return "";
    if (this.#conversation.kind === "direct") return say("seen");
    if (everybody) return say("seen.all");
    const more = names.length - NAMED + 1;
    const shown = more > 1 ? [...names.slice(0, NAMED - 1), sayCount("more", more)] : names;
    const last = shown.at(-1);
    const first = shown.slice(0, -1).join(", ");
    return say("seen.by", { names: first ? say("list", { names: first, last }) : last });
  }

  #after(name, delay, work) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(work, delay);
  }
}

function personOf(face) {
  return Number(face.dataset.person);
}

/** The face around an avatar, as templates/conversations/_badge.html has it. */
function wrap(avatar) {
  const face = element("span", "face", element("span", "face__word visually-hidden", say("here")));
  face.dataset.person = avatar.dataset.person;
  delete avatar.dataset.person;
  avatar.replaceWith(face);
  face.prepend(avatar);
}

function show(place, words) {
  if (place.textContent !== words) place.textContent = words;
}
