"""Markdown, as written by people, to HTML that is safe to show to others.

The parser (pyromark) gives events with their place in the source; the HTML is made here, from escaped
text and a few tags, and then sanitised again with explicit lists of tags, attributes and schemes.
Rendered once, when a message is written. Where this differs from CommonMark and why: docs/markdown.md.

Before parsing, what must not be read as Markdown is set apart with control characters, which no body
contains (clean_body refuses them): MARK or GAP in front of characters that would begin a construct, and
OPEN number CLOSE in place of an address. `Source.restore` takes both out again.
"""

from __future__ import annotations

import re

import nh3

from conversations import limits
from conversations.markdown.events import AsWritten, Renderer
from conversations.markdown.source import EVENTS_MAX, REL, Source, escape, trimmed

# Stored with each message. Raise it when the same body gives other HTML. NULL: by markdown-it-py.
VERSION = 2
_LINES_MAX = EVENTS_MAX // 2  # a line is two events or more

QUICK_MS = 0.5
_QUICK_LENGTH = 500
_QUICK_MARKS = 30
_COSTLY = re.compile(r"[-+*_~`<>&#@:\[\]\\\n]")  # what may begin an element or a link

_TAGS = {"p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "li": {"value"}}
_SCHEMES = {"http", "https", "mailto"}
_sanitiser = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    url_schemes=_SCHEMES,
    url_relative="deny",
    link_rel=REL,
)

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


def render(body: str) -> str:
    """Return sanitised HTML of at most HTML_MAX bytes in which everything written can be seen.

    What is too deep, too intricate or too big as HTML, or shows nothing, is shown as it was written.
    """
    return render_without_parser(body) or render_with_parser(body)


def render_with_parser(body: str) -> str:
    """Return what render() does for a body that render_without_parser() leaves alone."""
    try:
        rendered = Renderer(Source(body)).result()
    except AsWritten:
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
        shown = trimmed(address)
        parts[index : index + 2] = (
            f'<a href="{shown}" rel="{REL}">{shown}</a>',
            address[len(shown) :],
        )
    return f"<p>{''.join(parts)}</p>"


def _is_plain(body: str) -> bool:
    """Most messages are a few plain words: for them the parser is a slow way to say <p>."""
    return bool(_PLAIN.fullmatch(body)) and not _STARTS_LIST.search(body)


def _plain(body: str) -> str:
    if "\n" not in body:
        return f"<p>{escape(body)}</p>"
    paragraphs = re.split(r"\n{2,}", escape(body))
    return "\n".join(f"<p>{text.replace(chr(10), '<br>' + chr(10))}</p>" for text in paragraphs)
