r"""Markdown, as written by people, to HTML that is safe to show to others.

The parser (pyromark) gives events with their place in the source; the HTML is made here, from escaped
text and a few tags, and then sanitised again with explicit lists of tags, attributes and schemes.
Rendered once, when a message is written. Where this differs from CommonMark and why: docs/markdown.md.

Before parsing, what must not be read as Markdown is set apart with control characters, which no body
contains (clean_body refuses them): MARK or GAP in front of characters that would begin a construct, and
OPEN number CLOSE in place of an address. `_Source.restore` takes both out again.
"""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import quote

import nh3
import pyromark

from chatty.common.text import is_blank
from conversations import limits

# Stored with each message. Raise it when the same body gives other HTML. NULL: by markdown-it-py.
VERSION = 2

_DEPTH_MAX = 30  # elements within each other
_EVENTS_MAX = 800  # so that the worst body costs what a long ordinary one does
_LINES_MAX = _EVENTS_MAX // 2  # a line is two events or more
_LINKS_MAX = 200  # of one message; what follows is text

QUICK_MS = 0.5
_QUICK_LENGTH = 500
_QUICK_MARKS = 30
_COSTLY = re.compile(r"[-+*_~`<>&#@:\[\]\\\n]")  # what may begin an element or a link

_parser = pyromark.Markdown(options=pyromark.Options.ENABLE_STRIKETHROUGH)

_TAGS = {"p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "li": {"value"}}
_SCHEMES = {"http", "https", "mailto"}
_REL = "noopener noreferrer nofollow ugc"
_sanitiser = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    url_relative="deny",
    link_rel=_REL,
)
# Whole addresses only: "//evil.example" would lead abroad, "/sign-out/" around in here, and neither
# looks like it. What is no link stays the text it was.
_ADDRESS = re.compile(r"https?://|mailto:", re.IGNORECASE)

# Letters, digits and punctuation that no rule of the parser reacts to.
_PLAIN = re.compile(r"(?:[^\W_]++|[ ,;'\"?!()€%$…–—“”„‘’\n]++|[.](?=\s|\Z))*+")
# The same in one line, with bold words, "@" before a name, and addresses of ASCII. Each stands apart
# from what is around it, so that no rule of the parser can read it in another way.
_SIMPLE = re.compile(
    r"(?:(?<![^ ])https?://(?:[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+\.)++[A-Za-z]{2,}+"
    r"(?:/[A-Za-z0-9./?=%#+,;-]*+)?[,;?!]*+\.?(?![^ ])"
    r"|[^\W_]++|[ ,;'\"?!()€%$…–—“”„‘’]++|[.](?=\s|\Z)|(?<![^ (])@(?=[^\W_])"
    r"|(?<![^ ])\*\*[^\W_](?:[^\W_]|[ ,](?=[^\W_]))*+\*\*(?![^ ,;?!]))*+"
)
_SIMPLE_MARK = re.compile(r"\*\*([^*]+)\*\*|(https?://\S+)")
_SIMPLE_LINKS = 20  # so that the HTML stays far below its limit
_STARTS_LIST = re.compile(r"(?m)^\s*\d+[.)](?:\s|\Z)|^\s")  # also one without a word in it

_MARKS = re.compile(r"[\s>*+\-_=#~`]*")

