// Changing the text of a field as if it was typed.

/** Replace a part of the text. The caret is then behind it. It can be undone, and "input" is emitted. */
export function replaceText(box, from, to, text) {
  box.focus();
  box.setSelectionRange(from, to);
  if (document.execCommand(text ? "insertText" : "delete", false, text)) return;
  box.setRangeText(text, from, to, "end");
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

const MARKUP = /[\\`*_~[\]]/g;

/** The text with a backslash before what has a meaning in Markdown. */
export function escapeMarks(text) {
  return text.replace(MARKUP, "\\$&");
}
