"""A server with the reader of the proof, which crashes once at a critical moment of handling a batch:

    python -m tests.fault.failing_reader MOMENT manage.py serve ...

MOMENT: after-claim, after-handling (nothing is committed yet), before-commit (the cursor is moved) or
after-commit; or never. It does not crash before arm() was called for its installation: creating a
conversation is read, too. Claims last a second.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from tests.fault.failing import die_once

MOMENTS = ("after-claim", "after-handling", "before-commit", "after-commit")
NEVER = "never"

_ARMED = "may-die"


def arm(home: Path) -> None:
    """Let the server with this data folder crash from now on."""
    (home / _ARMED).touch()


def die_once_armed() -> None:
    if (Path(os.environ["DATA_DIR"]) / _ARMED).exists():
        die_once()


def fail_at(moment: str) -> None:
    from django.db import transaction

    from conversations.changefeed import batches
    from proof import reader

    def dying_after(function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            result = function(*args, **options)
            die_once_armed()
            return result

        return call

    if moment == "after-claim":
        claim = batches.claims.claim
        batches.claims.claim = lambda *args, **options: _die_if_any(claim(*args, **options))
    elif moment == "after-handling":
        reader.handle = dying_after(reader.handle)
    elif moment == "before-commit":
        batches.move = dying_after(batches.move)
    elif moment == "after-commit":
        move = batches.move

        def moved(steps: Any) -> None:
            move(steps)
            transaction.on_commit(die_once_armed)

        batches.move = moved


def _die_if_any(rows: list[Any]) -> list[Any]:
    from conversations.changefeed.models import Cursor

    if any(isinstance(row, Cursor) for row in rows):  # jobs are claimed, too
        die_once_armed()
    return rows


def main() -> None:
    moment, *arguments = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
    import django

    django.setup()
    from django.core.management import execute_from_command_line

    from chatty.jobs import claims
    from proof import reader

    claims.claim = partial(claims.claim, lease=1.0)
    fail_at(moment)
    reader.register()
    execute_from_command_line(arguments)


if __name__ == "__main__":
    main()
