// Suggests members of the conversation after an "@", and everyone: see suggestions.js.

import { elapsedSince, momentNow } from "chatty/lib/elapsed.js";
import { caseFolded, folded, rank, WORD } from "chatty/lib/match.js";
import { canMeanEveryone, EVERYONE, START } from "chatty/lib/mentions.js";
import { showAvatar } from "chatty/views/avatar.js";
import { element, fromTemplate } from "chatty/views/dom.js";
import { EveryoneNote } from "chatty/views/everyone_note.js";
import { t, tn } from "chatty/views/i18n.js";
import { templateData } from "chatty/views/template_data.js";
import { escapeMarks } from "chatty/views/typed_text.js";

const MENTION = new RegExp(`${START}([^@＠\\s][^@＠\\n]{0,59})?$`, "u"); // names can have several words
const SHOWN = 6;
const BY_WORD = 1; // the highest rank shown: names or words that start with the typed text (lib/match.js)
const FRESH = 30_000; // ms for which the member list is cached

export class MemberSource {
  label = t("people");
  rest = new RegExp(`${WORD}*`, "uy");
  #me;
  #rest;
  #chat;
  #permissions;
  #members = null; // a promise of [{id, name, hue, picture}], active members sorted by name
  #askedAt = null; // when the member list was requested
  #stop;
  #note;

  /** `page`: see suggestions.js. */
  constructor(page) {
    const { chat, rest, me, permissions } = page;
    this.#chat = chat;
    this.#rest = rest;
    this.#me = me;
    this.#permissions = permissions;
    this.#note = new EveryoneNote(page, () => this.#others());
    this.#note.connect();
    this.#stop = chat.on("message", ({ message }) => {
      if (message.notice) this.#members = null;
    });
  }

  disconnect() {
    this.#stop();
    this.#note.disconnect();
  }

  find(text) {
    return mentionIn(text);
  }

  async suggest(typed) {
    const others = await this.#others();
    const people = fitting(this.#byUse(others), typed).map(({ id, name, hue, picture }) => {
      const avatar = element("span");
      showAvatar(avatar, { name, hue, picture });
      return { id: `mention-${id}`, name, text: `@${escapeMarks(name)}`, picture: avatar };
    });
    const names = others.map(({ name }) => name);
    if (!names.length || !this.#permissions.can("mention-all") || !canMeanEveryone(typed, names))
      return people;
    const { about } = templateData("everyone-template");
    const everyone = {
      id: "mention-all",
      name: EVERYONE,
      about: about.replace("{people}", tn("people", names.length)),
      text: `@${EVERYONE}`,
      picture: fromTemplate("everyone-template"),
    };
    if (caseFolded(typed) !== EVERYONE) return [...people, everyone];
    return people.length ? [everyone, ...people] : []; // typed in full
  }

  /** Those first who wrote last, of the messages that are loaded. */
  #byUse(members) {
    const seqs = new Map();
    for (const { kind, author, seq } of this.#chat.store.messages())
      if (kind === "text") seqs.set(author?.id, seq);
    const latest = ({ id }) => seqs.get(id) ?? 0;
    return [...members].sort((one, other) => latest(other) - latest(one));
  }

  /**
   * After a space this may be the rest of the sentence, so select nothing and let Enter send. The same for "all" of
   * someone who can't notify everyone, whatever else begins like this.
   */
  isLikely(typed) {
    return !/\s/.test(typed) && (caseFolded(typed) !== EVERYONE || this.#permissions.can("mention-all"));
  }

  /** A promise of the other members, without those whose accounts are deactivated. */
  #others() {
    if (elapsedSince(this.#askedAt) > FRESH) this.#members = null;
    this.#members ??= this.#load();
    return this.#members;
  }

  async #load() {
    this.#askedAt = momentNow();
    try {
      const { results } = await this.#rest.get(`conversations/${this.#chat.id}/members/`);
      // Mentions reach no one else.
      const others = results.filter(({ user, active }) => active !== false && user.id !== this.#me.id);
      return others.map(({ user }) => user).sort((a, b) => a.name.localeCompare(b.name));
    } catch {
      this.#members = null; // retried at the next keystroke; names can also be typed in full
      return [];
    }
  }
}

/** {at, typed} of the mention at the end of `text`, or null. */
export function mentionIn(text) {
  const found = MENTION.exec(text);
  return found && { at: found.index, typed: found[1] ?? "" };
}

/** The matching members. Names that start with the typed text come before names with a word that does. */
export function fitting(members, typed) {
  const goesOn = /\s$/.test(typed) ? `${folded(typed)} ` : "";
  const fit = members
    .map((person) => ({ ...person, rank: rank(person.name, typed) }))
    .filter(({ name, rank: found }) => found !== null && found <= BY_WORD && folded(name).startsWith(goesOn))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, SHOWN);
  // Already typed in full, by the server's comparison: nothing to suggest.
  return fit.length === 1 && caseFolded(fit[0].name) === caseFolded(typed) ? [] : fit;
}
