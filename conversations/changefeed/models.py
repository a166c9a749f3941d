from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatty.jobs.work import ERROR_MAX, Work

NAME_MAX = 60
CHANGE_FAILURES_MAX = 10  # attempts, then the change is set aside


class ReaderState(models.Model):
    """A reader that was seen. The row and the first cursors of a `now` reader are one transaction."""

    name = models.CharField(_("reader"), max_length=NAME_MAX, primary_key=True)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    # Administrators can stop a reader. While it is stopped, purges don't wait for it.
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("reader")
        verbose_name_plural = _("readers")

    def __str__(self) -> str:
        return self.name


class Cursor(Work):
    """How far a reader has come in one conversation, or with one membership.

    Of a conversation: the reader knows all messages up to `seq`, each in its state of `version` or later. So
    what it doesn't know are messages with a higher `seq`, and those up to `seq` with a higher `version`.
    Of a membership: the reader knows its state of clock `version`.

    No row: the reader knows nothing. There are no foreign keys, because a reader may have to learn that a
    conversation is gone when its rows are gone.
    """

    # Only reached if not even the change can be set aside.
    FAILURES_MAX: ClassVar[int] = 2 * CHANGE_FAILURES_MAX

    class Source(models.TextChoices):
        CONVERSATION = "conversation", _("conversation")
        MEMBERSHIP = "membership", _("membership")

    reader = models.CharField(_("reader"), max_length=NAME_MAX)
    source = models.CharField(_("source"), max_length=12, choices=Source)
    subject_id = models.PositiveBigIntegerField(_("ID"))
    version = models.PositiveBigIntegerField(_("version"), default=0)
    seq = models.PositiveBigIntegerField(_("number"), default=0)
    # It knows that the conversation was deleted.
    ended = models.BooleanField(default=False)
    # It doesn't know that, and the conversation's rows are gone.
    orphaned = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("cursor")
        verbose_name_plural = _("cursors")
        constraints = [
            models.UniqueConstraint(fields=["reader", "source", "subject_id"], name="cursor_once"),
            models.CheckConstraint(
                condition=~Q(ended=True, orphaned=True), name="cursor_ended_or_orphaned"
            ),
        ]
        indexes = [
            # Nearly always empty, both.
            models.Index(fields=["reader"], condition=Q(orphaned=True), name="cursor_orphaned"),
            models.Index(
                fields=["reader"], condition=Q(set_aside_at__isnull=False), name="cursor_set_aside"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reader}: {self.source} {self.subject_id}"


class SetAsideChange(models.Model):
    """A change that a reader failed to handle too often, so that it went on without it."""

    reader = models.CharField(_("reader"), max_length=NAME_MAX)
    conversation_id = models.PositiveBigIntegerField(_("conversation"))
    # One of these, or neither: the deletion of the conversation.
    message_id = models.PositiveBigIntegerField(_("message"), null=True)
    membership_id = models.PositiveBigIntegerField(_("membership"), null=True)
    created = models.BooleanField(default=False)  # the message was new to the reader
    error = models.CharField(_("error"), max_length=ERROR_MAX)
    at = models.DateTimeField(_("set aside"), default=timezone.now)

    class Meta:
        verbose_name = _("change set aside")
        verbose_name_plural = _("changes set aside")
        indexes = [models.Index(fields=["reader", "conversation_id"], name="set_aside_of_reader")]

    def __str__(self) -> str:
        return f"{self.reader}: {self.conversation_id}/{self.message_id}"
