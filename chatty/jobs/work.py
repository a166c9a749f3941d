"""The columns of everything that processes claim."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ERROR_MAX = 500  # characters of a stored error


class Work(models.Model):
    """A row that one process at a time works on. Only claims.py changes these columns."""

    FAILURES_MAX: ClassVar[int] = 10  # attempts, then the work is set aside

    due_at = models.DateTimeField(_("due"), default=timezone.now)  # not claimed before
    # A random token of the process that has claimed it; "" if none has. Each claim has a new one.
    claim = models.CharField(max_length=16, default="", blank=True, editable=False)
    # When the claim runs out, even if the process that made it is gone. NULL if there is none.
    claimed_until = models.DateTimeField(_("claimed until"), null=True, editable=False)
    # In a row. Counted when claimed and reset when done, so that work that kills its process is counted too.
    failures = models.PositiveSmallIntegerField(_("failed attempts"), default=0)
    error = models.CharField(_("last error"), max_length=ERROR_MAX, default="", blank=True)
    # Not claimed any more, until an administrator tries it again.
    set_aside_at = models.DateTimeField(_("set aside"), null=True)

    class Meta:
        abstract = True

    @classmethod
    def due_index(cls, name: str) -> models.Index:
        return models.Index(fields=["due_at", "id"], condition=Q(set_aside_at=None), name=name)
