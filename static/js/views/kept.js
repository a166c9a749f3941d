// Text that has nowhere to go: meant for a conversation one is no longer in or that was archived, or
// kept from before a restore. Shown until it is discarded.

import { openFormer } from "chatty/chat/former.js";
import { button, element } from "chatty/views/dom.js";
import { say } from "chatty/views/words.js";

/**
 * `strays`: ids of conversations that are not in the list, or of the one that is open (`here`) and has no
 * composer. Those that are still mine are passed over.
 */
export async function showKept({ strays, rest, drafts, outbox, here }) {
  for (const id of strays) {
    if (id !== here && (await isMine(id, rest))) continue;
    const why = id === here ? "kept.archived" : "kept";
    for (const name of drafts.names()) {
      const { body, conversation = Number(name) } = drafts.read(name) ?? {};
      if (body && conversation === id) show(why, body, () => drafts.write(name, {}));
    }
    if (id === here) continue; // the log shows what could not be sent
    // What waits to be sent is refused by the server, and can go nowhere else.
    for (const { body: text, key } of outbox.entries(id)) show("kept", text, () => outbox.discard(key));
  }
  for (const former of openFormer(drafts.formerScopes)) await showFormer(former);
}

async function showFormer({ drafts, shelf }) {
  for (const name of drafts.names()) {
    const { body } = drafts.read(name) ?? {};
    if (body) show("kept.former", body, () => drafts.write(name, {}));
  }
  const records = await shelf.all();
  for (const { body, key } of records ?? []) show("kept.former", body, () => shelf.remove(key));
  if (records && !records.length && !drafts.size) drafts.clear(); // nothing to come back to
}

async function isMine(id, rest) {
  try {
    await rest.get(`conversations/${id}/`);
    return true;
  } catch (refusal) {
    return refusal.status !== 404; // without an answer nobody knows
  }
}

function show(why, text, discard) {
  const words = element("blockquote", "kept__text", text);
  words.dir = "auto";
  words.tabIndex = 0; // a long one scrolls
  const box = element("section", "kept", element("p", "kept__why", say(why)), words);
  const copy = button("button button--quiet button--small", say("copy"), async () => {
    (await import("chatty/views/copy.js")).copyDraft(text);
  });
  const away = button("button button--quiet button--small", say("status.discard"), () => {
    discard();
    const next = box.nextElementSibling ?? box.previousElementSibling;
    // The focus is not lost with the button that had it.
    (next?.querySelector("button") ?? document.getElementById("main")).focus({ preventScroll: !next });
    if (next) box.remove();
    else place.remove();
  });
  box.append(element("p", "actions", copy, away));
  const place = document.getElementById("kept") ?? makePlace();
  place.append(box);
}

function makePlace() {
  const place = element("div", "kept-texts");
  place.id = "kept";
  // Of the page that is the list, on a phone only that.
  const list = document.querySelector(".shell--list#main .sidebar__list");
  (list ?? document.getElementById("main")).prepend(place);
  return place;
}
