// Dates and times in the reader's time zone and language.

const GROUP_SPAN = 5 * 60 * 1000; // ms: maximum time between two messages of one group

export class Times {
  #zone;
  #language;
  #cycle;
  #formats = new Map();

  /**
   * `zone` is an IANA name; if empty or unknown to this browser, the browser's own zone is used. `cycle`: "h12" or "h23".
   * @param {{ zone?: string, language?: string, cycle?: any }} [reader]
   */
  constructor({ zone = "", language = "en", cycle = "h23" } = {}) {
    this.#cycle = cycle;
    this.#zone = usableZone(zone);
    this.#language = usableLanguage(language);
  }

  /** "2026-11-23": the date in the reader's time zone. */
  dayKey(moment) {
    // From "23/11/2026". Not "en-CA", which some browsers format as American English.
    return this.#format("key", "en-GB").format(new Date(moment)).split("/").reverse().join("-");
  }

  /** "Monday 23 November", plus the year if it differs from that of `now`, as the server formats it. */
  day(moment, now = Date.now()) {
    const options = { weekday: "long", day: "numeric", month: "long" };
    const text = this.#format("day", this.#language, options).format(new Date(moment));
    const day = this.#language === "en-GB" ? text.replace(",", "") : text; // only some browsers add it
    const [year, thisYear] = [moment, now].map((each) => this.dayKey(each).slice(0, 4));
    return year === thisYear ? day : `${day} ${year}`; // browsers would add a comma in English
  }

  /** Whole days between the reader's today and the day of `moment`: 0 today, 1 yesterday. */
  daysAgo(moment, now = Date.now()) {
    const days = Date.parse(this.dayKey(now)) - Date.parse(this.dayKey(moment));
    return Math.round(days / 86_400_000);
  }

  /** "15:38" or "3:38 pm" in every language, as the server formats it. */
  clock(moment) {
    const options = { hour: "numeric", minute: "2-digit", hourCycle: this.#cycle };
    const text = this.#format("clock", "en-US", options).format(new Date(moment));
    return text.replace(/\s/, " ").toLowerCase(); // some browsers write a narrow space before "PM"
  }

  /** "23 November 2026, 15:38", as the server formats it. */
  full(moment) {
    const date = this.#format("date", this.#language, { dateStyle: "long" }).format(new Date(moment));
    return `${date}, ${this.clock(moment)}`;
  }

  /** True if a message at `moment` can be grouped with one at `before`. */
  isNear(before, moment) {
    return Date.parse(moment) - Date.parse(before) <= GROUP_SPAN;
  }

  /** The browser's own zone has changed. */
  renew() {
    this.#formats.clear();
  }

  #format(name, language, options) {
    if (!this.#formats.has(name)) {
      this.#formats.set(name, new Intl.DateTimeFormat(language, { ...options, timeZone: this.#zone }));
    }
    return this.#formats.get(name);
  }
}

function usableZone(zone) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone || undefined;
  } catch {
    return undefined;
  }
}

/** Browsers format "en" dates as American English; Chatty uses British English, like the server. */
function usableLanguage(language) {
  try {
    new Intl.DateTimeFormat(language);
    return language === "en" ? "en-GB" : language;
  } catch {
    return "en-GB";
  }
}
