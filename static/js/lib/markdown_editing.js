// What formatting does to a text that is being written, in Markdown. Pure: a change is {from, to, text, select},
// which replaces the part `from` to `to` by `text` and then selects the part `select` of the result, or null if
// nothing is to be changed.

/** Marks before and after the selected text. */
export const MARKS = { bold: "**", italic: "*", strike: "~~", code: "`", spoiler: "||" };
const LIST_ITEM = /^([ \t]*(?:>[ \t]*)*)([-+*]|(\d{1,9})([.)]))([ \t]+)(.*)$/s;
const QUOTED = /^([ \t]*>[ \t]*)(.*)$/s;
const PREFIXES = { bullets: () => "- ", numbers: (number) => `${number}. `, quote: () => "> " };
const PREFIX = { bullets: /^[-+*][ \t]+/, numbers: /^\d{1,9}[.)][ \t]+/, quote: /^>[ \t]?/ };
const FENCE = /^[ \t]*(```|~~~)/gm;
const ADDRESS = /^(?:https?:\/\/|mailto:)\S+$/i;

/** Put marks around the selection, or remove them. Without a selection, the caret is between them. */
export function toggleMark(value, start, end, mark) {
  const { length } = mark;
  // The marks are not moved to the spaces at the ends: "** bold**" would not be bold.
  const [from, to] = withoutSpace(value, start, end);
  const words = value.slice(from, to);
  if (isMarked(value, from, to, mark)) {
    return { from: from - length, to: to + length, text: words, select: [from - length, to - length] };
  }
  return { from, to, text: `${mark}${words}${mark}`, select: [from + length, to + length] };
}

/** "*" around words is italic, but "**" is bold, and "***" both. */
function isMarked(value, from, to, mark) {
  if (!value.slice(0, from).endsWith(mark) || !value.startsWith(mark, to)) return false;
  const stars = /\*+$/.exec(value.slice(0, from))?.[0].length ?? 0;
  return mark !== MARKS.italic || stars !== 2;
}

/** Make a link of the selected text, or one to be filled in, with the caret where the address belongs. */
export function makeLink(value, start, end) {
  const [from, to] = withoutSpace(value, start, end);
  const words = value.slice(from, to);
  if (ADDRESS.test(words)) return { from, to, text: `[](${words})`, select: [from + 1, from + 1] };
  const at = from + words.length + 3;
  return { from, to, text: `[${words}]()`, select: [at, at] };
}

/** Make a link of the selected text to an address that was pasted over it. */
export function linkPasted(value, start, end, pasted) {
  const [from, to] = withoutSpace(value, start, end);
  const words = value.slice(from, to);
  const address = pasted.trim();
  if (!ADDRESS.test(address) || !words || ADDRESS.test(words) || /[\n[\]]/.test(words)) return null;
  if (isInCode(value, from)) return null;
  const target = /[()]/.test(address) ? `<${address}>` : address;
  const text = `[${words}](${target})`;
  return { from, to, text, select: [from + text.length, from + text.length] };
}

/** Begin each selected line with what makes it an item of a list or a quotation, or remove that. */
export function toggleLines(value, start, end, kind) {
  const from = value.lastIndexOf("\n", start - 1) + 1;
  const stop = value.indexOf("\n", Math.max(end - (end > start && value[end - 1] === "\n" ? 1 : 0), from));
  const to = stop < 0 ? value.length : stop;
  const lines = value.slice(from, to).split("\n");
  const isOff = lines.every((line) => PREFIX[kind].test(line));
  const other = kind === "quote" ? null : kind === "bullets" ? PREFIX.numbers : PREFIX.bullets;
  const changed = lines.map((line, index) => {
    if (isOff) return line.replace(PREFIX[kind], "");
    return PREFIXES[kind](index + 1) + (other ? line.replace(other, "") : line);
  });
  const text = changed.join("\n");
  const caret = from + text.length;
  return { from, to, text, select: start === end ? [caret, caret] : [from, caret] };
}

/** Put the selected lines into a block of code, or begin one. */
export function makeCodeBlock(value, start, end) {
  const words = value.slice(start, end);
  const before = start && value[start - 1] !== "\n" ? "\n" : "";
  const after = end < value.length && value[end] !== "\n" ? "\n" : "";
  const text = `${before}\`\`\`\n${words}\n\`\`\`${after}`;
  const at = start + before.length + 4;
  return { from: start, to: end, text, select: [at, at + words.length] };
}

/** What a line break within a list does: begin the next item, or end the list after an empty one. */
export function continueList(value, start, end) {
  if (start !== end || isInCode(value, start)) return null;
  const from = value.lastIndexOf("\n", start - 1) + 1;
  const before = value.slice(from, start);
  const item = LIST_ITEM.exec(before);
  const quoted = item ? null : QUOTED.exec(before);
  if (!item && !quoted) return null;
  const words = item ? item[6] : quoted[2];
  const rest = value.slice(start).split("\n", 1)[0];
  if (!words.trim() && !rest.trim()) return { from, to: start, text: "", select: [from, from] };
  const next = item ? nextItem(item) : quoted[1];
  const text = `\n${next}`;
  return { from: start, to: start, text, select: [start + text.length, start + text.length] };
}

function nextItem(item) {
  const [, indent, bullet, number, dot, space] = item;
  return `${indent}${number === undefined ? bullet : `${Number(number) + 1}${dot}`}${space}`;
}

function isInCode(value, at) {
  return (value.slice(0, at).match(FENCE) ?? []).length % 2 === 1;
}

function withoutSpace(value, start, end) {
  if (start === end) return [start, end];
  const words = value.slice(start, end);
  const from = start + (words.length - words.trimStart().length);
  return words.trim() ? [from, from + words.trim().length] : [start, end];
}
