from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from chatty.jobs.work import Work


class Job(Work):
    """Something to do in the database, now or later. See queue.py."""

    name = models.CharField(_("name"), max_length=60)  # of the registered function
    arguments = models.JSONField(
        _("arguments"), default=dict
    )  # ids and numbers, never anyone's words
    # At most one job with this key waits at a time; NULL: any number.
    key = models.CharField(max_length=120, null=True, unique=True, editable=False)
    # How often it was asked for, with this key. If that increases while the job runs, it runs again.
    requests = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [Work.due_index("job_due")]

    def __str__(self) -> str:
        return self.name
