"""Renders Markdown as HTML that is safe to show to others.

The parser (pyromark) returns events with their offsets in the source. The HTML is built here from escaped
text and a few tags, and then sanitised with explicit lists of tags, attributes and schemes. A message is
rendered once, when it is stored. docs/markdown.md lists the differences from CommonMark and their reasons.

Before parsing, text that must not be parsed as Markdown is marked with control characters, which clean_body()
rejects in bodies: MARK or GAP before characters that would begin a construct, and OPEN number CLOSE in
place of an address. Source.restore() reverts both. EMOJI is put before the names of custom emoji, and
replaced by their pictures at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import nh3

from conversations import limits
from conversations.emoji import has_names
from conversations.markdown.events import AsWritten, Renderer
from conversations.markdown.pictures import with_pictures
from conversations.markdown.source import (
    CALL,
    EMOJI,
    EVENTS_MAX,
    REL,
    Source,
    escape,
    has_call,
    trimmed,
)

# Stored with each message. Increase it when the HTML of some body changes. NULL means markdown-it-py.
VERSION = 9
EXCERPTS_SINCE = 3  # the first version with which excerpts are stored
_LINES_MAX = EVENTS_MAX // 2  # each line causes at least two events

QUICK_MS = 0.5
_QUICK_LENGTH = 500
_QUICK_MARKS = 30
# What can begin an element or a link.
_COSTLY = re.compile(r"[-+*_~`<>&#@:|\[\]\\\n]|[wW]{3}\.")

_TAGS = {
    *("p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "h3"),
    *("div", "table", "thead", "tbody", "tr", "th", "td", "label", "input", "span"),
}
_ATTRIBUTES = {
    "a": {"href", "data-conversation"},
    "ol": {"start"},
    "li": {"value"},
    "div": {"data-language"},
    "input": {"aria-label", "checked", "disabled"},
}
_ALIGN = {"align": {"left", "center", "right"}}
_VALUES = {
    "div": {"class": {"code", "table"}, "tabindex": {"0"}},
    "pre": {"tabindex": {"0"}},
    "th": _ALIGN,
    "td": _ALIGN,
    "li": {"class": {"task"}},
    "label": {"class": {"spoiler"}},
    "span": {"class": {"spoiler__text"}},
    "input": {"type": {"checkbox"}},
}
_SCHEMES = {"http", "https", "mailto"}
_sanitiser = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    tag_attribute_values=_VALUES,
    url_schemes=_SCHEMES,
    url_relative="deny",
    link_rel=REL,
)

_LINK = re.compile('<a href="[^"]*">')
# A link of which the sanitiser has removed the target, such as https://a.example:99999.
_WITHOUT_TARGET = "<a rel="

# Links to conversations, as the sanitiser returns them, and as they are stored. Each reader who may know the
# present name sees that: static/js/views/conversation_link.js and conversations/web/conversation_links.py.
_CONVERSATION = re.compile(r'<a data-conversation="(\d+)"[^>]*>')
CONVERSATION_LINK = '<a data-view="conversation_link" href="/c/{}/">'

# Only letters, digits and punctuation that have no meaning to the parser.
_PLAIN = re.compile(r"(?:[^\W_]++|[ ,;'\"?!()€%$…–—“”„‘’\n]++|[.](?=\s|\Z))*+")
# The same in one line, and also bold text, "@" before a name, and ASCII addresses. Each of these must be
# separated from the text around it, so that the parser would render it in the same way.
_SIMPLE = re.compile(
    r"(?:(?<![^ ])https?://(?:[A-Za-z0-9]++(?:-[A-Za-z0-9]++)*+\.)++[A-Za-z]{2,}+"
    r"(?:/[A-Za-z0-9./?=%#+,;-]*+)?[,;?!]*+\.?(?![^ ])"
    r"|[^\W_]++|[ ,;'\"?!()€%$…–—“”„‘’]++|[.](?=\s|\Z)|(?<![^ (])@(?=[^\W_])"
    r"|(?<![^ ])\*\*[^\W_](?:[^\W_]|[ ,](?=[^\W_]))*+\*\*(?![^ ,;?!]))*+"
)
_SIMPLE_MARK = re.compile(r"\*\*([^*]+)\*\*|(https?://\S+)")
_SIMPLE_LINKS = 20  # keeps the HTML far below HTML_MAX
_STARTS_LIST = re.compile(r"(?m)^\s*\d+[.)](?:\s|\Z)|^\s")  # also an empty list item

_MARKS = re.compile(r"[\s>*+\-_=#~`]*")

_NO_EMOJI: Mapping[str, str] = MappingProxyType({})


class Parts(msgspec.Struct, frozen=True):
    """`html`: sanitised, at most HTML_MAX bytes, shows all of the text. `text`: the same without tags, with
    list numbers, and without what spoilers hide. `words`: the text without list numbers, code, quotations and
    addresses, with a line break in place of each; "" if there is no "@" in the body, because it is only used
    to find those. `marked`: the HTML with CALL before each "@" of `words`; "" if it has no others."""

    html: str
    text: str
    words: str
    marked: str = ""


def render(body: str) -> str:
    """Return the HTML of a body.

    A body whose HTML would be nested too deeply, too complex, too large or blank is shown as plain text.
    """
    return (render_without_parser(body) or render_with_parser(body)).html


def render_with_parser(body: str, emoji: Mapping[str, str] = _NO_EMOJI) -> Parts:
    """Return the parts of a body for which render_without_parser() returns None.

    `emoji`: name -> address of the custom emoji. Only needed if has_names().
    """
    renderer = Renderer(Source(body), emoji)
    try:
        rendered = renderer.result()
        result: str = _sanitiser.clean(rendered).strip()
        if _WITHOUT_TARGET in result:
            refused = {tag for tag in set(_LINK.findall(rendered)) if _is_refused(tag)}
            renderer = Renderer(Source(body, refused), emoji)
            result = _sanitiser.clean(renderer.result()).strip()
    except AsWritten:
        return _plain(body)
    if "data-conversation" in result:
        result = _CONVERSATION.sub(CONVERSATION_LINK.format(r"\1"), result)
    if EMOJI in result:
        result = with_pictures(result, body, emoji)
    if len(result.encode()) > limits.HTML_MAX:
        return _plain(body)
    if CALL not in result:
        return Parts(result, renderer.text, renderer.words)
    return Parts(result.replace(CALL, ""), renderer.text, renderer.words, result)


def _is_refused(tag: str) -> bool:
    """Whether the sanitiser removes the target of a link, because it is not an address."""
    return _WITHOUT_TARGET in _sanitiser.clean(f"{tag}x</a>")


def render_without_parser(body: str) -> Parts | None:
    """Return the same as render_with_parser() for simple bodies, None for all others.

    Simple are: plain text; one line with nothing but bold text, names and addresses; only Markdown
    characters; and bodies with so many lines that they are shown as plain text.
    """
    if _is_plain(body) or _MARKS.fullmatch(body) or body.count("\n") > _LINES_MAX:
        return _plain(body)
    is_simple = body.count("://") <= _SIMPLE_LINKS and _SIMPLE.fullmatch(body)
    return _simple(body) if is_simple and not _STARTS_LIST.search(body) else None


def is_quick(body: str) -> bool:
    """Whether rendering takes at most QUICK_MS and looks nothing up, so that the event loop can do it."""
    if len(body) > _QUICK_LENGTH or len(_COSTLY.findall(body)) > _QUICK_MARKS:
        return False
    return not has_names(body)


def _simple(body: str) -> Parts:
    """Return the parts of a body that matches _SIMPLE.

    Nothing needs to be escaped or sanitised: _SIMPLE excludes the special characters of HTML.
    """
    parts = _SIMPLE_MARK.split(body)
    words = parts.copy()
    for index in range(1, len(parts), 3):
        bold, address = parts[index], parts[index + 1]
        if bold is not None:
            parts[index : index + 2] = "<strong>", f"{bold}</strong>"
            words[index + 1] = ""
            continue
        shown = trimmed(address)
        rest = address[len(shown) :]
        parts[index : index + 2] = f'<a href="{shown}" rel="{REL}">{shown}</a>', rest
        words[index : index + 2] = "\n", rest
    called = "".join(words) if "@" in body else ""
    return Parts(f"<p>{''.join(parts)}</p>", body.replace("**", ""), called)


def _is_plain(body: str) -> bool:
    """Whether a body is plain text. Most messages are, and the parser would only wrap them in <p>."""
    return bool(_PLAIN.fullmatch(body)) and not _STARTS_LIST.search(body)


def _plain(body: str) -> Parts:
    words = body if has_call(body) else ""
    escaped = escape(body)
    if "\n" not in body:
        return Parts(f"<p>{escaped}</p>", body, words)
    paragraphs = re.split(r"\n{2,}", escaped)
    html = "\n".join(f"<p>{text.replace(chr(10), '<br>' + chr(10))}</p>" for text in paragraphs)
    return Parts(html, re.sub(r"\n{2,}", "\n", body), words)
