// Notices: their names are links to people, and a run of them is one line, "Ann added Ben, Cy and 3 others", which
// opens it. As the server does: see templates/rows/notice.html and _fold() in conversations/web/timeline.py.

import { element, hasModifier, idOf, part } from "chatty/views/dom.js";
import { noticeText, t, tn } from "chatty/views/i18n.js";

const NAMED = 2; // if there are more than three people, these and a number
const OF_PEOPLE = ["joined", "left"]; // whose names change; of "added" and "removed", who it is done to
// In place of each name until a sentence is split at them. No text that is stored has noncharacters.
const [WHO, ...WHOM] = "\ufdd0\ufdd1\ufdd2\ufdd3";

const watched = new WeakSet(); // lists

/**
 * For each notice; the first one starts it for all in the list.
 * @param {import("chatty/views/page.js").Page} page
 */
export function connect(notice, page) {
  const list = notice.parentElement;
  if (!list || watched.has(list)) return;
  watched.add(list);
  const { store } = page.conversation?.chat ?? {};
  const update = () => arrange(list, (row) => store?.get(idOf(row)));
  new MutationObserver(update).observe(list, { childList: true });
  // Of someone with another name, the view of messages has drawn it as plain text.
  store?.on("change", ({ ids }) => ids.some((id) => store.get(id)?.notice) && update());
  list.addEventListener("click", (event) => {
    const link = event.target.closest(".notice__unfold");
    if (!link || event.button || hasModifier(event)) return;
    event.preventDefault();
    const first = link.closest(".notice");
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
    if (message) showPeople(row, message);
    if (run.length && !(message && isSame(run.at(-1)[1], message))) {
      show(run);
      run = [];
    }
    if (message && personOf(message)) run.push([row, message]);
  }
  show(run);
}

/** Make links of the text that the view of messages has drawn. */
export function showPeople(row, message) {
  const text = part(row, "notice__text");
  if (text.firstElementChild) return;
  const { author, notice } = message;
  const { user, name, message: about } = notice.data;
  const marked = noticeText({
    ...message,
    author: author && { name: WHO },
    notice: { ...notice, data: { ...notice.data, name: WHOM[0] } },
  });
  text.replaceChildren(...nodesOf(marked, [author, { id: user, name }], about));
}

function show(run) {
  const isFolded = run.length > 1 && !run.some(([row]) => "unfolded" in row.dataset);
  run.forEach(([row, message], index) => {
    const isFirst = isFolded && !index;
    row.classList.toggle("notice--run", isFirst);
    row.classList.toggle("notice--folded", isFolded && index > 0);
    const before = part(row, "notice__summary");
    const line = isFirst ? drawSummary(row, message, run) : null;
    if (line?.isEqualNode(before)) return; // what has the focus stays
    before?.remove();
    if (line) row.prepend(line);
  });
}

function drawSummary(row, message, run) {
  const link = element("a", "notice__unfold");
  link.setAttribute("href", `?around=${row.dataset.seq}&unfold#${row.id}`);
  link.ariaLabel = t("more.show");
  const line = element("span", "notice__summary", ...summary(message, run), link);
  line.dir = "auto";
  line.normalize();
  return line;
}

/** Nodes. */
function summary({ kind, author, notice }, run) {
  const byId = new Map(run.map(([, message]) => personOf(message)).map((person) => [person.id, person]));
  let people = [...byId.values()];
  const more = people.length - NAMED;
  if (more > 1) people = [...people.slice(0, NAMED), { name: tn("others", more) }];
  const names = WHOM.slice(0, people.length);
  const last = names.pop();
  const name = names.length ? t("list", { names: names.join(", "), last }) : last;
  const data = OF_PEOPLE.includes(kind) ? names.length && { [kind]: "several" } : { name };
  const who = OF_PEOPLE.includes(kind) ? name : WHO;
  const marked = noticeText({
    kind,
    author: author && { name: who },
    notice: { ...notice, data: data || {} },
  });
  return nodesOf(marked, [author, ...people]);
}

/** The nodes of a sentence that has WHO and WHOM in place of these names. `about`: id of the message it links to. */
function nodesOf(marked, names, about) {
  return marked
    .split(/([\ufdd0-\ufdd3])/)
    .filter(Boolean)
    .map((piece) => {
      const { id, name } = names[[WHO, ...WHOM].indexOf(piece)] ?? { name: piece };
      if (id) return linkTo(`/people/${id}/`, "notice__person", name);
      return about ? linkTo(`/m/${about}/`, "notice__link", name) : name;
    });
}

function linkTo(address, className, text) {
  const link = element("a", className, text);
  link.setAttribute("href", address);
  return link;
}

/** The person that changes within a run. Undefined for other kinds. */
function personOf({ kind, author, notice: { data } }) {
  if (OF_PEOPLE.includes(kind)) return author;
  return ["added", "removed"].includes(kind) && data.name ? { id: data.user, name: data.name } : undefined;
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
