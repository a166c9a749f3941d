"""The entrances of background work, see tests/entrances.py."""

from __future__ import annotations

from tests.entrances import Entrance, of_admin

ENTRANCES = [
    *of_admin("jobs_job", "jobs_delivery", "jobs_destination"),
    *(
        Entrance("admin-action", f"jobs_{name}.try_again", "administer")
        for name in ("job", "delivery", "destination")
    ),
]
