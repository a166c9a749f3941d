from __future__ import annotations

import secrets
from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatty.jobs.work import ERROR_MAX, Work

NAME_MAX = 60
DESTINATION_MAX = 255  # characters, enough for a host name


def new_reference() -> str:
    return secrets.token_hex(16)


class Job(Work):
    """Something to do in the database, now or later. See queue.py."""

    name = models.CharField(_("name"), max_length=NAME_MAX)  # of the registered function
    # Ids and numbers, never anyone's words.
    arguments = models.JSONField(_("arguments"), default=dict, encoder=DjangoJSONEncoder)
    # At most one job with this key exists; NULL: any number.
    key = models.CharField(max_length=200, null=True, unique=True, editable=False)
    # It was asked for again while it ran, and is due again then.
    again_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [Work.due_index("job_due")]

    def __str__(self) -> str:
        return self.name


class Delivery(Work):
    """Something to send to another server: an email, for example. See deliveries.py.

    `template` and `data` say what to send, with ids and settings. Words, links and tokens are made when it
    is sent, and never stored.
    """

    # More than a day of retries: see EXPIRES_AFTER in deliveries.py.
    FAILURES_MAX: ClassVar[int] = 200

    kind = models.CharField(_("kind"), max_length=NAME_MAX)  # registered
    destination = models.CharField(_("destination"), max_length=DESTINATION_MAX)
    # Deliveries of a destination with the same ordering are sent in order of their ids. "": in any order.
    ordering = models.CharField(_("order"), max_length=NAME_MAX, default="", blank=True)
    template = models.CharField(_("template"), max_length=NAME_MAX)
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder, editable=False)
    # Identifies it for the recipient, so that a repeat can be recognised.
    reference = models.CharField(max_length=32, default=new_reference, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"))  # set aside then, if it has not been sent

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(
                fields=["destination", "due_at", "id"],
                condition=Q(set_aside_at=None),
                name="delivery_due",
            ),
            models.Index(
                fields=["destination", "ordering", "id"],
                condition=Q(set_aside_at=None) & ~Q(ordering=""),
                name="delivery_order",
            ),
            models.Index(
                fields=["expires_at"], condition=Q(set_aside_at=None), name="delivery_expires"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} #{self.pk}"


class Destination(models.Model):
    """A server that deliveries could not reach. The row goes when it can be reached again, or nothing is
    waiting for it."""

    name = models.CharField(_("destination"), max_length=DESTINATION_MAX, primary_key=True)
    failures = models.PositiveIntegerField(_("failed attempts"), default=1)  # in a row
    failed_at = models.DateTimeField(_("last failure"))
    retry_at = models.DateTimeField(_("next attempt"))
    error = models.CharField(_("last error"), max_length=ERROR_MAX)

    class Meta:
        verbose_name = _("unreachable destination")
        verbose_name_plural = _("unreachable destinations")

    def __str__(self) -> str:
        return self.name
