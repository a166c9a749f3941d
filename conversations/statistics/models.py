"""Counts that would take too long to compute when a page asks for them. All days and hours are in UTC."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Counted(models.Model):
    """One row: up to which message all are counted."""

    message_id = models.BigIntegerField(default=0)


class DayStatistics(models.Model):
    """Sent messages, including those that were deleted later."""

    day = models.DateField(primary_key=True)
    messages = models.PositiveIntegerField(default=0)


class ActiveDay(models.Model):
    """A day on which someone used Chatty: sent a message, or opened a page or an app."""

    day = models.DateField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "user"], name="active_day_unique"),
        ]


class HourStatistics(models.Model):
    """`online`: the most people who were connected at the same time, of several samples."""

    hour = models.DateTimeField(primary_key=True)
    online = models.PositiveIntegerField(default=0)
