"""Markdown, as written by people, to HTML that is safe to show to others.

Two walls: the parser passes no HTML through and knows no images; what it makes is sanitised again
with explicit lists of tags, attributes and schemes. Rendered once, when a message is written.
"""

from __future__ import annotations

import html
import re

import nh3
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt

from conversations import limits

# A line break in a chat is meant: `breaks`. No tables, images, headings or raw HTML.
_parser = MarkdownIt(
    "zero", {"html": False, "linkify": True, "breaks": True, "typographer": False, "maxNesting": 20}
).enable(
    [
        "newline", "escape", "backticks", "emphasis", "strikethrough", "link", "autolink", "linkify",
        "fence", "code", "blockquote", "list", "balance_pairs", "fragments_join",
    ]
)  # fmt: skip
# "chatty.example" typed in passing is a link only with a scheme; e-mail addresses always are.
_parser.linkify = LinkifyIt(options={"fuzzy_link": False, "fuzzy_email": True, "fuzzy_ip": False})

_TAGS = {"p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
_SCHEMES = {"http", "https", "mailto"}
# Whole addresses only: "//evil.example" would lead abroad, "/sign-out/" around in here, and neither
# looks like it. What is no link stays the text it was.
_ADDRESS = re.compile(r"https?://|mailto:", re.IGNORECASE)
_parser.validateLink = lambda url: bool(_ADDRESS.match(url))  # type: ignore[method-assign]

# Letters, digits and punctuation that no rule of the parser reacts to.
_PLAIN = re.compile(r"(?:[ ,;'\"?!()€$%…–—“”„‘’\n]|[^\W_]|[.](?=\s|\Z))*")
_STARTS_LIST = re.compile(r"(?m)^\s*\d+[.)](?:\s|\Z)|^\s")  # also one without a word in it


def render(body: str) -> str:
    """Return sanitised HTML of at most HTML_MAX bytes; beyond that the plain text in paragraphs."""
    if _is_plain(body):
        return _plain(body)
    result: str = nh3.clean(
        _parser.render(body),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel="noopener noreferrer nofollow ugc",
    )
    result = result.strip()
    if len(result.encode()) > limits.HTML_MAX:
        return _plain(body)
    return result


def _is_plain(body: str) -> bool:
    """Most messages are a few plain words: for them the parser is a slow way to say <p>."""
    return bool(_PLAIN.fullmatch(body)) and not _STARTS_LIST.search(body)


def _plain(body: str) -> str:
    paragraphs = re.split(r"\n{2,}", html.escape(body, quote=False))
    return "\n".join(f"<p>{text.replace(chr(10), '<br>' + chr(10))}</p>" for text in paragraphs)
