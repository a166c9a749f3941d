"""The pictures of custom emoji. They are inserted into HTML that has been sanitised, where marks are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from conversations import limits
from conversations.emoji import EMOJI_NAME, is_only_custom_emoji, picture_html, split_names
from conversations.markdown.source import EMOJI

_MARKED = re.compile(f"{EMOJI}:({EMOJI_NAME}):")
_PARAGRAPH = "<p>"


def marked(text: str, known: Mapping[str, str]) -> str:
    """Return a text with EMOJI before each name of a custom emoji."""
    first, *rest = split_names(text, known)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return first + "".join(f"{EMOJI}:{name}:{after}" for name, after in pairs)


def with_pictures(html: str, body: str, known: Mapping[str, str]) -> str:
    """Return HTML with pictures in place of marked names, or without any if it would become too large."""
    found = _MARKED.sub(lambda each: picture_html(f":{each[1]}:", known[each[1]]), html)
    if len(found.encode()) > limits.HTML_MAX:
        return html.replace(EMOJI, "")
    if found.startswith(_PARAGRAPH) and is_only_custom_emoji(body, known):
        return f'<p class="only-emoji">{found.removeprefix(_PARAGRAPH)}'
    return found
