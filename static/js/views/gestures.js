// On a touch screen: a long press opens the menu of a message, or says who reacted, and a swipe towards the end replies
// to it.

import { part } from "chatty/views/dom.js";
import { toast } from "chatty/views/toast.js";

const PRESS = 450; // ms
const STILL = 8; // px that a finger may move while it presses
const FAR = 56; // px of a swipe that replies
const MOST = 72; // px that the message follows
const EDGE = 24; // px at the side of the window, where some systems go back

/** `tools`: MessageTools. */
export function watch(list, tools, signal) {
  let touch = null; // {row, x, y, timer, by, isSwipe}
  let isPressed = false; // a long press has opened the menu, and goes on

  const end = () => {
    if (!touch) return;
    const { row, timer, by } = touch;
    touch = null;
    clearTimeout(timer);
    row.style.translate = "";
    row.classList.remove("message--swiped");
    if (by >= FAR) part(row, "message__tools")?.querySelector("[data-action=reply]")?.click();
  };

  const start = (event) => {
    end();
    const { target, touches } = event;
    const row = target.closest(".message");
    const chip = target.closest(".chip");
    const isOther = !chip && target.closest("a, button, input, textarea, label, .message-menu");
    if (touches.length > 1 || !row || isOther || !part(row, "message__tools")) return;
    const { clientX: x, clientY: y } = touches[0];
    const timer = setTimeout(() => {
      const isLong = touch && !touch.isSwipe;
      touch = null;
      if (!isLong || tools.isOpen) return;
      isPressed = true;
      navigator.vibrate?.(10);
      if (chip) toast.info(chip.title);
      else tools.open(row);
    }, PRESS);
    const canSwipe = x > EDGE && x < innerWidth - EDGE && !target.closest("pre, .table");
    touch = { row, x, y, timer, by: 0, isSwipe: false, canSwipe };
  };

  const move = ({ touches }) => {
    if (!touch) return;
    const sign = getComputedStyle(list).direction === "rtl" ? -1 : 1;
    const by = (touches[0].clientX - touch.x) * sign;
    const across = Math.abs(touches[0].clientY - touch.y);
    if (Math.max(Math.abs(by), across) <= STILL) return;
    clearTimeout(touch.timer);
    touch.isSwipe ||= touch.canSwipe && by > 2 * across;
    if (!touch.isSwipe) {
      touch = null;
      return;
    }
    tools.place(touch.row);
    touch.by = Math.max(0, Math.min(by, MOST));
    touch.row.classList.toggle("message--swiped", touch.by >= FAR);
    touch.row.style.translate = `${touch.by * sign}px`;
  };

  const lift = (event) => {
    if (isPressed) event.preventDefault(); // or it would click what is under the finger now
    isPressed = false;
    end();
  };

  const on = (type, work, passive = true) => list.addEventListener(type, work, { signal, passive });
  on("touchstart", start);
  on("touchmove", move);
  on("touchend", lift, false);
  on("touchcancel", () => {
    if (touch) touch.by = 0;
    end();
  });
}
