"""Prepares a body for the parser, and turns addresses into links."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Container
from urllib.parse import quote

EVENTS_MAX = 800  # keeps the cost of the worst body at that of a long ordinary one
_LINKS_MAX = 200  # links in one message; further addresses are shown as text
REL = "noopener noreferrer nofollow ugc"

MARK, OPEN, _CLOSE = "\x04", "\x02", "\x03"
# Like MARK, but white space to the parser: delimiters after it can't close anything. In contrast to MARK, it
# can be within the target of a Markdown link.
_GAP = "\x85"
# Before each "@" of a message in which members may be mentioned: see mentions.with_chips().
CALL = "\x05"
# Before each name of a custom emoji: see pictures.py.
EMOJI = "\x06"
_OWN = re.compile("[\x02-\x06\x85]")
_MARK_OR_GAP = re.compile("[\x04\x85]")
_PLACE = re.compile(r"\x02(\d+)\x03")
# An address ends before white space, quotation marks, brackets, full-width punctuation and characters that
# change the text direction. Joiners can be within a word, as in Persian and Malayalam.
_REST = (
    r"(?:[^\s<>\[\]`\"\\^{|}\x00-\x1f\u00ab\u00bb\u2018-\u201f\u2039\u203a\u3000-\u301f\uff01-\uff0f"
    r"\uff1a-\uff20\uff3b-\uff3d\uff5b-\uff65\u061c\u200b-\u200f\u2026\u2028-\u202f\u2060-\u206f\ufeff]"
    r"|[\u200c\u200d](?=\.?\w))*"
)
# Targets of Markdown links don't match. All alternatives begin with a literal character and check what is
# before it afterwards, because that makes searching fast.
_URL = re.compile(
    r"<(?<!\]\(<)([hH][tT][tT][pP][sS]?://[^\s<>\x02-\x04]+)>"
    r"|([hH](?<!\]\([hH])(?<!\]\(<[hH])(?<![^\W_][hH])"
    r"[tT][tT][pP][sS]?://(?:\[[0-9a-fA-F:.]+\]|[^\W_])" + _REST + ")"
)
# Host names that begin with "www.", but not within words and other addresses.
_WWW = re.compile(
    r"[wW](?<![\w@.:/=&?#%+~\\\-][wW])(?<!\]\([wW])(?<!\]\(<[wW])[wW]{2}\.(?=[^\W_])"
    r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w@-])(?:(?<=\w)[:/?#]" + _REST + ")?"
)
# Before the target of a Markdown link that does not follow its parenthesis directly.
_BEFORE_TARGET = re.compile(r"\]\(\s{1,40}")
_AFTER_URL = "?!.,:;'*_~"  # part of the sentence or of Markdown, not of the address
_BEFORE_MAIL = re.compile(r".*[^\w.+-]", re.DOTALL)
_MAIL_LOCAL_MAX = 64
_MAIL_HOST = re.compile(r"@[^\W_](?:[\w-]{0,62}\.)+[^\W\d_]{2,24}(?![\w-]|\.\w)")
# Lines with nothing but list numbers and Markdown characters; list numbers that are long or begin with 0.
_MARKS_ALONE = re.compile(
    r"(?m)^([ \t>]*)(?=(?:[-+*_=#]+|\d{1,9}[.)])(?:[ \t]+(?:[-+*_=#]+|\d{1,9}[.)]))*[ \t]*$)"
)
_LINE_MARK = re.compile(r"(?m)^[ \t>]*[-+*_=#\d]")  # matches if one of the two others can match
_LONG_NUMBER = re.compile(r"(?m)^([ \t>]*)(?=(?:\d{4,9}|0\d{1,8})[.)][ \t])")
# "<" that does not begin an address is text, because messages can't contain HTML.
_HTML = re.compile(
    r"<(?=[A-Za-z/!?])(?!mailto:|https?:|[^\s<>@]{1,64}@[^\s<>]{1,255}>)", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?=[A-Za-z#])")
_DEFINITION = re.compile(r"\](?=:)")
# Words in which backslashes are not escapes: C:\_new, \\server\_share, a\b, and the shrug.
_WORD = re.compile(rb"\S+")
_PATH = re.compile(rb"\\[A-Za-z0-9\x80-\xff]|[A-Za-z]:\\|\xc2\xaf\\_")
_UNSAFE_IN_HREF = re.compile(
    '[\\s"<>\\\\^`{|}\x00-\x20\x7f-\xa0\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]'
)


Escape = Callable[[str], str]  # escape() or marked_escape()


def has_call(text: str) -> bool:
    """Whether there can be a mention in a text."""
    return "@" in text or "＠" in text


def escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def marked_escape(text: str) -> str:
    marked = escape(text)
    if "@" in text:
        marked = marked.replace("@", "\x05@")
    return marked.replace("＠", "\x05＠") if "＠" in text else marked


def anchor(href: str, shown: str) -> str:
    return f"{opening_tag(href)}{shown}</a>"


def opening_tag(href: str) -> str:
    scheme, colon, rest = href.partition(":")
    safe = scheme.lower() + colon + _UNSAFE_IN_HREF.sub(lambda c: quote(c[0], safe=""), rest)
    return f'<a href="{html.escape(safe)}">'


class Source:
    """A body prepared for the parser. Offsets are in bytes of `data`. `refused`: the opening tags of links
    that the sanitiser refuses, because browsers can't open them. Their addresses are text."""

    def __init__(self, body: str, refused: Container[str] = ()) -> None:
        self._refused = refused
        if _OWN.search(body):
            body = _OWN.sub("\ufffd", body)
        self._links = 0
        # (as written, without the "<" and ">" around it, the target of its link)
        self._addresses: list[tuple[str, str, str]] = []
        if "://" in body:
            body = _URL.sub(self._set_apart, body)
        if "www." in body.lower():
            body = _WWW.sub(self._set_apart_www, body)
        if "]:" in body:
            body = _DEFINITION.sub(f"]{_GAP}", body)
        if "&" in body:
            body = _ENTITY.sub(f"&{_GAP}", body)
        if "<" in body:
            body = _HTML.sub(f"<{_GAP}", body)
        if _LINE_MARK.search(body):
            for pattern in (_MARKS_ALONE, _LONG_NUMBER):
                body = pattern.sub(rf"\1{_GAP}", body)
        self.text = body
        self.data = body.encode()
        self._kept: set[int] = set()  # offsets of backslashes that are not escapes
        if "\\" in body:
            for word in _WORD.finditer(self.data):
                if _PATH.search(word[0]):
                    start = word.start()
                    self._kept.update(start + n for n, byte in enumerate(word[0]) if byte == 0x5C)

    def _set_apart(self, found: re.Match[str]) -> str:
        text, start = found.string, found.start()
        if text[start - 1 : start].isspace():
            opening = text.rfind("](", max(start - 42, 0), start)
            if opening >= 0 and _BEFORE_TARGET.fullmatch(text, opening, start):
                return found[0]
        inner = found[1]
        if inner is None:
            whole = found[2]
            inner = trimmed(whole)
            rest = whole[len(inner) :]
            written = inner
        else:
            written, rest = found[0], ""
        return self._place_of(written, inner, inner) + rest

    def _set_apart_www(self, found: re.Match[str]) -> str:
        address = trimmed(found[0])
        return self._place_of(address, address, f"http://{address}") + found[0][len(address) :]

    def _place_of(self, written: str, address: str, target: str) -> str:
        self._addresses.append((written, address, target))
        return f"{OPEN}{len(self._addresses) - 1}{_CLOSE}"

    def is_kept(self, offset: int) -> bool:
        return offset in self._kept

    def cut(self, start: int, end: int) -> str:
        """Return the part of the body between two offsets."""
        return self.restore(self.data[start:end].decode())

    def restore(self, text: str) -> str:
        text = without_marks(text)
        if OPEN in text:
            text = _PLACE.sub(lambda found: self._addresses[int(found[1])][0], text)
        return text

    def shown(self, text: str, escaped: Escape) -> tuple[str, str, str]:
        """Return text as HTML with links for its addresses, as it is then shown, and without addresses, with
        a line break in place of each. An "@" that was escaped has its backslash in the last one."""
        words = text
        if MARK in text or _GAP in text:
            words = without_marks(text.replace(f"{MARK}@", "\\@"))
            text = without_marks(text)
        if OPEN not in text:
            return self._mails_linked(text, escaped), text, words
        parts = _PLACE.split(text)
        out, shown = [], []
        for index, part in enumerate(parts):
            if not index % 2:
                out.append(self._mails_linked(part, escaped))
                shown.append(part)
                continue
            written, address, target = self._addresses[int(part)]
            is_link = self.may_link(target)
            seen = address if is_link else written
            out.append(anchor(target, escape(seen)) if is_link else escape(seen))
            shown.append(seen)
        return "".join(out), "".join(shown), _PLACE.sub("\n", words)

    def shown_in_link(self, text: str, escaped: Escape) -> tuple[str, str, str]:
        """Return the same as shown() for text within a link, where addresses are no links."""
        words = without_marks(text.replace(f"{MARK}@", "\\@"))
        parts = _PLACE.split(without_marks(text))
        shown = [self._addresses[int(each)][0] if n % 2 else each for n, each in enumerate(parts)]
        out = [escape(each) if n % 2 else escaped(each) for n, each in enumerate(shown)]
        return "".join(out), "".join(shown), _PLACE.sub("\n", words)

    def may_link(self, target: str = "") -> bool:
        """Count a link, and return whether it is within the limit and not refused."""
        self._links += 1
        if self._refused and opening_tag(target) in self._refused:
            return False
        return self._links <= _LINKS_MAX

    def _mails_linked(self, text: str, escaped: Escape) -> str:
        if "@" not in text:
            return escaped(text)
        out, done, at = [], 0, text.find("@")
        while at >= 0:
            host = _MAIL_HOST.match(text, at)
            start = _mail_start(text, at, done) if host else None
            if host and start is not None and self.may_link():
                if text[max(done, start - 7) : start].lower() == "mailto:":
                    start -= 7
                shown = text[start : host.end()]
                href = shown if shown.lower().startswith("mailto:") else f"mailto:{shown}"
                out += [escaped(text[done:start]), anchor(href, escaped(shown))]
                done = host.end()
            at = text.find("@", max(at + 1, done))
        out.append(escaped(text[done:]))
        return "".join(out)


def without_marks(text: str) -> str:
    return _MARK_OR_GAP.sub("", text) if MARK in text or _GAP in text else text


def trimmed(url: str) -> str:
    """Return an address without trailing punctuation that belongs to the sentence."""
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
    """Return the start of the email address with its "@" at this index. Looks back at most
    _MAIL_LOCAL_MAX characters."""
    first = max(done, at - _MAIL_LOCAL_MAX)
    before = _BEFORE_MAIL.match(text, first, at)
    if before is None and first > done:
        return None  # too long for the local part of an address
    start = before.end() if before else first
    while start < at and text[start] in ".-+":
        start += 1
    return start if start < at else None