_MARK, _OPEN, _CLOSE = "\x04", "\x02", "\x03"
_GAP = "\x85"  # as MARK, but white space to the parser, so that the marks after it close nothing
_OWN = re.compile("[\x02-\x04\x85]")
_MARK_OR_GAP = re.compile("[\x04\x85]")
_PLACE = re.compile(r"\x02(\d+)\x03")
# An address ends before white space, quotation marks, brackets and full-width punctuation, and before
# characters that change the direction of what follows. Not one that is a link's target already.
# Both begin with a plain character, which is what makes searching fast; what must not stand before it
# is looked at after it.
_URL = re.compile(
    r"<(?<!\]\(<)([hH][tT][tT][pP][sS]?://[^\s<>\x02-\x04]+)>"
    r"|([hH](?<!\]\([hH])(?<!\]\(<[hH])(?<![^\W_][hH])"
    r"[tT][tT][pP][sS]?://(?:\[[0-9a-fA-F:.]+\]|[^\W_])"
    r"[^\s<>\[\]`\"\\^{|}\x00-\x1f\u00ab\u00bb\u2018-\u201f\u2039\u203a\u3000-\u301f\uff01-\uff0f"
    r"\uff1a-\uff20\uff3b-\uff3d\uff5b-\uff65\u061c\u200b-\u200f\u2026\u2028-\u202f\u2060-\u206f\ufeff]*)"
)
_AFTER_URL = "?!.,:;'*_~"  # a sentence's or Markdown's, not the address's
_BEFORE_MAIL = re.compile(r".*[^\w.+-]", re.DOTALL)
_MAIL_LOCAL_MAX = 64
_MAIL_HOST = re.compile(r"@[^\W_](?:[\w-]{0,62}\.)+[^\W\d_]{2,24}(?![\w-]|\.\w)")
# Lines of list numbers and of marks alone; headings; long numbers and those that begin with 0.
_MARKS_ALONE = re.compile(
    r"(?m)^([ \t>]*)(?=(?:[-+*_=#]+|\d{1,9}[.)])(?:[ \t]+(?:[-+*_=#]+|\d{1,9}[.)]))*[ \t]*$)"
)
_LINE_MARK = re.compile(r"(?m)^[ \t>]*[-+*_=#\d]")  # what each line has that these three match
_HEADING = re.compile(r"(?m)^((?:[ \t>]|[-+*][ \t]|\d{1,9}[.)][ \t])*)(?=#{1,6}[ \t])")
_LONG_NUMBER = re.compile(r"(?m)^([ \t>]*)(?=(?:\d{4,9}|0\d{1,8})[.)][ \t])")
# "<" that begins no address begins nothing: there is no HTML in messages.
_HTML = re.compile(
    r"<(?=[A-Za-z/!?])(?!mailto:|https?:|[^\s<>@]{1,64}@[^\s<>]{1,255}>)", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?=[A-Za-z#])")
_DEFINITION = re.compile(r"\](?=:)")
# Words in which a backslash is a backslash: C:\_new, \\server\_share, a\b, and the shrug.
_WORD = re.compile(rb"\S+")
_PATH = re.compile(rb"\\[A-Za-z0-9\x80-\xff]|[A-Za-z]:\\|\xc2\xaf\\_")
_NUMBER = re.compile(rb"\d{1,9}")
_UNSAFE_IN_HREF = re.compile(
    '[\\s"<>\\\\^`{|}\x00-\x20\x7f-\xa0\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]'
)

_INLINE = {"Strong": "strong", "Emphasis": "em", "Strikethrough": "s"}


def render(body: str) -> str:
    """Return sanitised HTML of at most HTML_MAX bytes in which everything written can be seen.

    What is too deep, too intricate or too big as HTML, or shows nothing, is shown as it was written.
    """
    return render_without_parser(body) or render_with_parser(body)


def render_with_parser(body: str) -> str:
    """Return what render() does for a body that render_without_parser() leaves alone."""
    try:
        rendered = _Renderer(_Source(body)).result()
    except _AsWritten:
        return _plain(body)
    result: str = _sanitiser.clean(rendered).strip()
    if len(result.encode()) > limits.HTML_MAX:
        return _plain(body)
    return result


def render_without_parser(body: str) -> str | None:
    """Return what render() does for the simplest bodies, None for the rest.

    These are plain text, one line in which bold words, names and addresses are the only marks, marks
    alone and very many lines.
    """
    if _is_plain(body) or _MARKS.fullmatch(body) or body.count("\n") > _LINES_MAX:
        return _plain(body)
    is_simple = body.count("://") <= _SIMPLE_LINKS and _SIMPLE.fullmatch(body)
    return _simple(body) if is_simple and not _STARTS_LIST.search(body) else None


def is_quick(body: str) -> bool:
    """Say whether rendering takes so little time (QUICK_MS at most) that the event loop can do it."""
    return len(body) <= _QUICK_LENGTH and len(_COSTLY.findall(body)) <= _QUICK_MARKS


def _simple(body: str) -> str:
    """Return the HTML of a body that matches _SIMPLE.

    It has no character to be escaped and no tag to be sanitised but those written here.
    """
    parts = _SIMPLE_MARK.split(body)
    for index in range(1, len(parts), 3):
        bold, address = parts[index], parts[index + 1]
        if bold is not None:
            parts[index : index + 2] = "<strong>", f"{bold}</strong>"
            continue
        shown = _trimmed(address)
        parts[index : index + 2] = (
            f'<a href="{shown}" rel="{_REL}">{shown}</a>',
            address[len(shown) :],
        )
    return f"<p>{''.join(parts)}</p>"


def _is_plain(body: str) -> bool:
    """Most messages are a few plain words: for them the parser is a slow way to say <p>."""
    return bool(_PLAIN.fullmatch(body)) and not _STARTS_LIST.search(body)


def _plain(body: str) -> str:
    if "\n" not in body:
        return f"<p>{_escape(body)}</p>"
    paragraphs = re.split(r"\n{2,}", _escape(body))
    return "\n".join(f"<p>{text.replace(chr(10), '<br>' + chr(10))}</p>" for text in paragraphs)


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _anchor(href: str, shown: str) -> str:
    scheme, colon, rest = href.partition(":")
    safe = scheme.lower() + colon + _UNSAFE_IN_HREF.sub(lambda c: quote(c[0], safe=""), rest)
    return f'<a href="{html.escape(safe)}">{shown}</a>'


class _AsWritten(Exception):  # noqa: N818 - not an error
    """Show the body as it was written."""


class _Source:
    """A body, made ready for the parser. Offsets are in bytes of `data`."""

    def __init__(self, body: str) -> None:
        if _OWN.search(body):
            body = _OWN.sub("\ufffd", body)
        self._links = 0
        self._addresses: list[tuple[str, str]] = []  # as written, and without the marks around it
        if "://" in body:
            body = _URL.sub(self._set_apart, body)
        if "]:" in body:
            body = _DEFINITION.sub(f"]{_MARK}", body)
        if "&" in body:
            body = _ENTITY.sub(f"&{_MARK}", body)
        if "<" in body:
            body = _HTML.sub(f"<{_MARK}", body)
        if _LINE_MARK.search(body):
            for pattern in (_MARKS_ALONE, _HEADING, _LONG_NUMBER):
                body = pattern.sub(rf"\1{_GAP}", body)
        self.text = body
        self.data = body.encode()
        self._kept: set[int] = set()  # where backslashes are that are shown
        if "\\" in body:
            for word in _WORD.finditer(self.data):
                if _PATH.search(word[0]):
                    start = word.start()
                    self._kept.update(start + n for n, byte in enumerate(word[0]) if byte == 0x5C)

    def _set_apart(self, found: re.Match[str]) -> str:
        inner = found[1]
        if inner is None:
            whole = found[2]
            inner = _trimmed(whole)
            rest = whole[len(inner) :]
            written = inner
        else:
            written, rest = found[0], ""
        self._addresses.append((written, inner))
        return f"{_OPEN}{len(self._addresses) - 1}{_CLOSE}{rest}"

    def is_kept(self, offset: int) -> bool:
        return offset in self._kept

    def cut(self, start: int, end: int) -> str:
        """Return what was written there."""
        return self.restore(self.data[start:end].decode())

    def restore(self, text: str) -> str:
        text = _without_marks(text)
        if _OPEN in text:
            text = _PLACE.sub(lambda found: self._addresses[int(found[1])][0], text)
        return text

    def linked(self, text: str) -> str:
        """Return HTML of text, its addresses as links."""
        text = _without_marks(text)
        if _OPEN not in text:
            return self._mails_linked(text)
        parts = _PLACE.split(text)
        for index, part in enumerate(parts):
            if index % 2:
                written, address = self._addresses[int(part)]
                is_link = self.may_link()
                shown = _escape(address if is_link else written)
                parts[index] = _anchor(address, shown) if is_link else shown
            else:
                parts[index] = self._mails_linked(part)
        return "".join(parts)

    def may_link(self) -> bool:
        """Count a link; say whether there may be one more."""
        self._links += 1
        return self._links <= _LINKS_MAX

    def _mails_linked(self, text: str) -> str:
        if "@" not in text:
            return _escape(text)
        out, done, at = [], 0, text.find("@")
        while at >= 0:
            host = _MAIL_HOST.match(text, at)
            start = _mail_start(text, at, done) if host else None
            if host and start is not None and self.may_link():
                if text[max(done, start - 7) : start].lower() == "mailto:":
                    start -= 7
                shown = text[start : host.end()]
                href = shown if shown.lower().startswith("mailto:") else f"mailto:{shown}"
                out += [_escape(text[done:start]), _anchor(href, _escape(shown))]
                done = host.end()
            at = text.find("@", max(at + 1, done))
        out.append(_escape(text[done:]))
        return "".join(out)


def _without_marks(text: str) -> str:
    return _MARK_OR_GAP.sub("", text) if _MARK in text or _GAP in text else text


def _trimmed(url: str) -> str:
    """Return an address without the punctuation of the sentence around it."""
    opened, closed = url.count("("), url.count(")")
    end = len(url)
    while end:
        last = url[end - 1]
        if last == ")" and closed > opened:
            closed -= 1
        elif last not in _AFTER_URL:
            break
        end -= 1
    return url[:end]


def _mail_start(text: str, at: int, done: int) -> int | None:
    """Return where the e-mail address begins whose "@" is there. Looks back a bounded way."""
    first = max(done, at - _MAIL_LOCAL_MAX)
    before = _BEFORE_MAIL.match(text, first, at)
    if before is None and first > done:
        return None  # longer than any name of a mailbox
    start = before.end() if before else first
    while start < at and text[start] in ".-+":
        start += 1
    return start if start < at else None


class _Renderer:
    """Makes HTML of the events of one body. Used once."""

    def __init__(self, source: _Source) -> None:
        self._source = source
        self._out: list[str] = []
        self._text: list[str] = []  # since the last tag: addresses may be split by events
        self._end = 0  # of the last event within a paragraph
        self._seen = 0  # how many visible pieces there are so far
        # For each open element: its closing tag, where it begins, what was seen before it, and how
        # long the output was then.
        self._open: list[tuple[str, int, int, int]] = []
        self._numbers: list[int | None] = []  # what the next item of each open list is called
        self._links = 0  # open ones: their text has no links of its own

    def result(self) -> str:
        events = _parser.events_with_range(self._source.text)
        for count, (event, where) in enumerate(events):
            if count >= _EVENTS_MAX:
                raise _AsWritten
            self._take(event, where["start"], where["end"])
        self._flush()
        if not self._seen:
            raise _AsWritten
        return "".join(self._out)

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
                self._put(_escape(self._source.cut(start, end)))
            else:
                self._put(f"<code>{_escape(text)}</code>")
            self._seen += 1
            self._end = end
        elif kind == "Start":
            self._start(value, start, end)
        elif kind == "End":
            self._finish(start, end)
        else:  # nothing else is expected; whatever it is, show it
            self._flush()
            self._put(_escape(self._source.cut(start, end)))
            self._seen += 1
            self._end = end

    def _take_break(self, event: str, start: int, end: int) -> None:
        if (
            event == "Rule"
        ):  # none is, with lines of marks set apart: for a parser that thinks otherwise
            self._put(f"<p>{_escape(self._source.cut(start, end).strip())}</p>\n")
            self._seen += 1
            return
        if self._source.is_kept(start):
            self._text.append("\\")
        self._flush()
        self._put("<br>\n")  # a line break in a chat is meant
        self._end = end

    def _take_text(self, text: str, start: int, end: int) -> None:
        if self._open and self._open[-1][0] == "</code></pre>\n":
            text = self._source.restore(text)
            self._put(_escape(text))
            self._seen += not is_blank(text)
            return
        if start > self._end and self._source.is_kept(start - 1):
            self._text.append("\\")  # the parser took it for an escape
        self._text.append(text)
        self._end = end

    def _start(self, value: Any, start: int, end: int) -> None:
        if len(self._open) >= _DEPTH_MAX:
            raise _AsWritten
        self._flush()
        name, about = next(iter(value.items())) if isinstance(value, dict) else (value, None)
        seen, size = self._seen, len(self._out)
        opening, closing = "", ""
        self._end = max(self._end, start)
        match name:
            case "Paragraph" | "Heading":
                opening, closing = "<p>", "</p>\n"
            case "Strikethrough" if self._source.data[start : start + 2] != b"~~":
                self._text.append("~")  # "~5 to ~10" means about
            case "Strong" | "Emphasis" | "Strikethrough":
                tag = _INLINE[name]
                opening, closing = f"<{tag}>", f"</{tag}>"
                self._end = end  # its marks are not text
            case "BlockQuote":
                opening, closing = "<blockquote>\n", "</blockquote>\n"
            case "CodeBlock":
                opening, closing = "<pre><code>", "</code></pre>\n"
                info = self._source.restore(about["Fenced"]) if isinstance(about, dict) else ""
                if " " in info.strip():  # a language is one word; more is meant to be read
                    opening += _escape(info) + "\n"
                    self._seen += 1
            case "List":
                self._numbers.append(about)
                first = f' start="{about}"' if about not in (None, 1) else ""
                tag = "ul" if about is None else "ol"
                opening, closing = f"<{tag}{first}>\n", f"</{tag}>\n"
            case "Item":
                opening, closing = f"<li{self._value(start)}>", "</li>\n"
            case "Link" | "Image":
                opening, closing = self._link(name, about or {})
        self._put(opening)
        self._open.append((closing, start, seen, size))

    def _value(self, start: int) -> str:
        """Return the attribute of an item that is not called what a browser would call it."""
        expected = self._numbers[-1]
        if expected is None:
            return ""
        found = _NUMBER.match(self._source.data, start)
        number = int(found[0]) if found else expected
        self._numbers[-1] = number + 1
        return f' value="{number}"' if number != expected else ""

    def _link(self, name: str, about: dict[str, Any]) -> tuple[str, str]:
        target = self._source.restore(about["dest_url"])
        if about["link_type"] == "Email":
            target = f"mailto:{target}"
        bang = "!" if name == "Image" else ""
        if self._links or not _ADDRESS.match(target) or not self._source.may_link():
            bracket = "<" if about["link_type"] in ("Autolink", "Email") else f"{bang}["
            self._text.append(bracket)
            self._end += len(bracket)
            return "", ""
        self._links += 1
        return f"{bang}{_anchor(target, '').removesuffix('</a>')}", "</a>"

    def _finish(self, start: int, end: int) -> None:
        closing, begun, seen, size = self._open.pop()
        if not closing:  # a link that leads nowhere: its text was taken, this is the rest of it
            self._text.append(self._rest(begun, end))
            self._end = end
            self._flush()
            return
        self._flush()
        if closing in ("</ul>\n", "</ol>\n"):
            self._numbers.pop()
        if closing == "</a>":
            self._links -= 1
        if self._seen == seen and closing not in ("</li>\n", "</p>\n"):
            # Nothing in it can be seen, so what was written is shown.
            del self._out[size:]
            written = _escape(self._source.cut(begun, end).strip("\n")).replace("\n", "<br>\n")
            self._put(written if closing[-1] == ">" else f"<p>{written}</p>\n")
        else:
            self._put(closing)
        if closing[-1] == ">":
            self._end = end

    def _rest(self, begun: int, end: int) -> str:
        """Return what a link has after its text, such as "](/here)"."""
        return self._source.data[max(self._end, begun + 1) : end].decode()

    def _flush(self) -> None:
        """Put out the text since the last tag."""
        if not self._text:
            return
        text = "".join(self._text)
        self._text.clear()
        self._seen += _OPEN in text or not is_blank(_without_marks(text))
        if self._links:
            self._put(_escape(self._source.restore(text)))
        else:
            self._put(self._source.linked(text).replace("\n", "<br>\n"))

    def _put(self, piece: str) -> None:
        if piece:
            self._out.append(piece)
