// Translated strings for scripts, from <template id="translations"> (templates/_script_strings.html).

import { templateContent } from "chatty/views/dom.js";

const TRANSLATIONS = new Map();
let rules = null;

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
  const variant = variantOf(kind, data);
  const name = `notice.${kind}${variant ? `.${variant}` : ""}`;
  const values = { who: author?.name ?? "Chatty", whom: data.name ?? "", new: data.new ?? "" };
  const translated = t(name, values);
  return translated === name ? text : translated;
}

function variantOf(kind, data) {
  if (kind === "topic") return !data.new && "none";
  // A notice with a sentence for each new value has it by the name of its kind: "role", "access", "joined".
  if (kind !== "permissions") return data[kind];
  const hasOne = data.setting === "slow_mode" && data.new;
  return hasOne ? data.setting : `${data.setting}.${data.new}`;
}

/**
 * The string `name` for a number, in the plural form of the page's language. Its catalogue has as many forms as
 * it needs ("name.0", "name.1", ...). "form_of" has the form of each number from 0 on, and at last that of a
 * million (conversations/web/script_plurals.py). Intl knows which numbers have the same form.
 */
export function tn(name, count, values = {}) {
  rules ??= new Intl.PluralRules(document.documentElement.lang || "en");
  const category = rules.select(count);
  const forms = [...t("form_of")];
  const form = forms.find((_, number) => rules.select(number) === category) ?? forms.at(-1);
  return t(`${name}.${form}`, { n: count, ...values });
}
