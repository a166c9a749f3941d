// Shows a run of notices as one line, "Ann added Ben, Cy and 3 others", which opens it. As the server does: see
// _fold() in conversations/web/timeline.py.

import { element, hasModifier, idOf, part, setText } from "chatty/views/dom.js";
import { noticeText, t, tn } from "chatty/views/i18n.js";

const NAMED = 2; // if there are more than three people, these and a number
const OF_PEOPLE = ["joined", "left"]; // whose names change; of "added" and "removed", who it is done to

const watched = new WeakSet(); // lists

/**
 * For each notice; the first one starts it for all in the list.
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(notice, page) {
  const list = notice.parentElement;
  if (!list || watched.has(list)) return;
  watched.add(list);
  const messageOf = (row) => page.conversation?.chat.store.get(idOf(row));
  const update = () => arrange(list, messageOf);
  new MutationObserver(update).observe(list, { childList: true });
  list.addEventListener("click", (event) => {
    const link = event.target.closest(".notice__summary");
    if (!link || event.button || hasModifier(event)) return;
    event.preventDefault();
    const first = link.parentElement;
    for (const row of runOf(first)) row.dataset.unfolded = "";
    update();
    first.focus({ preventScroll: true });
  });
  update();
}

/** `messageOf(row)`: the system message of a row, or undefined. */
export function arrange(list, messageOf) {
  let run = []; // [row, message]
  for (const row of list.children) {
    const message = row.matches(".notice") && messageOf(row);
    if (run.length && !(message && isSame(run.at(-1)[1], message))) {
      show(run);
      run = [];
    }
    if (message && personOf(message)) run.push([row, message]);
  }
  show(run);
}

function show(run) {
  const isFolded = run.length > 1 && !run.some(([row]) => "unfolded" in row.dataset);
  run.forEach(([row, message], index) => {
    const isFirst = isFolded && !index;
    row.classList.toggle("notice--run", isFirst);
    row.classList.toggle("notice--folded", isFolded && index > 0);
    let link = part(row, "notice__summary");
    if (!isFirst) {
      link?.remove();
      return;
    }
    if (!link) {
      link = element("a", "notice__summary");
      link.dir = "auto";
      row.prepend(link);
    }
    link.setAttribute("href", `?around=${row.dataset.seq}&unfold#${row.id}`);
    setText(link, summary(message, run));
  });
}

function summary({ kind, author, notice }, run) {
  let names = [...new Set(run.map(([, message]) => personOf(message)))];
  const more = names.length - NAMED;
  if (more > 1) names = [...names.slice(0, NAMED), tn("others", more)];
  const last = names.pop();
  const people = names.length ? t("list", { names: names.join(", "), last }) : last;
  if (!OF_PEOPLE.includes(kind))
    return noticeText({ kind, author, notice: { ...notice, data: { name: people } } });
  const data = names.length ? { [kind]: "several" } : {};
  return noticeText({ kind, author: { name: people }, notice: { ...notice, data } });
}

function personOf({ kind, author, notice }) {
  if (OF_PEOPLE.includes(kind)) return author?.name ?? "";
  return ["added", "removed"].includes(kind) ? (notice.data.name ?? "") : "";
}

function isSame(before, message) {
  return (
    before.kind === message.kind &&
    Boolean(personOf(message)) &&
    (OF_PEOPLE.includes(message.kind) || before.author?.id === message.author?.id)
  );
}

function* runOf(row) {
  yield row;
  for (let next = row.nextElementSibling; next?.matches(".notice--folded"); next = next.nextElementSibling)
    yield next;
}
