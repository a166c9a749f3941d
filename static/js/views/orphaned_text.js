// Unsent text that can't be sent: for a conversation I am no longer in or that was archived, or from
// before a restore. It is shown until it is discarded.

import { openFormer } from "chatty/chat/former.js";
import { descriptionsOf } from "chatty/chat/uploads.js";
import { copy } from "chatty/views/copy.js";
import { button, element } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

/**
 * Of the conversations in `ids`, except for those that are still accessible.
 * @param {import("chatty/views/page.js").Page} page
 */
export async function showOrphans(ids, page) {
  const { conversation, rest, sending } = page;
  const { drafts, outbox } = sending;
  const here = conversation?.id;
  for (const id of ids) {
    if (id !== here && (await isMine(id, rest))) continue;
    const why = id === here ? "orphaned.archived" : "orphaned";
    for (const name of drafts.names()) {
      const { conversation = Number(name), ...draft } = drafts.read(name) ?? {};
      const body = textOf(draft);
      if (!body || conversation !== id || name === String(here)) continue; // the composer shows its own
      const box = showBox(why, body, () => drafts.write(name, {}));
      if (id === here) box.dataset.until = "unarchived";
    }
    if (id === here) continue; // the message list shows failed messages
    // The server rejects these messages, and no page shows them.
    for (const entry of outbox.entries(id))
      showBox("orphaned", textOf(entry), () => outbox.discard(entry.key));
  }
  for (const former of openFormer(drafts.formerScopes)) await showFormer(former);
}

/** The conversation is no longer archived: its edits are opened again. */
export function hideArchived() {
  for (const box of document.querySelectorAll("[data-until=unarchived]")) remove(box);
}

async function showFormer({ drafts, storage }) {
  for (const name of drafts.names()) {
    const body = textOf(drafts.read(name) ?? {});
    if (body) showBox("orphaned.restored", body, () => drafts.write(name, {}));
  }
  const records = await storage.all();
  for (const record of records ?? [])
    showBox("orphaned.restored", textOf(record), () => storage.remove(record.key));
  if (records && !records.length && !drafts.size) drafts.clear(); // nothing left: forget this scope
}

/** The words, or the names of the files if there are none. */
function textOf({ body, files }) {
  return (
    body ||
    descriptionsOf(files)
      .map(({ name }) => name)
      .join(", ")
  );
}

async function isMine(id, rest) {
  try {
    await rest.get(`conversations/${id}/`);
    return true;
  } catch (error) {
    return error.status !== 404; // if there was no response, assume it is
  }
}

function showBox(why, text, discard) {
  const quote = element("blockquote", "unsent__text", text);
  quote.dir = "auto";
  quote.tabIndex = 0; // scrollable, so it must be focusable
  const box = element("section", "unsent", element("p", "unsent__reason", t(why)), quote);
  const copyButton = button("button button--quiet button--small", t("copy"), () => copy(text));
  const discardButton = button("button button--quiet button--small", t("status.discard"), () => {
    discard();
    const next = box.nextElementSibling ?? box.previousElementSibling;
    // Keep the focus nearby: the clicked button is removed.
    (next?.querySelector("button") ?? document.getElementById("main")).focus({ preventScroll: !next });
    remove(box);
  });
  box.append(element("p", "actions", copyButton, discardButton));
  (document.getElementById("unsent") ?? makePlace()).append(box);
  return box;
}

function remove(box) {
  const place = box.parentElement;
  box.remove();
  if (!place.childElementCount) place.remove();
}

function makePlace() {
  const place = element("div", "unsent-list");
  place.id = "unsent";
  // On a phone, the home page shows only the list of conversations.
  const list = document.querySelector(".shell--list#main .sidebar__list");
  (list ?? document.getElementById("main")).prepend(place);
  return place;
}
