"""What a serving process does differently with its database than a command does."""

from __future__ import annotations

from django.conf import settings
from django.db import connections


def bound_queries() -> None:
    """Sets PostgreSQL's time-outs for this process. Call before its first query.

    Serving processes only: a migration or a backup may take its time. One statement that hangs would
    otherwise hold a thread, a connection and maybe a lock that everybody waits for.
    """
    for alias in connections:
        config = connections.settings[alias]
        if "postgresql" not in config["ENGINE"]:
            continue
        milliseconds = round(settings.STATEMENT_SECONDS * 1000)
        limits = {
            "statement_timeout": milliseconds,
            "lock_timeout": round(milliseconds * 0.6),
            "idle_in_transaction_session_timeout": milliseconds * 2,
        }
        said = " ".join(f"-c {name}={value}" for name, value in limits.items())
        options = config["OPTIONS"]
        if said not in options.get("options", ""):
            options["options"] = f"{options.get('options', '')} {said}".strip()
