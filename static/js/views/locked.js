// What takes the composer's place when the conversation is no longer one's own.

import { button, element } from "chatty/views/dom.js";
import { say } from "chatty/views/words.js";

/** `change`: "removed" or "deleted". `composer`: a locked one, or null. Says it once. */
export function showLocked({ change, composer, home }) {
  if (document.getElementById("locked-bar")) return;
  const bar = element("section", "locked-bar", element("p", "locked-bar__why", say(`gone.${change}`)));
  bar.id = "locked-bar";
  bar.setAttribute("role", "status");
  const ways = element("p", "actions");
  if (composer?.text) {
    bar.append(element("p", "", say("gone.kept")));
    const copy = button("button button--small", say("copy"), async () => {
      (await import("chatty/views/copy.js")).copyDraft(composer.text);
    });
    const discard = button("button button--quiet button--small", say("status.discard"), () => {
      composer.discard();
      copy.remove();
      discard.remove();
    });
    ways.append(copy, discard);
  }
  const away = element("a", "button button--quiet button--small", say("gone.home"));
  away.href = `${home}?list`;
  ways.append(away);
  bar.append(ways);
  document.getElementById("conversation").append(bar);
}
