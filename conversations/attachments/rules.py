"""Who can send files, and how much."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.statements import fetch_rows
from conversations import permissions
from conversations.attachments import limits
from conversations.attachments.models import File
from conversations.models import Instance
from conversations.permissions import Action, Grant

SEND_FILES = Action(
    "send-files",
    "Send files with a message",
    (Grant(permissions.MEMBERS),),
    setting="posting",
    is_word=False,
)

MEGABYTE = 1024 * 1024
_UNFINISHED = _("You’ve started too many uploads. Send or cancel some of them first.")


def used_by(user: User) -> int:
    """Return the bytes of a person's files, with those that are still arriving."""
    return _count(f"{_SIZE} AND owner_id = %s", user.pk)


def used_in_total() -> int:
    return _count(_SIZE)


_COUNTED = f"FROM {File._meta.db_table} WHERE removed_at IS NULL"
_SIZE = f"SELECT SUM(size) {_COUNTED}"
_UNCLAIMED = f"SELECT COUNT(*) {_COUNTED} AND message_id IS NULL AND owner_id = %s"


def _count(sql: str, *parameters: int) -> int:
    return int(fetch_rows(sql, parameters)[0][0] or 0)


def require_room(user: User, size: int) -> None:
    """Raises ChatError("quota_reached" | "storage_full" | "too_many") if the person can't upload this much.

    Their row must be locked, so that two uploads can't use the same room.
    """
    if _count(_UNCLAIMED, user.pk) >= limits.UNFINISHED_MAX:
        raise ChatError("too_many", _UNFINISHED)
    own, total = settings.FILES_PERSON_MB, settings.FILES_TOTAL_MB
    if own and used_by(user) + size > own * MEGABYTE:
        raise ChatError("quota_reached")
    if total:
        # One upload at a time, of all people. Those that are committed while this waits count.
        Instance.objects.select_for_update(no_key=True).get_or_create(pk=1)
        if used_in_total() + size > total * MEGABYTE:
            raise ChatError("storage_full")
