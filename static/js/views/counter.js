// How many characters are left in the composer, once there are few.

import { bodyLength } from "chatty/lib/text.js";
import { slot } from "chatty/views/dom.js";
import { tn } from "chatty/views/i18n.js";

const WARNING = 200; // characters left at which it appears

/** `max`: of a message. */
export function showLeft(form, max) {
  const left = max - bodyLength(form.elements.body.value);
  const counter = slot(form, "counter");
  counter.hidden = left > WARNING;
  counter.classList.toggle("composer__counter--over", left < 0);
  counter.textContent = left < 0 ? tn("composer.over", -left) : tn("composer.left", left);
}
