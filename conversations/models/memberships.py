"""Members of conversations, and people who no longer are."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.models.conversations import Conversation


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner", _("owner")
        ADMIN = "admin", _("admin")
        MEMBER = "member", _("member")

    class Level(models.TextChoices):
        ALL = "all", _("all messages")
        MENTIONS = "mentions", _("mentions only")
        NOTHING = "nothing", _("nothing")

    UNMUTED = "unmuted"  # accepted in place of a level: what it was before NOTHING

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships"
    )
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    joined_at = models.DateTimeField()
    last_read_seq = models.PositiveBigIntegerField(default=0)
    level = models.CharField(max_length=8, choices=Level, default=Level.ALL)
    # What it was before NOTHING.
    former_level = models.CharField(
        max_length=8, default=Level.ALL, db_default=Level.ALL, editable=False
    )
    favourite = models.BooleanField(default=False, db_default=False)
    # Added by someone else and not opened yet. These have their own limits, so that being added never
    # uses up the limit for conversations that people create and join themselves. The default is in the
    # database too, because during an upgrade processes of the previous version still insert rows.
    unopened = models.BooleanField(default=False, db_default=False)
    posted_at = models.DateTimeField(null=True, editable=False)  # last, in slow mode
    # Increases with every change of the read mark, the level or the role, for the change feed.
    clock = models.PositiveBigIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=Q(role__in=["owner", "admin", "member"]), name="membership_role_known"
            ),
            models.CheckConstraint(
                condition=Q(level__in=["all", "mentions", "nothing"]), name="membership_level_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.conversation_id}"

    @property
    def is_owner(self) -> bool:
        return self.role == self.Role.OWNER


class Removal(models.Model):
    """A person who was removed from a group. They can't join it again while this row exists.

    Adding them back or allowing them to join deletes the row. Leaving creates none.
    """

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="removals"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # NULL if Chatty itself removed them.
    removed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    removed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "user"], name="removal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} removed from {self.conversation_id}"


class Departure(models.Model):
    """When someone last left a group by themselves. Links that are older don't bring them back."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="departures"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    left_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "user"], name="departure_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} left {self.conversation_id}"
