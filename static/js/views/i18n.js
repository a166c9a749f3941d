// Translated strings for scripts, from <template id="translations"> (templates/_script_strings.html).

import { templateContent } from "chatty/views/dom.js";

const TRANSLATIONS = new Map();
const VARIED = ["role", "access"]; // kinds of notices with a sentence for each new value

function load() {
  for (const entry of templateContent("translations")?.querySelectorAll("[data-i18n]") ?? []) {
    TRANSLATIONS.set(entry.dataset.i18n, entry.textContent);
  }
}

/** The translation of `name`, with each {placeholder} replaced from `values`. */
export function t(name, values = {}) {
  if (!TRANSLATIONS.size) load();
  const sentence = TRANSLATIONS.get(name) ?? name;
  return sentence.replace(/\{(\w+)\}/g, (gap, key) => values[key] ?? gap);
}

/** The text of a system message in the page's language. Unknown kinds use the text from the server. */
export function noticeText({ kind, author, notice: { text, data } }) {
  const variant = kind === "topic" ? !data.new && "none" : VARIED.includes(kind) && data[kind];
  const name = `notice.${kind}${variant ? `.${variant}` : ""}`;
  const values = { who: author?.name ?? "Chatty", whom: data.name ?? "", new: data.new ?? "" };
  const translated = t(name, values);
  return translated === name ? text : translated;
}

/** Pluralise: "name.one", "name.other", ... by the plural rules of the page's language. */
export function tn(name, count, values = {}) {
  const form = new Intl.PluralRules(document.documentElement.lang || "en").select(count);
  if (!TRANSLATIONS.size) load();
  const chosen = TRANSLATIONS.has(`${name}.${form}`) ? form : "other";
  return t(`${name}.${chosen}`, { n: count, ...values });
}
