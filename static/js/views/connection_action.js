// Offers what someone can do about a problem with the connection, in the bar of connection.js.

import { button, element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

/**
 * Add a link or a button. `retry()`: try to connect again.
 * @param {HTMLElement} bar
 * @param {import("chatty/views/page.js").Page} page
 * @param {() => void} retry
 */
export function offerAction(bar, page, retry) {
  const name = bar.dataset.problem;
  if (["blocked", "unstored"].includes(name)) return;
  // An account can be reactivated. Its sign-ins stay ended.
  const isSignedOut = name.startsWith("signed_out") || name === "closed";
  const text = isSignedOut ? t("connection.signed_out.way") : t(`connection.${name}.way`);
  if (name === "too_many") {
    bar.append(button("button button--quiet", text, retry));
    return;
  }
  const link = element("a", "button button--quiet", text);
  const here = location.pathname + location.search;
  link.href = isSignedOut ? `${page.data.urls.sign_in}?next=${encodeURIComponent(here)}` : here;
  link.target = "_self"; // a load: see navigation.js
  bar.append(link);
}
