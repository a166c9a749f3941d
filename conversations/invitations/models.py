"""Invitations, what they are for, and who accepted them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import EMAIL_MAX
from conversations.invitations import limits
from conversations.models import Conversation


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def live(self) -> InvitationQuerySet:
        """Those that are not revoked, expired or used up. rules.py has further conditions."""
        unused = Q(uses_max=None) | Q(uses__lt=F("uses_max"))
        return self.filter(unused, revoked_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    # Of the secret in the link, which is not stored: see tokens.py.
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("invited by"),
    )
    created_at = models.DateTimeField(_("created"))
    # When its current link was made. Someone who was removed from a conversation later can't use it.
    link_made_at = models.DateTimeField(_("link created"))
    expires_at = models.DateTimeField(_("expires"))
    # How many people can use it; NULL for any number.
    uses_max = models.PositiveIntegerField(_("people allowed"), null=True)
    uses = models.PositiveIntegerField(_("people joined"), default=0)
    note = models.CharField(_("note"), max_length=limits.NOTE_MAX, blank=True, default="")
    # The address that it was sent to, "" for a link that was copied.
    email = models.EmailField(_("email address"), max_length=EMAIL_MAX, blank=True, default="")
    # Whether it is for conversations, which may have been deleted since, and not only for signing up.
    has_conversations = models.BooleanField(default=False, editable=False)
    conversations = models.ManyToManyField(
        Conversation, through="Target", related_name="+", verbose_name=_("conversations")
    )
    revoked_at = models.DateTimeField(_("revoked"), null=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("revoked by"),
    )

    objects = InvitationQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints = [
            models.CheckConstraint(
                condition=Q(uses_max=None) | Q(uses__lte=F("uses_max")),
                name="invitation_uses_within_limit",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None)
                | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="invitation_revoked_by_someone",
            ),
        ]
        indexes = [
            models.Index(fields=["created_by", "-id"], name="invitation_of_person"),
            models.Index(fields=["expires_at"], name="invitation_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class Target(models.Model):
    """A conversation that an invitation is for."""

    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, related_name="targets")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["invitation", "conversation"], name="invitation_target_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invitation_id} to {self.conversation_id}"


class Acceptance(models.Model):
    """Someone came by an invitation."""

    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, related_name="acceptances")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # They created their account with it.
    signed_up = models.BooleanField()
    accepted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invitation", "user"], name="acceptance_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} by {self.invitation_id}"
