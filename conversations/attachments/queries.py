"""Finding files for people who can see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, Min, Q

from accounts.models import User
from chatty.common.errors import ChatError
from conversations.attachments import limits
from conversations.attachments.models import File, is_id
from conversations.models import Membership


def find_file(user: User, file_id: str) -> File:
    """Return a file that the user can see: of a message in a conversation of theirs, or an upload of their
    own that is not sent yet. One query. Raises ChatError("not_found").
    """
    if not is_id(file_id):
        raise ChatError("not_found")
    mine = Membership.objects.filter(user=user, conversation__deleted_at=None)
    # A process of the previous version deletes a message without releasing its files.
    sent = Q(conversation__in=mine.values("conversation"), message__deleted_at=None)
    visible = sent | Q(owner=user, message=None)
    file = File.objects.filter(
        visible, pk=file_id, removed_at=None, completed_at__isnull=False
    ).first()
    if file is None:
        raise ChatError("not_found")
    return file


@dataclass(frozen=True)
class FilesQuery:
    """What to list: of one kind, of one person, of the time from `since` up to `until`; after a file."""

    kind: str = ""
    person: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None  # messages with lower ids


def files_of(conversation_id: int, query: FilesQuery) -> list[File]:
    """Return files of a conversation, latest first, at most one more than a page. One query.

    Call this inside access.reading().
    """
    rows = File.objects.filter(conversation_id=conversation_id, message__deleted_at=None)
    if query.kind:
        rows = rows.filter(kind=query.kind)
    if query.person is not None:
        rows = rows.filter(owner_id=query.person)
    if query.since is not None:
        rows = rows.filter(message__created_at__gte=query.since)
    if query.until is not None:
        rows = rows.filter(message__created_at__lt=query.until)
    if query.before is not None:
        rows = rows.filter(message_id__lt=query.before)
    rows = rows.select_related("owner", "message").order_by("-message_id", "position")
    return list(rows[: limits.PAGE_SIZE + 1])


def senders_of(conversation_id: int) -> list[tuple[int, str]]:
    """Return (id, name) of everyone who has sent files there, by name without case and accents."""
    rows = User.objects.filter(
        pk__in=File.objects.filter(conversation_id=conversation_id).values("owner")
    )
    return list(rows.order_by("folded_name", "pk").values_list("pk", "name"))


def period_of(conversation_id: int) -> tuple[datetime, datetime] | None:
    """Return when the first and the last file was sent there, None if there is none. One query."""
    rows = File.objects.filter(conversation_id=conversation_id, message__deleted_at=None)
    first, last = rows.aggregate(Min("message__created_at"), Max("message__created_at")).values()
    return None if first is None else (first, last)


def largest_of(user: User) -> list[File]:
    """Return the largest files that someone has sent. One query."""
    rows = File.objects.filter(owner=user, message__isnull=False)
    return list(rows.order_by("-stored_size", "pk")[: limits.LARGEST])
