// Requests to join a conversation, live: for admins, how many are waiting; for people who have asked, the answer.

import { announce } from "chatty/views/live_region.js";
import { t } from "chatty/views/i18n.js";

/** @param {Wire.JoinRequestsFrame | Wire.JoinRequestFrame} frame */
export function show(frame) {
  const { type, conversation } = frame;
  if (type === "join_requests") {
    for (const place of document.querySelectorAll(`[data-join-requests="${conversation}"]`)) {
      showWaiting(place, frame.waiting);
    }
  } else if (frame.state !== "waiting" && document.querySelector(`[data-ask="${conversation}"]`)) {
    location.reload(); // the page of the link, or of my requests, shows what was decided
  }
}

function showWaiting(place, waiting) {
  const number = place.querySelector('[data-slot="number"]');
  const before = Number(number.textContent);
  number.textContent = String(waiting);
  place.hidden = waiting === 0;
  if (waiting > before) announce(t("join_request"));
}
