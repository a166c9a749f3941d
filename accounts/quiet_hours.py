"""The hours of each day in which someone gets no notifications. Pure.

static/js/views/quiet_hours.js has the same rule, for the browser that would notify.
"""

from __future__ import annotations

import re
from datetime import datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

_CLOCK = re.compile("(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def is_clock(text: str) -> bool:
    """Whether this is a time of the day, such as "08:00"."""
    return bool(_CLOCK.fullmatch(text))


class QuietHours(msgspec.Struct, frozen=True):
    """Each day from `start` up to `end`, also past midnight, by the clocks of a time zone."""

    start: Annotated[str, msgspec.Meta(description="Such as `22:00`.")]
    end: Annotated[str, msgspec.Meta(description="Such as `08:00`.")]
    zone: Annotated[str, msgspec.Meta(description="The time zone.")]

    def include(self, moment: datetime) -> bool:
        # What a clock on the wall shows. So an hour that clocks skip has no quiet part, and of one that they
        # repeat, the same part is quiet both times.
        now = f"{moment.astimezone(ZoneInfo(self.zone)):%H:%M}"
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    @property
    def until(self) -> time:
        return time.fromisoformat(self.end)
