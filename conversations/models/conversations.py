"""Conversations, and the installation that they are in."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chatty.common.folded_names import Folded, FoldedColumn
from conversations import limits, permissions


def new_epoch() -> str:
    return secrets.token_urlsafe(12)


class Instance(models.Model):
    """The single row about this installation.

    `epoch` identifies the history that positions refer to. After restoring a backup it is changed
    (`manage.py new_epoch`), so that clients discard positions that may be ahead of the restored rows.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.CharField(max_length=32, default=new_epoch)
    # Fingerprint of SECRET_KEY, see chatty/ops/databases.py; "" until the first start.
    secret_fingerprint = models.CharField(max_length=120, default="", blank=True)
    # /readyz writes this to check that the database is writable.
    probed_at = models.DateTimeField(null=True, blank=True)
    # The public conversation that new people join.
    welcome = models.ForeignKey(
        "Conversation", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="instance_is_one_row")]

    def __str__(self) -> str:
        return self.epoch


class Audience(models.TextChoices):
    """Who of the members can do something: the value of a setting in the permission table."""

    EVERYONE = permissions.EVERYONE, _("everyone")
    ADMINS = permissions.ONLY_ADMINS, _("admins only")


AUDIENCES = ("everyone", "admins")


def _audience(default: str) -> Any:
    return models.CharField(max_length=8, choices=Audience, default=default, db_default=default)


class Conversation(Folded):
    class Kind(models.TextChoices):
        GROUP = "group", _("group")
        DIRECT = "direct", _("direct")

    class Access(models.TextChoices):
        OPEN = "open", _("public: anyone here can join")
        CLOSED = "closed", _("private: members only")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.GROUP)
    access = models.CharField(_("access"), max_length=8, choices=Access, default=Access.CLOSED)
    name = models.CharField(_("name"), max_length=limits.NAME_MAX, blank=True)
    topic = models.CharField(_("topic"), max_length=limits.TOPIC_MAX, blank=True)
    folded_name = FoldedColumn()
    folded_topic = FoldedColumn()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("created by"),
    )
    created_at = models.DateTimeField(_("created"))
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)
    # Set in the transaction that deletes it for everyone; its rows are removed in batches afterwards.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seq = models.PositiveBigIntegerField(default=0, editable=False)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    last_text_at = models.DateTimeField(
        _("last message"), editable=False
    )  # the sidebar is sorted by this
    # "3-8": the two user ids of a direct message, lower first. Unique, so that two people who start
    # one at the same moment get the same conversation.
    direct_key = models.CharField(max_length=48, null=True, unique=True, editable=False)
    # Hash of the ids of those a group was opened for: see actions.open_with(). NULL once others are in it.
    people_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    # Settings that restrict members (permissions.py). The defaults are in the database too, because during
    # an upgrade processes of the previous version still insert rows.
    posting = _audience("everyone")
    adding = _audience("admins")
    inviting = _audience("admins")
    renaming = _audience("admins")
    mentioning_all = _audience("everyone")
    pinning = _audience("everyone")
    slow_mode = models.PositiveIntegerField(default=0, db_default=0)  # seconds between two messages

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="group", direct_key=None) & (~Q(name="") | Q(access="closed"))
                | Q(kind="direct", access="closed", name="", topic="", archived_at=None),
                name="conversation_kind_and_name",
            ),
            models.CheckConstraint(
                condition=Q(access__in=["open", "closed"]), name="conversation_access_known"
            ),
            models.CheckConstraint(
                condition=Q(version__gte=F("last_seq")), name="conversation_version_not_below_seq"
            ),
            models.CheckConstraint(
                condition=Q(posting__in=AUDIENCES, adding__in=AUDIENCES)
                & Q(inviting__in=AUDIENCES, renaming__in=AUDIENCES),
                name="conversation_audiences_known",
            ),
            models.CheckConstraint(
                condition=Q(mentioning_all__in=AUDIENCES), name="conversation_mentioning_all_known"
            ),
            models.CheckConstraint(
                condition=Q(pinning__in=AUDIENCES), name="conversation_pinning_known"
            ),
        ]
        indexes = [
            # Browsing: public groups by name.
            models.Index(
                fields=["folded_name", "id"],
                condition=Q(access="open", archived_at=None, deleted_at=None),
                name="conversation_browse",
            ),
            # Finds deleted conversations whose rows are not removed yet, including after a crash.
            models.Index(
                fields=["id"], condition=Q(deleted_at__isnull=False), name="conversation_to_purge"
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"

    @property
    def name_for_outsiders(self) -> str:
        """What people who are not members are shown, such as in an invitation. For members, a group without a
        name is titled by the names of the others: see queries/titles.py."""
        return self.name or gettext("Unnamed group")

    @property
    def is_direct(self) -> bool:
        return self.kind == self.Kind.DIRECT

    @property
    def is_open(self) -> bool:
        return self.access == self.Access.OPEN

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None
