"""Presence and read receipts on the page of a conversation.

The scripts show the same information (static/js/chat/presence.js, static/js/views/presence.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from conversations import queries
from conversations.models import Membership, Message
from conversations.realtime.presence import online_users
from conversations.web.avatars import small_avatar_of
from conversations.web.page_data import Participant
from conversations.web.timeline import Entry, MessageRow, ReadReceipt, join_names

FACES_SHOWN = 4
NAMES_SHOWN = 3  # in a read receipt; if there are more people, two names and a number


@dataclass(frozen=True, slots=True)
class Participants:
    """The participants of a conversation.

    `others`: the other active members, by name; None if the conversation is too large for presence.
    `members_count`: the number of all members.
    """

    others: list[Membership] | None
    online: set[int]
    members_count: int
    is_direct: bool


def load_participants(membership: Membership) -> Participants:
    """Return the participants as a member sees them. One query, two for large conversations."""
    conversation = membership.conversation
    members = queries.members_if_small(conversation)
    if members is None:
        count = Membership.objects.filter(conversation=conversation).count()
        return Participants(None, set(), count, conversation.is_direct)
    others = [m for m in members if m.user_id != membership.user_id and m.user.is_active]
    online = online_users([other.user_id for other in others])
    return Participants(others, online, len(members), conversation.is_direct)


@dataclass(frozen=True, slots=True)
class OnlineSummary:
    """Who is online, for the header of a page. `count` excludes the reader; `text` and
    `names` include them."""

    count: int
    text: str
    names: str


def online_summary(participants: Participants) -> OnlineSummary:
    names = [
        other.user.name
        for other in participants.others or ()
        if other.user_id in participants.online
    ]
    count = len(names) + 1
    text = ngettext("%(count)d online", "%(count)d online", count) % {"count": count}
    return OnlineSummary(
        len(names), text, _("Online: %(names)s") % {"names": ", ".join([*names, _("You")])}
    )


def last_own_message(entries: Sequence[Entry]) -> MessageRow | None:
    """Return the reader's last message that is not deleted."""
    own = (
        e for e in reversed(entries) if isinstance(e, MessageRow) and e.is_own and not e.is_deleted
    )
    return next(own, None)


def read_receipt(participants: Participants, message: Message) -> ReadReceipt | None:
    """Return the read receipt of the reader's last message; None if there are no others, or too many."""
    if not participants.others:
        return None
    readers = [
        other
        for other in participants.others
        # People who joined later start with a newer read mark, which doesn't mean that they saw it.
        if other.last_read_seq >= message.seq and other.joined_at <= message.created_at
    ]
    names = [reader.user.name for reader in readers]
    shown = min(len(readers), FACES_SHOWN)
    faces = [small_avatar_of(reader.user) for reader in readers[:shown]]
    more = len(readers) - shown
    return ReadReceipt(_receipt_text(participants, names), ", ".join(names), faces, more)


def _receipt_text(participants: Participants, names: list[str]) -> str:
    if not names:
        return ""
    if participants.is_direct:
        return _("Seen")
    if participants.others and len(names) == len(participants.others) > 1:
        return _("Seen by everyone")
    shown, more = names, len(names) - NAMES_SHOWN + 1
    if more > 1:
        rest = ngettext("%(count)d more", "%(count)d more", more) % {"count": more}
        shown = [*names[: NAMES_SHOWN - 1], rest]
    return _("Seen by %(names)s") % {"names": join_names(shown)}


def participants_data(participants: Participants, last: Message | None) -> list[Participant] | None:
    """Return the others for scripts."""
    if participants.others is None:
        return None
    return [
        Participant(
            id=other.user_id,
            name=other.user.name,
            hue=other.user.hue,
            seq=other.last_read_seq,
            since=last.seq if last and other.joined_at > last.created_at else 0,
            online=other.user_id in participants.online,
        )
        for other in participants.others
    ]
