// The sentences scripts say. They stand, translated, in <template id="words"> of the page.

const WORDS = new Map();

function load() {
  const template = document.getElementById("words");
  for (const word of template?.content.querySelectorAll("[data-word]") ?? []) {
    WORDS.set(word.dataset.word, word.textContent);
  }
}

/** The sentence called `name`, with each {gap} filled from `values`. */
export function say(name, values = {}) {
  if (!WORDS.size) load();
  const sentence = WORDS.get(name) ?? name;
  return sentence.replace(/\{(\w+)\}/g, (gap, key) => values[key] ?? gap);
}

/** What a notice tells, in the page's language; one that this page does not know, in the server's. */
export function sayNotice({ kind, author, notice: { text, data } }) {
  const variant = data.role ?? data.access ?? (kind === "topic" && !data.new ? "none" : "");
  const name = `notice.${kind}${variant && `.${variant}`}`;
  const words = say(name, { who: author?.name ?? "Chatty", whom: data.name, new: data.new });
  return words === name ? text : words;
}

/** The sentence for a number: "name.one", "name.other" … as the page's language counts. */
export function sayCount(name, count, values = {}) {
  const form = new Intl.PluralRules(document.documentElement.lang || "en").select(count);
  if (!WORDS.size) load();
  const chosen = WORDS.has(`${name}.${form}`) ? form : "other";
  return say(`${name}.${chosen}`, { n: count, ...values });
}
