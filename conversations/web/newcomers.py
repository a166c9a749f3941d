"""What people who joined lately see in addition: a card in the conversation that new people join, and whom
they could talk to, below the list of conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.current_user import current_user
from accounts.installation import installation_settings
from accounts.models import User
from chatty.common.pages import SeeOther
from chatty.common.text import fold_loosely
from conversations import queries
from conversations.models import Conversation, Membership, Message
from conversations.realtime.presence import online_users
from conversations.web.layout import get_sidebar
from conversations.web.signed_in import member_view
from conversations.web.timeline import Day, Entry, Notice
from conversations.wire import ConversationOut

NEW_FOR = timedelta(days=7)
COOKIE = "newcomer"  # the id of the account that has hidden it


@dataclass(frozen=True, slots=True)
class Newcomer:
    """`above`: how many entries of the page are above the card; None if it is at the beginning of the
    conversation, in place of the introduction. `has_written`: on this page, which needs no query. `welcome`:
    the administrator's words. `place`: the name of the installation. Both are "" if there are none."""

    above: int | None
    has_written: bool
    welcome: str
    place: str


def find_newcomer(
    request: HttpRequest,
    membership: Membership,
    messages: Sequence[Message],
    entries: Sequence[Entry],
    *,
    has_older: bool,
) -> Newcomer | None:
    """Return the card for this page, None if it has none."""
    user = current_user(request)
    if not _is_new(user) or queries.kept_welcome() != membership.conversation_id:
        return None
    if request.COOKIES.get(COOKIE) == str(user.pk):
        return None
    above = _entries_above(user, messages, entries)
    at_beginning = above is None or (above == 0 and not has_older)
    has_written = any(
        each.author_id == user.pk and each.is_text and not each.is_deleted for each in messages
    )
    chosen = installation_settings()
    return Newcomer(
        above=None if at_beginning else above,
        has_written=has_written,
        welcome=chosen.welcome,
        place=chosen.name,
    )


def _is_new(user: User) -> bool:
    return timezone.now() - user.date_joined < NEW_FOR


def _entries_above(user: User, messages: Sequence[Message], entries: Sequence[Entry]) -> int | None:
    """Return how many entries come before the notice that the person joined, with the heading of its day and
    the run of notices it is in. None if that notice isn't on the page."""
    arrivals = (
        each.seq
        for each in messages
        if each.author_id == user.pk and each.kind == Message.Kind.JOINED
    )
    seq = max(arrivals, default=None)
    if seq is None:
        return None
    index = next(n for n, each in enumerate(entries) if getattr(each, "seq", None) == seq)
    while isinstance(entry := entries[index], Notice) and entry.is_folded:
        index -= 1
    return index - isinstance(entries[index - 1], Day) if index else index


@dataclass(frozen=True, slots=True)
class SomeoneToTalkTo:
    person: User
    is_online: bool


def find_people_to_talk_to(request: HttpRequest) -> list[SomeoneToTalkTo]:
    """Return whom a newcomer could message, until there is a direct message with someone.

    By name: these are the people seen last, and the order of that would tell everyone who joins who used
    Chatty when, which nothing else shows.
    """
    user = current_user(request)
    rows = get_sidebar(request).rows
    if not _is_new(user) or any(is_with_others(row.conversation, user.pk) for row in rows):
        return []
    people = queries.kept_people_seen_last(user)
    people.sort(key=lambda person: (fold_loosely(person.name), person.pk))
    online = online_users([person.pk for person in people])
    if online:
        peers = queries.presence_peers([user.pk], most=settings.PRESENCE_MEMBERS)
        online &= {other for _user, other in peers}
    return [SomeoneToTalkTo(person, person.pk in online) for person in people]


def is_with_others(conversation: ConversationOut, reader_id: int) -> bool:
    """Whether it is a direct message, to one or several people. Not notes to oneself.

    isWithOthers() in static/js/views/people_to_talk_to.js is the same: tests/golden/with_others.json.
    """
    is_direct = conversation.kind == Conversation.Kind.DIRECT or conversation.unnamed
    return is_direct and (conversation.other is None or conversation.other.id != reader_id)


@member_view("POST")
def hide(request: HttpRequest) -> HttpResponse:
    """Don't show the card again in this browser. Not for the account: notifications are turned on for each
    browser, and the card is shown for a week at most."""
    welcome = queries.kept_welcome()
    to = reverse("conversations:conversation", args=[welcome]) if welcome else "/"
    response = SeeOther(to)
    response.set_cookie(
        COOKIE,
        str(current_user(request).pk),
        max_age=NEW_FOR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
    return response
