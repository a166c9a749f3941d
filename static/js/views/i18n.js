// The sentences scripts say. They stand, translated, in <template id="translations"> of the page.

const TRANSLATIONS = new Map();

function load() {
  const template = document.getElementById("translations");
  for (const entry of template?.content.querySelectorAll("[data-i18n]") ?? []) {
    TRANSLATIONS.set(entry.dataset.i18n, entry.textContent);
  }
}

/** The sentence called `name`, with each {gap} filled from `values`. */
export function t(name, values = {}) {
  if (!TRANSLATIONS.size) load();
  const sentence = TRANSLATIONS.get(name) ?? name;
  return sentence.replace(/\{(\w+)\}/g, (gap, key) => values[key] ?? gap);
}

/** What a notice tells, in the page's language; one that this page does not know, in the server's. */
export function noticeText({ kind, author, notice: { text, data } }) {
  const variant = data.role ?? data.access ?? (kind === "topic" && !data.new ? "none" : "");
  const name = `notice.${kind}${variant && `.${variant}`}`;
  const translated = t(name, { who: author?.name ?? "Chatty", whom: data.name, new: data.new });
  return translated === name ? text : translated;
}

/** The sentence for a number: "name.one", "name.other" … as the page's language counts. */
export function tn(name, count, values = {}) {
  const form = new Intl.PluralRules(document.documentElement.lang || "en").select(count);
  if (!TRANSLATIONS.size) load();
  const chosen = TRANSLATIONS.has(`${name}.${form}`) ? form : "other";
  return t(`${name}.${chosen}`, { n: count, ...values });
}
