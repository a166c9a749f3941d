"""Conversations, memberships and messages, with the invariants that the database enforces.

Two numbers order everything. `seq` numbers the messages of a conversation: 1, 2, 3, without gaps, never
reused. `version` counts the changes in a conversation: every change (a new message, an edit, a
deletion, a reaction, a notice) takes the next number and stores it on the message it changed. Both
counters are columns of the conversation row, which every writing transaction locks first. Numbers are
therefore allocated in the order of the commits, and "what changed after version V" never misses a row.

Models publish no events: only `actions` writes and publishes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
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
    # Set in the transaction that deletes it for everyone; its rows are removed in batches afterwards.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seq = models.PositiveBigIntegerField(default=0, editable=False)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    last_text_at = models.DateTimeField(editable=False)  # the sidebar is sorted by this
    # "3-8": the two user ids of a direct message, lower first. Unique, so that two people who start
    # one at the same moment get the same conversation.
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
            # Browsing: public groups by name.
            models.Index(
                fields=["name", "id"],
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
    # Added by someone else and not opened yet. These have their own limits, so that being added never
    # uses up the limit for conversations that people create and join themselves. The default is in the
    # database too, because during an upgrade processes of the previous version still insert rows.
    unopened = models.BooleanField(default=False, db_default=False)
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


class Message(models.Model):
    """One entry of a conversation: a message from a person, or a notice (a system message)."""

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
    # Of a notice: the person who did it; NULL if Chatty itself did.
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    # Idempotency key, generated by the client for each message. Unique per author and kept permanently,
    # so sending a message again creates no second row, through any API. NULL for notices.
    key = models.CharField(max_length=64, null=True)
    # Keyed hash of what was first sent with the key; NULL (of a deleted message) matches anything.
    fingerprint = models.BinaryField(max_length=16, null=True)
    body = models.TextField(blank=True)  # Markdown, as written
    html = models.TextField(blank=True)  # rendered and sanitised once, when the message is stored
    # One line of its text, for quotes; NULL for notices and for messages older than this column. Use
    # wire.excerpt(), which derives those.
    excerpt = models.CharField(max_length=limits.EXCERPT_MAX, null=True, editable=False)
    # markdown.VERSION that rendered it; NULL for notices and for messages older than this column.
    # Stored HTML stays valid when the version is raised.
    renderer = models.PositiveSmallIntegerField(null=True, editable=False)
    data = models.JSONField(null=True)  # notices only: see notices.py
    # Ids of the mentioned members, looked up when the text was stored; NULL if there are none.
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
            # Nearly always empty: see purge_excerpts() in actions/deletion.py. 3: markdown.EXCERPTS_SINCE.
            models.Index(
                fields=["id"],
                condition=Q(excerpt__gt="") & (Q(renderer__lt=3) | Q(deleted_at__isnull=False)),
                name="message_former_excerpt",
            ),
            # Unread counts: undeleted messages after a seq, with their authors.
            models.Index(
                fields=["conversation", "seq", "author"],
                condition=Q(kind="text", deleted_at=None),
                name="message_living_text",
            ),
            # Unread mentions.
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
        """(emoji, user id) of each reaction, oldest first. A query, unless queries/messages.py read it."""
        rows = Reaction.objects.filter(message=self).order_by("pk")
        return list(rows.values_list("emoji", "user_id"))

    @cached_property
    def reactors(self) -> Mapping[int, str]:
        """User id -> name of people who reacted. A query, unless queries/messages.py has read it."""
        return dict(self.reactions.values_list("user_id", "user__name"))


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
    """An audit record: an administrator viewed a private conversation, and gave a reason.

    Never changed and never deleted, not even with the conversation. Therefore there is no foreign key
    constraint, and the conversation's title at the time is stored with it.
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
            raise TypeError("A Reveal can't be changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("A Reveal can't be deleted.")
