// Shows why a message of mine could not be sent, and what can be done with it.

import { element, part } from "chatty/views/dom.js";
import { t } from "chatty/views/i18n.js";

const FOLLOWING = 4; // Node.DOCUMENT_POSITION_FOLLOWING

/** `row`: of the message. `entry`: of the chat.outbox. `locked`: see Composer.lock(). */
export function showFailure(row, { key, failure }, locked) {
  if (row.dataset.state !== "failed") return; // tried again in the meantime
  // If the page must be reloaded instead, the server's error is shown.
  const isHere = ["removed", "deleted", "archived", "posting"].includes(locked);
  const why = isHere ? t(`unsent.${locked}`) : failure.detail;
  const status = part(row, "message__status");
  status.replaceChildren(element("span", "message__failure", why));
  for (const action of locked ? ["copy", "discard"] : ["retry", "amend", "discard"]) {
    const press = element("button", "message__action", t(`status.${action}`));
    press.type = "button";
    press.dataset.action = action;
    press.dataset.key = key;
    status.append(press);
  }
}

/** `actions`: MessageActions. The third one is one of these buttons. */
export async function doWithFailed(actions, row, { dataset }, [chat, timeline, composer]) {
  const { action, key } = dataset;
  if (action === "retry") return chat.outbox.retry(key);
  // The focus moves to the message before it, not to the composer: a phone would show its keyboard.
  const before = timeline.rows().findLast((each) => each.compareDocumentPosition(row) & FOLLOWING);
  const box = row.closest(".timeline");
  const record = await chat.outbox.discard(key);
  if (action === "discard") (before ?? box).focus({ preventScroll: true });
  else if (record) composer.amend(record, record.reply_to && actions.quoted(record.reply_to));
  return undefined;
}
