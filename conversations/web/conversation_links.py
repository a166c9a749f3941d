"""Names of conversations in messages.

A message with `[#Design](/c/8/)` contains a link with the author's words (conversations/markdown/). Readers
who are in the conversation see its present name instead, and no one else does. Scripts do the same, for
messages that arrive and when it is renamed: static/js/views/conversation_link.js.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from django.utils.html import escape

from conversations import markdown
from conversations.models import Conversation
from conversations.web.sidebar import SidebarItem
from conversations.web.timeline import Entry, MessageRow

_MARK = markdown.CONVERSATION_LINK.partition("{")[0]
_LINK = re.compile(f'({re.escape(_MARK)}(\\d+)/">)(.*?)(?=</a>)', re.DOTALL)


def with_names(entries: Sequence[Entry], listed: Iterable[SidebarItem]) -> list[Entry]:
    """Return the entries with the names of those conversations that the reader has in the sidebar."""
    if not any(isinstance(each, MessageRow) and _MARK in each.html for each in entries):
        return list(entries)
    names = {
        item.conversation.id: item.conversation.name
        for item in listed
        if item.conversation.kind == Conversation.Kind.GROUP
    }
    return [
        replace(each, html=fill_names(each.html, names))
        if isinstance(each, MessageRow) and _MARK in each.html
        else each
        for each in entries
    ]


def fill_names(html: str, names: Mapping[int, str]) -> str:
    """Return the HTML of a message with the names of the conversations that it links to."""

    def named(found: re.Match[str]) -> str:
        name = names.get(int(found[2]))
        return found[0] if name is None else f"{found[1]}#{escape(name)}"

    return _LINK.sub(named, html)
