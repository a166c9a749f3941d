"""The rows of what is said, and the promises the database keeps about them.

Two numbers order everything. `seq` is a message's place in its conversation: 1, 2, 3, no holes, never
reused. `version` is the conversation's clock: every change (a new message, an edit, a deletion, a
reaction, a notice) takes the next number and stamps it on the row it changed. Both counters stand on
the conversation row, which each writing transaction locks first; so the order of allocation is the
order of commit, and "what changed after version V" can never miss a row.

Nothing here announces anything: `actions` writes and tells.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from conversations import limits


def new_epoch() -> str:
    return secrets.token_urlsafe(12)


class Instance(models.Model):
    """The one row about this installation.

    `epoch` tells clients whose numbers they hold: restoring a backup changes it (`new_epoch`), and
    everybody's positions, which may lie ahead of the restored rows, are thrown away.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    epoch = models.CharField(max_length=32, default=new_epoch)
    # Of the secret in use, see chatty/ops/databases.py; "" until the first start.
    secret_fingerprint = models.CharField(max_length=120, default="", blank=True)
    # Written by /readyz to see whether the database can be written.
    probed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="instance_is_one_row")]

    def __str__(self) -> str:
        return self.epoch


class Conversation(models.Model):
    class Kind(models.TextChoices):
        GROUP = "group", _("group")
        DIRECT = "direct", _("direct")

    class Access(models.TextChoices):
        OPEN = "open", _("public: anyone here can join")
        CLOSED = "closed", _("private: members only")

    kind = models.CharField(max_length=8, choices=Kind, default=Kind.GROUP)
    access = models.CharField(max_length=8, choices=Access, default=Access.CLOSED)
    name = models.CharField(max_length=limits.NAME_MAX, blank=True)
    topic = models.CharField(max_length=limits.TOPIC_MAX, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)
    # Set in the transaction that ends it for everybody; the rows then go in batches.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seq = models.PositiveBigIntegerField(default=0, editable=False)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    last_text_at = models.DateTimeField(editable=False)  # order of the sidebar
    # "3-8": the two user ids of a direct conversation, lower first; unique, so two people who open
    # one at the same moment get the same one.
    direct_key = models.CharField(max_length=48, null=True, unique=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="group", direct_key=None) & ~Q(name="")
                | Q(kind="direct", access="closed", name="", topic="", archived_at=None),
                name="conversation_kind_and_name",
            ),
            models.CheckConstraint(
                condition=Q(access__in=["open", "closed"]), name="conversation_access_known"
            ),
            models.CheckConstraint(
                condition=Q(version__gte=F("last_seq")), name="conversation_version_not_below_seq"
            ),
        ]
        indexes = [
            # Browsing: open groups by name.
            models.Index(
                fields=["name", "id"],
                condition=Q(access="open", archived_at=None, deleted_at=None),
                name="conversation_browse",
            ),
            # What a crash in the middle of a deletion left behind.
            models.Index(
                fields=["id"], condition=Q(deleted_at__isnull=False), name="conversation_to_purge"
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"

    @property
    def is_direct(self) -> bool:
        return self.kind == self.Kind.DIRECT

    @property
    def is_open(self) -> bool:
        return self.access == self.Access.OPEN

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None


class Membership(models.Model):
    class Role(models.TextChoices):
        OWNER = "owner", _("owner")
        ADMIN = "admin", _("admin")
        MEMBER = "member", _("member")

    class Level(models.TextChoices):
        ALL = "all", _("all messages")
        MENTIONS = "mentions", _("mentions only")
        NOTHING = "nothing", _("nothing")

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
    # Added by someone else and not opened yet. These have limits of their own, so that being added
    # never uses up the room for what people open and join themselves. The database has the default
    # too: a process of an older version may still be inserting rows during an upgrade.
    unopened = models.BooleanField(default=False, db_default=False)

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
    """Someone was removed from a group: they cannot join it again until someone lets them.

    Adding them back deletes the row, and so does allowing them to join. Leaving creates none.
    """

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="removals"
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    # NULL when the installation itself did it.
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


class Message(models.Model):
    """One entry of a conversation's log: words of a person, or a notice of what happened to it."""

    class Kind(models.TextChoices):
        TEXT = "text", _("text")
        CREATED = "created", _("conversation created")
        JOINED = "joined", _("joined")
        LEFT = "left", _("left")
        ADDED = "added", _("added")
        REMOVED = "removed", _("removed")
        ROLE = "role", _("role changed")
        RENAMED = "renamed", _("renamed")
        TOPIC = "topic", _("topic changed")
        ACCESS = "access", _("access changed")
        ARCHIVED = "archived", _("archived")
        UNARCHIVED = "unarchived", _("unarchived")

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages"
    )
    seq = models.PositiveBigIntegerField()
    version = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.TEXT)
    # Of a notice: whoever did it; NULL when the installation itself did.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    # Made by the client, one per message it means to send. Unique per author, for ever: however
    # often and by whatever door it is sent again, there is one row. NULL for notices.
    key = models.CharField(max_length=64, null=True)
    # Keyed hash of what was first sent under the key; NULL (deleted) matches anything.
    fingerprint = models.BinaryField(max_length=16, null=True)
    body = models.TextField(blank=True)  # Markdown, as written
    html = models.TextField(blank=True)  # rendered and sanitised once, when written
    # markdown.VERSION of then; NULL by a renderer older than this column, and of notices. What is
    # stored stays valid when it rises.
    renderer = models.PositiveSmallIntegerField(null=True, editable=False)
    data = models.JSONField(null=True)  # of a notice: see notices.py
    # Ids of the members whom the words call by name, found when they were written; NULL for nobody.
    mentions = models.JSONField(null=True)
    reply_to = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="replies"
    )
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            models.UniqueConstraint(
                fields=["conversation", "version"], name="message_version_once"
            ),
            models.UniqueConstraint(fields=["author", "key"], name="message_key_once"),
            models.CheckConstraint(
                condition=Q(kind="text", author__isnull=False, key__isnull=False)
                | ~Q(kind="text") & Q(key=None, body="", reply_to=None),
                name="message_text_or_notice",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | Q(body="", html="", fingerprint=None),
                name="message_deleted_is_empty",
            ),
            models.CheckConstraint(
                condition=Q(version__gte=F("seq"), seq__gte=1), name="message_version_not_below_seq"
            ),
        ]
        indexes = [
            # Unread counts: living words after a place, and whose they are.
            models.Index(
                fields=["conversation", "seq", "author"],
                condition=Q(kind="text", deleted_at=None),
                name="message_living_text",
            ),
            # Unread words that call somebody.
            models.Index(
                fields=["conversation", "seq"],
                condition=Q(mentions__isnull=False),
                name="message_with_mentions",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.conversation_id}/{self.seq}"

    @property
    def is_text(self) -> bool:
        return self.kind == self.Kind.TEXT

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @cached_property
    def reacted(self) -> list[tuple[str, int]]:
        """(emoji, user id) of each reaction, the first first. One query; queries.read() asks once for
        many messages."""
        rows = Reaction.objects.filter(message=self).order_by("pk")
        return list(rows.values_list("emoji", "user_id"))


class Reaction(models.Model):
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reactions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    emoji = models.CharField(max_length=limits.EMOJI_MAX)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["message", "user", "emoji"], name="reaction_once"),
        ]

    def __str__(self) -> str:
        return self.emoji


class Reveal(models.Model):
    """A person of the staff looked into a closed or direct conversation, and said why.

    Written once, never changed, kept for ever: also when the conversation is deleted for good. So
    nothing in the database ties it to that row, and what it was called then is written beside it.
    """

    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("viewed by"),
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        verbose_name=_("conversation"),
    )
    title = models.CharField(_("name at the time"), max_length=limits.REVEAL_TITLE_MAX)
    reason = models.CharField(_("reason"), max_length=limits.REASON_MAX)
    at = models.DateTimeField(_("when"))

    class Meta:
        verbose_name = _("conversation view")
        verbose_name_plural = _("conversation views")
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="reveal_has_a_reason"),
        ]
        indexes = [
            models.Index(fields=["staff", "conversation", "at"], name="reveal_of_staff"),
        ]

    def __str__(self) -> str:
        return f"{self.title} (#{self.conversation_id})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A look into a conversation is written once.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("A look into a conversation stays on record.")
