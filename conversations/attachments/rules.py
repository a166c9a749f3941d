"""Who can send files, and how much."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
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
    return _sum(owner_id=user.pk)


def used_in_total() -> int:
    return _sum()


def _sum(**of: object) -> int:
    rows = File.objects.filter(removed_at=None, **of)
    return int(rows.aggregate(total=Sum("size"))["total"] or 0)


def require_room(user: User, size: int) -> None:
    """Raises ChatError("quota_reached" | "storage_full" | "too_many") if the person can't upload this much.

    Their row must be locked, so that two uploads can't use the same room.
    """
    unclaimed = File.objects.filter(owner=user, message=None, removed_at=None)
    if unclaimed.count() >= limits.UNFINISHED_MAX:
        raise ChatError("too_many", _UNFINISHED)
    own, total = settings.FILES_PERSON_MB, settings.FILES_TOTAL_MB
    if own and used_by(user) + size > own * MEGABYTE:
        raise ChatError("quota_reached")
    if total:
        # One upload at a time, of all people. Those that are committed while this waits count.
        Instance.objects.select_for_update(no_key=True).get_or_create(pk=1)
        if used_in_total() + size > total * MEGABYTE:
            raise ChatError("storage_full")
