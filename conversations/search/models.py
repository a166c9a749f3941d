"""What the index knows about itself. Its entries are in a table of storage.py."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class IndexKey(models.Model):
    """A key that entries of the index were written with; see keys.py."""

    check_value = models.CharField(max_length=16, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.check_value


class IndexState(models.Model):
    """The single row about the index.

    `rebuilt_to`: the message up to which entries were written again, NULL if that is not being done.
    `rebuild_key`: the check of the key with which. `leftovers`: the file has hashes of deleted entries, which
    SQLite keeps until segments are merged. `merging`: that has begun.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    rebuilt_to = models.BigIntegerField(null=True)
    rebuild_key = models.CharField(max_length=16, default="", blank=True)
    leftovers = models.BooleanField(default=False)
    merging = models.BooleanField(default=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="search_state_is_one_row")]

    def __str__(self) -> str:
        return "state of the search index"
