"""Addresses with which people can ask to join a group, and their requests."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from conversations import limits
from conversations.models import Conversation

NOTE_MAX = 500


class JoinLink(models.Model):
    """The address with which people can ask to join a group. A group has one at most; a new one replaces it.

    The token in it is derived from `nonce` and the secret key, so members can see the address again, and
    a copy of the database does not contain it. See links.py.
    """

    conversation = models.OneToOneField(
        Conversation, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    nonce = models.CharField(max_length=32, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return f"{self.conversation_id}"


class JoinRequest(models.Model):
    """Someone asks to join a group. The row is removed when they become a member."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DECLINED = "declined", _("Declined")
        BLOCKED = "blocked", _("Declined, and can’t ask again")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Of the conversation when they asked: people who were declined must not follow how it is renamed.
    name = models.CharField(max_length=limits.NAME_MAX, blank=True, default="", db_default="")
    note = models.TextField(max_length=NOTE_MAX, blank=True, default="")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "user"], name="join_request_once"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "declined", "blocked"]),
                name="join_request_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["conversation", "state", "id"], name="join_request_by_state")
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state} {self.conversation_id}"

    @property
    def conversation_name(self) -> str:
        """Its name when they asked. During an upgrade, processes of the previous version don't store it."""
        return self.name or self.conversation.name_for_outsiders
