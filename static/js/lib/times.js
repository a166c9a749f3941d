// Days, clocks and groups, in the reader's zone and language.

const GROUP_SPAN = 5 * 60 * 1000; // ms between two messages that still share one heading

export class Times {
  #zone;
  #language;
  #formats = new Map();

  /** `zone` is an IANA name; empty or unknown to this browser means the browser's own. */
  constructor({ zone = "", language = "en" } = {}) {
    this.#zone = usableZone(zone);
    this.#language = usableLanguage(language);
  }

  /** "2026-11-23": equal for two moments of the same day where the reader is. */
  dayKey(moment) {
    return this.#format("key", "en-CA", {
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
    }).format(new Date(moment));
  }

  /** "Monday, 23 November 2026". */
  day(moment) {
    return this.#format("day", this.#language, {
      weekday: "long",
      day: "numeric",
      month: "long",
      year: "numeric",
    }).format(new Date(moment));
  }

  /** "15:38". */
  clock(moment) {
    return this.#format("clock", this.#language, { hour: "2-digit", minute: "2-digit" }).format(
      new Date(moment),
    );
  }

  /** "23 November 2026 at 15:38", for titles. */
  full(moment) {
    return this.#format("full", this.#language, { dateStyle: "long", timeStyle: "short" }).format(
      new Date(moment),
    );
  }

  /** True when `message` continues the group of `previous`: same author, same day, within 5 min. */
  continues(previous, message) {
    if (!previous || !speaks(previous) || !speaks(message)) return false;
    if (previous.author.id !== message.author.id) return false;
    const apart = Date.parse(message.created_at) - Date.parse(previous.created_at);
    return (
      Math.abs(apart) < GROUP_SPAN &&
      this.dayKey(previous.created_at) === this.dayKey(message.created_at)
    );
  }

  #format(name, language, options) {
    if (!this.#formats.has(name)) {
      this.#formats.set(
        name,
        new Intl.DateTimeFormat(language, { ...options, timeZone: this.#zone }),
      );
    }
    return this.#formats.get(name);
  }
}

function speaks(message) {
  return message.kind === "text" && Boolean(message.author);
}

function usableZone(zone) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone || undefined;
  } catch {
    return undefined;
  }
}

/** Plain "en" means American dates; Chatty's English is British, as the server writes it. */
function usableLanguage(language) {
  try {
    new Intl.DateTimeFormat(language);
    return language === "en" ? "en-GB" : language;
  } catch {
    return "en-GB";
  }
}
