"""Dates and times, as their reader wants them: static/js/lib/times.js formats them in the same way."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import TimeFormat


def day_label(day: date, today: date) -> str:
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    # Translators: a date as Django's date formats write it, without and with the year.
    pattern = _("l j F") if day.year == today.year else _("l j F Y")
    return date_format(day, pattern)


def clock_text(at: datetime, time_format: str) -> str:
    """Return "15:38", or "3:38 pm" if someone prefers it. The former is usual in all our languages. `at`: in
    the time zone to be shown."""
    if time_format != TimeFormat.TWELVE:
        return f"{at:%H:%M}"
    return f"{at.hour % 12 or 12}:{at:%M} {'am' if at.hour < 12 else 'pm'}"


def full_text(at: datetime, time_format: str) -> str:
    """Return "23 November 2026, 15:38", in the active time zone."""
    local = timezone.localtime(at)
    return f"{date_format(local, _('j F Y'))}, {clock_text(local, time_format)}"


def short_text(at: datetime, today: date, time_format: str) -> str:
    """Return "15:38", "Yesterday", "Wed", "23 Nov" or a date with its year, in the active time zone."""
    local = timezone.localtime(at)
    days = (today - local.date()).days
    if days <= 0:
        return clock_text(local, time_format)
    if days == 1:
        return _("Yesterday")
    if days < 7:
        return date_format(local, "D")
    if days > 364:
        return _short_date(local.date())
    # Translators: day of the month, and the first three letters of the month's name.
    return _("{d} {m}").format(d=local.day, m=date_format(local, "F")[:3])


def _short_date(day: date) -> str:
    # Translators: day, month and year as numbers, in the order and with the signs of your language.
    return _("{d}/{m}/{y}").format(d=f"{day:%d}", m=f"{day:%m}", y=f"{day:%Y}")
