from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

KIND_MAX = 20
KEY_MAX = 64


class UsedKey(models.Model):
    """A key of a client, and what was created with it. Kept permanently, as those of messages are.

    Messages have their keys in a column of their own, because every message has one.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=KIND_MAX)  # of what was created, such as "conversation"
    key = models.CharField(max_length=KEY_MAX)
    fingerprint = models.BinaryField(max_length=16)  # keyed hash of what was sent with it
    created_id = models.PositiveBigIntegerField()  # may have been deleted since
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "key"], name="used_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.created_id}"
