"""Builds HTML and plain text from the parser's events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyromark

from chatty.common.text import is_blank
from conversations.markdown.link_texts import is_misleading
from conversations.markdown.pictures import marked
from conversations.markdown.source import (
    EMOJI,
    EVENTS_MAX,
    MARK,
    OPEN,
    Source,
    escape,
    has_call,
    marked_escape,
    opening_tag,
    without_marks,
)

_DEPTH_MAX = 30  # nested elements

_OPTIONS = pyromark.Options
_parser = pyromark.Markdown(
    options=_OPTIONS.ENABLE_STRIKETHROUGH | _OPTIONS.ENABLE_TABLES | _OPTIONS.ENABLE_TASKLISTS
)
# Absolute URLs only. "//evil.example" would lead to another site and "/sign-out/" to one of our own pages,
# without looking like it. Other links are shown as text.
_ADDRESS = re.compile(r"https?://|mailto:", re.IGNORECASE)
# A link to a conversation of this installation: [#Design](/c/8/). See CONVERSATION_LINK in __init__.py.
_CONVERSATION = re.compile(r"/c/([1-9]\d{0,17})/")
_NUMBER = re.compile(rb"\d{1,9}")

_LANGUAGE = re.compile(r"[\w+#.-]{1,20}")

_INLINE = {"Strong": "strong", "Emphasis": "em", "Strikethrough": "s"}
_CODE_END = "</code></pre></div>\n"
_CELL_ENDS = ("</td>\n", "</th>\n")
_MAY_BE_EMPTY = ("</li>\n", "</p>\n", "</tr>\n", "</tr>\n</thead>\n", *_CELL_ENDS)

# Begins or ends a spoiler: see Renderer._put_spoilers(). Not in a longer run, nor after a backslash.
_SPOILER = re.compile(rf"(?<![|{MARK}])\|\|(?!\|)")
# Without scripts, and in no language.
SPOILER_START = (
    '<label class="spoiler"><input type="checkbox" aria-label="Spoiler">'
    '<span class="spoiler__text">'
)
SPOILER_END = "</span></label>"
SPOILER_TEXT = "•••"  # where only text is shown, such as in notifications


class AsWritten(Exception):  # noqa: N818 - not an error
    """Raised to show the body as plain text."""


class Renderer:
    """Builds the HTML of one body, then its `text` and `words`: see Parts. Can be used once."""

    # Only few messages change these.
    _cells: tuple[str, ...] = ()  # the alignment of each column of the open table
    _column = 0
    _cell_tag = "td"
    _cell_end = 0  # end of the last cell
    # The open spoiler: the number of open elements, the value of _seen, and the lengths of _out and _shown.
    _spoiler: tuple[int, int, int, int] | None = None

    def __init__(self, source: Source, emoji: Mapping[str, str]) -> None:
        """`emoji`: name -> address of custom emoji."""
        self._source = source
        self._emoji = emoji
        self._out: list[str] = []
        self._shown: list[str] = []  # pieces of `text`
        self._words: list[str] = []  # pieces of `words`
        self._has_words = has_call(source.text)
        self._quotes = 0  # number of open quotations
        self._text: list[str] = []  # since the last tag, because an address can span several events
        self._end = 0  # end of the last event within a paragraph
        self._seen = 0  # number of visible pieces so far
        # For each open element: its closing tag, the offset of its start, and the value of _seen and the
        # lengths of _out, _shown and _words before it.
        self._open: list[tuple[str, int, int, tuple[int, int, int]]] = []
        self._numbers: list[int | None] = []  # for each open list, the number of the next item
        self._links = 0  # number of open links: there are no links within links
        self._target = ""  # of the open link, if it has a text of its own

    def result(self) -> str:
        events = _parser.events_with_range(self._source.text)
        for count, (event, where) in enumerate(events):
            if count >= EVENTS_MAX:
                raise AsWritten
            self._take(event, where["start"], where["end"])
        self._flush()
        if not self._seen:
            raise AsWritten
        return "".join(self._out)

    @property
    def text(self) -> str:
        return "".join(self._shown).strip("\n")

    @property
    def words(self) -> str:
        return "".join(self._words)

    def _take(self, event: Any, start: int, end: int) -> None:
        if isinstance(event, str):
            self._take_break(event, start, end)
            return
        ((kind, value),) = event.items()
        if kind == "Text":
            self._take_text(value, start, end)
        elif kind == "Code":
            self._flush()
            text = self._source.restore(value)
            if is_blank(text):
                text = self._source.cut(start, end)
                self._put(escape(text), text)
            else:
                self._put(f"<code>{escape(text)}</code>", text)
            self._seen += 1
            self._end = end
        elif kind == "Start":
            self._start(value, start, end)
        elif kind == "End":
            self._finish(start, end)
        elif kind == "TaskListMarker":
            self._put_task(start, end, is_done=value)
        else:  # unexpected: show its source
            self._flush()
            text = self._source.cut(start, end)
            self._put(escape(text), text)
            self._seen += 1
            self._end = end

    def _take_break(self, event: str, start: int, end: int) -> None:
        if (
            event == "Rule"
        ):  # not expected, because Source marks such lines, but a parser update could change that
            text = self._source.cut(start, end).strip()
            self._put(f"<p>{escape(text)}</p>\n", f"{text}\n")
            self._seen += 1
            return
        if self._source.is_kept(start):
            self._text.append("\\")
        self._flush()
        self._put("<br>\n", "\n")  # in a chat, line breaks are intended
        self._end = end

    def _take_text(self, text: str, start: int, end: int) -> None:
        if self._open and self._open[-1][0] == _CODE_END:
            text = self._source.restore(text)
            self._put(escape(text), text)
            self._seen += not is_blank(text)
            return
        if (
            start > self._end and self._source.data[start - 1] == 0x5C
        ):  # the parser removed a backslash
            self._text.append("\\" if self._source.is_kept(start - 1) else MARK)
        self._text.append(text)
        self._end = end

    def _start(self, value: Any, start: int, end: int) -> None:
        if len(self._open) >= _DEPTH_MAX:
            raise AsWritten
        self._flush()
        name, about = next(iter(value.items())) if isinstance(value, dict) else (value, None)
        seen, sizes = self._seen, (len(self._out), len(self._shown), len(self._words))
        opening, closing, text = "", "", ""
        self._end = max(self._end, start)
        match name:
            case "Paragraph":
                opening, closing = "<p>", "</p>\n"
            case "Heading":
                opening, closing = "<h3>", "</h3>\n"
            case "Strikethrough" if self._source.data[start : start + 2] != b"~~":
                self._text.append("~")  # "~5 to ~10": single tildes mean "about"
            case "Strong" | "Emphasis" | "Strikethrough":
                tag = _INLINE[name]
                opening, closing = f"<{tag}>", f"</{tag}>"
                self._end = end  # its delimiters are not text
            case "BlockQuote":
                opening, closing, text = "<blockquote>\n", "</blockquote>\n", "\n"
                self._quotes += 1
            case "CodeBlock":
                info = self._source.restore(about["Fenced"]) if isinstance(about, dict) else ""
                language = info if _LANGUAGE.fullmatch(info) else ""
                opening, closing, text = _code_start(language), _CODE_END, "\n"
                if " " in info.strip():  # a language is one word, so this is text: show it
                    opening += escape(info) + "\n"
                    text += info + "\n"
                    self._seen += 1
            case "List":
                self._numbers.append(about)
                first = f' start="{about}"' if about not in (None, 1) else ""
                tag = "ul" if about is None else "ol"
                opening, closing, text = f"<{tag}{first}>\n", f"</{tag}>\n", "\n"
            case "Item":
                value, text = self._number(start)
                opening, closing = f"<li{value}>", "</li>\n"
            case "Link" | "Image":
                opening, closing = self._link(name, about or {}, start)
                text = "!" if opening.startswith("!") else ""
            case "Table":
                self._cells = tuple(about or ())
                opening = '<div class="table" tabindex="0">\n<table>\n'
                closing, text = "</table>\n</div>\n", "\n"
            case "TableHead":
                self._column, self._cell_tag = 0, "th"
                opening, closing = "<thead>\n<tr>\n", "</tr>\n</thead>\n"
            case "TableRow":
                self._column, self._cell_tag = 0, "td"
                opening, closing = "<tr>\n", "</tr>\n"
            case "TableCell":
                opening, closing = self._cell(), f"</{self._cell_tag}>\n"
        if self._spoiler and closing[-1:] == "\n":
            self._spoiler = None  # spoilers don't contain blocks
        self._put(opening, text)
        self._open.append((closing, start, seen, sizes))

    def _number(self, start: int) -> tuple[str, str]:
        """Return, for a list item, a value attribute if its number is not the one that a browser would show,
        and the number as text."""
        expected = self._numbers[-1]
        if expected is None:
            return "", ""
        found = _NUMBER.match(self._source.data, start)
        number = int(found[0]) if found else expected
        self._numbers[-1] = number + 1
        return f' value="{number}"' if number != expected else "", f"{number}. "

    def _cell(self) -> str:
        align = self._cells[self._column].lower()
        self._column += 1
        return f"<{self._cell_tag}>" if align == "none" else f'<{self._cell_tag} align="{align}">'

    def _put_task(self, start: int, end: int, *, is_done: bool) -> None:
        """Output the box of an item of a task list. The item, and perhaps a paragraph, has just begun."""
        at = next(n for n in (-1, -2) if self._out[n].startswith("<li"))
        self._out[at] = self._out[at].replace("<li", '<li class="task"', 1)
        box, checked = ("[x]", " checked") if is_done else ("[ ]", "")
        self._put(f'<input type="checkbox" disabled{checked} aria-label="{box}"> ', f"{box} ")
        self._seen += 1
        self._end = end

    def _is_named(self, start: int) -> bool:
        """Whether the text of the link that begins here looks like the name of a conversation."""
        return self._source.data[start : start + 2] == b"[#"

    def _link(self, name: str, about: dict[str, Any], start: int) -> tuple[str, str]:
        target = self._source.restore(about["dest_url"])
        conversation = _CONVERSATION.fullmatch(target)
        is_named = about["link_type"] == "Inline" and name == "Link" and self._is_named(start)
        if conversation and is_named and not self._links and self._source.may_link():
            self._links += 1
            self._target = ""
            return f'<a data-conversation="{conversation[1]}">', "</a>"
        if about["link_type"] == "Email":
            target = f"mailto:{target}"
        bang = "!" if name == "Image" else ""
        bracket = "<" if about["link_type"] in ("Autolink", "Email") else f"{bang}["
        if self._links or not _ADDRESS.match(target) or not self._source.may_link(target):
            self._text.append(bracket)
            self._end += len(bracket)
            return "", ""
        self._links += 1
        self._target = target if bracket == f"{bang}[" else ""
        return f"{bang}{opening_tag(target)}", "</a>"

    def _finish(self, start: int, end: int) -> None:
        if self._open[-1][0]:
            self._flush()
        closing, begun, seen, sizes = self._open.pop()
        if self._spoiler and self._spoiler[0] > len(self._open):
            self._spoiler = None  # it was not closed within this element
        if not closing:  # a link that is not allowed: show the source after its text
            self._text.append(self._rest(begun, end))
            self._end = end
            self._flush()
            return
        if closing in ("</ul>\n", "</ol>\n"):
            self._numbers.pop()
        if closing in _CELL_ENDS:
            self._cell_end = end
        if closing == "</tr>\n":
            self._put_excess_cells(end)
        if closing == "</a>":
            self._links -= 1
        if closing == "</blockquote>\n":
            self._quotes -= 1
        misleads = closing == "</a>" and is_misleading(
            "".join(self._shown[sizes[1] :]), self._target
        )
        if misleads or (self._seen == seen and closing not in _MAY_BE_EMPTY):
            # It would be invisible or a trap, so show its source.
            for pieces, size in zip((self._out, self._shown, self._words), sizes, strict=True):
                del pieces[size:]
            text = self._source.cut(begun, end).strip("\n")
            written = escape(text).replace("\n", "<br>\n")
            if closing[-1] == ">":
                self._put(written, text)
            else:
                self._put(f"<p>{written}</p>\n", f"{text}\n")
        else:
            self._put(closing, "" if closing[-1] == ">" else "\n")
        if closing[-1] == ">":
            self._end = end

    def _rest(self, begun: int, end: int) -> str:
        """Return the source of a link after its text, such as "](/here)"."""
        return self._source.data[max(self._end, begun + 1) : end].decode()

    def _put_excess_cells(self, end: int) -> None:
        """Output what the parser leaves out: cells for which the head of the table has none."""
        text = self._source.cut(self._cell_end, end).strip(" \t\n|")
        if text:
            self._put(f"<td>{escape(text)}</td>\n", f"{text}\n")
            self._seen += 1

    def _flush(self, piece: str = "") -> None:
        """Output the text since the last tag, or a piece of it."""
        if piece:
            text = piece
        elif self._text:
            text = "".join(self._text)
            self._text.clear()
            if "||" in text and not self._links:
                text = self._put_spoilers(text)
        else:
            return
        self._seen += OPEN in text or not is_blank(without_marks(text))
        # Every "@" in _words is marked in _out: see mentions.with_chips().
        is_marked = self._has_words and not self._quotes
        escaped = marked_escape if is_marked else escape
        if self._emoji and ":" in text:
            text = marked(text, self._emoji)
        if self._links:
            html, shown, words = self._source.shown_in_link(text, escaped)
        else:
            html, shown, words = self._source.shown(text, escaped)
            html = html.replace("\n", "<br>\n")
        if EMOJI in text:
            shown, words = shown.replace(EMOJI, ""), words.replace(EMOJI, "")
        self._put(html, shown, words)

    def _put_spoilers(self, text: str) -> str:
        """Output text up to the last "||" that begins or ends a spoiler, and return the rest.

        One begins before and ends after something that is not white space, within the same element. Until
        its end is found, its beginning is text.
        """
        done = 0
        for found in _SPOILER.finditer(text):
            start, end = found.span()
            if self._spoiler is None:
                if not text[end : end + 1].isspace():
                    if start > done:
                        self._flush(text[done:start])
                    self._seen += 1
                    self._spoiler = (len(self._open), self._seen, len(self._out), len(self._shown))
                    self._put("||", "||", "||")
                    done = end
            elif self._spoiler[0] == len(self._open) and not text[:start][-1:].isspace():
                if start > done:
                    self._flush(text[done:start])
                _depth, seen, at, shown = self._spoiler
                if self._seen > seen:
                    self._out[at] = SPOILER_START
                    del self._shown[shown:]
                    self._put(SPOILER_END, SPOILER_TEXT, "||")
                else:
                    self._put("||", "||", "||")
                self._spoiler = None
                done = end
        return text[done:]

    def _put(self, html: str, shown: str, words: str = "\n") -> None:
        """Output a piece of HTML and the text that it shows. `words`: the part in which
        mentions are searched; by default only a line break."""
        if html:
            self._out.append(html)
        if shown == "\n" and (not self._shown or self._shown[-1].endswith("\n")):
            return  # at the start of a line already
        if shown:
            self._shown.append(shown)
            if self._has_words:
                self._words.append("\n" if self._quotes else words)


def _code_start(language: str) -> str:
    """Scripts add colours and a button (views/code.js), CSS shows the language."""
    about = f' data-language="{language}"' if language else ""
    return f'<div class="code"{about}><pre tabindex="0"><code>'
