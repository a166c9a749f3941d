"""The help: topics with short sections, searched on the server. Readable without an account.

The text of a section is templates/conversations/help/<slug>.html; its examples of Markdown are rendered
by the renderer of messages, so that they show what a message would.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from html import unescape
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.html import conditional_escape, escape
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from chatty.common.errors import Sentence
from chatty.common.text import counted
from conversations import limits, markdown

QUERY_MAX = 80


@dataclass(frozen=True, slots=True)
class Section:
    """`slug` is part of its anchor and names its template. _read() fills in the rest."""

    slug: str
    title: Sentence
    heading: str = ""  # the title as HTML, in search results with marks
    body: str = ""  # HTML
    text: str = ""  # searched

    @property
    def anchor(self) -> str:
        """Prefixed, because the page has ids such as "sidebar" already."""
        return f"help-{self.slug}"


@dataclass(frozen=True, slots=True)
class Topic:
    slug: str
    title: Sentence
    icon: str
    sections: tuple[Section, ...]
    heading: str = ""

    @property
    def anchor(self) -> str:
        return f"help-{self.slug}"

    @property
    def is_single(self) -> bool:
        """Whether the topic is its only section, which then has no heading of its own."""
        return self.sections[0].slug == self.slug


def _single(slug: str, title: Sentence, icon: str) -> Topic:
    return Topic(slug, title, icon, (Section(slug, title),))


TOPICS = (
    Topic(
        "first-steps",
        _("First steps"),
        "rocket",
        (
            Section("sidebar", _("Find your way around")),
            Section("profile", _("Your profile and display")),
            Section("install", _("Install Chatty as an app")),
            Section("offline", _("Read and write while offline")),
        ),
    ),
    Topic(
        "conversations",
        _("Conversations"),
        "messages-square",
        (
            Section("kinds", _("Conversations and direct messages")),
            Section("access", _("Public and private conversations")),
            Section("join-leave", _("Join and leave")),
            Section("invite", _("Invite people")),
            Section("roles", _("Owners, admins and members")),
            Section("archive-delete", _("Archive or delete a conversation")),
        ),
    ),
    Topic(
        "messages",
        _("Messages"),
        "message-square",
        (
            Section("write", _("Write and send")),
            Section("files", _("Files, pictures and voice messages")),
            Section("reply-react", _("Reply and react")),
            Section("mentions", _("Mention someone")),
            Section("edit-delete", _("Edit and delete messages")),
            Section("unread", _("Unread messages")),
        ),
    ),
    _single("formatting", _("Formatting"), "type"),
    _single("shortcuts", _("Keyboard shortcuts"), "keyboard"),
    Topic(
        "notifications",
        _("Notifications"),
        "bell",
        (
            Section("turn-on", _("Turn on notifications")),
            Section("levels", _("Choose what to be notified about")),
            Section("no-notifications", _("If you don’t get notifications")),
        ),
    ),
    Topic(
        "privacy",
        _("Privacy"),
        "shield",
        (
            Section("who-reads", _("Who can read what")),
            Section("what-others-see", _("What others see about you")),
            Section("administrators", _("What administrators can see")),
            Section("deletion", _("What deleting removes")),
            Section("sessions", _("Password and sessions")),
        ),
    ),
)

EXAMPLES = (
    _("**bold**"),
    _("*italic*"),
    _("~~crossed out~~"),
    _("`code`"),
    "```\nfor cat in cats:\n    feed(cat)\n```",
    _("- apples\n- pears"),
    _("1. first\n2. second"),
    _("- [x] done\n- [ ] to do"),
    _("> quoted text"),
    _("# a heading"),
    _("||a spoiler||"),
    _("| Fruit | Number |\n| -- | --: |\n| apples | 12 |"),
    _("[our website](https://example.org)"),
    "https://example.org",
)

_TAG = re.compile(r"(<[^>]*>)")


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    query = _clean(request.GET.get("q", ""))
    read = _read.__wrapped__ if settings.DEBUG else _read
    topics = read(get_language(), settings.PRESENCE_MEMBERS)
    if query:
        topics = _search(topics, query.split())
    is_signed_in = request.user.is_authenticated
    context = {
        "frame": "base.html" if is_signed_in else "base_public.html",
        "topics": topics,
        "q": query,
        "found": sum(len(topic.sections) for topic in topics),
        "query_max": QUERY_MAX,
    }
    return render(request, "conversations/help.html", context)


def _clean(query: str) -> str:
    text = unicodedata.normalize("NFC", query.replace("\x00", " "))
    return " ".join(text.split())[:QUERY_MAX].strip()


@lru_cache(maxsize=16)
def _read(language: str | None, presence_members: int) -> tuple[Topic, ...]:
    """Return the topics with their text in the active language, which is `language`."""
    context: dict[str, Any] = {
        "body_max": counted(limits.BODY_MAX),
        "examples": [(source, mark_safe(markdown.render(source))) for source in map(str, EXAMPLES)],
        "presence_members": presence_members,
        "reveal_minutes": limits.REVEAL_SECONDS // 60,
    }
    topics = []
    for topic in TOPICS:
        sections = tuple(_read_section(topic, section, context) for section in topic.sections)
        title = str(topic.title)
        topics.append(
            replace(topic, title=title, heading=conditional_escape(title), sections=sections)
        )
    return tuple(topics)


def _read_section(topic: Topic, section: Section, context: dict[str, Any]) -> Section:
    title = str(section.title)
    body = render_to_string(f"conversations/help/{section.slug}.html", context)
    text = unescape(_TAG.sub(" ", f"{topic.title} {title} {body}"))
    return replace(section, title=title, heading=conditional_escape(title), body=body, text=text)


def _search(topics: tuple[Topic, ...], words: list[str]) -> tuple[Topic, ...]:
    """Return the sections that contain every word, with the words marked."""
    patterns = [re.compile(_pattern(word), re.IGNORECASE) for word in words]
    # The longest first: of two words that begin alike, the longer one is marked whole.
    alternatives = "|".join(map(_pattern, sorted(words, key=len, reverse=True)))
    any_word = re.compile(f"({alternatives})", re.IGNORECASE)
    found = []
    for topic in topics:
        sections = tuple(
            replace(each, heading=_mark(each.heading, any_word), body=_mark(each.body, any_word))
            for each in topic.sections
            if all(pattern.search(each.text) for pattern in patterns)
        )
        if sections:
            heading = _mark(topic.heading, any_word)
            found.append(replace(topic, heading=heading, sections=sections))
    return tuple(found)


def _pattern(word: str) -> str:
    """Return a pattern for a part of a word, or, for one or two letters, for a whole word.

    Single letters are the names of keys, and occur in nearly every word.
    """
    pattern = re.escape(word)
    return rf"\b{pattern}\b" if len(word) < 3 and word.isalnum() else pattern


def _mark(html: str, pattern: re.Pattern[str]) -> str:
    """Return our own HTML with <mark> around each match in its text."""
    parts = _TAG.split(html)
    for index in range(0, len(parts), 2):  # the others are tags
        pieces: list[str] = [escape(piece) for piece in pattern.split(unescape(parts[index]))]
        pieces[1::2] = [f"<mark>{piece}</mark>" for piece in pieces[1::2]]
        parts[index] = "".join(pieces)
    return mark_safe("".join(parts))
