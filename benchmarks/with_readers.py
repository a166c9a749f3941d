"""A server with only some readers of the change feed, to measure what they cost.

    python -m benchmarks.with_readers NAME,NAME manage.py serve ...

"none" is no reader at all, and "idle" one that does nothing. Other names are those of Chatty's own readers.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    names, *arguments = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
    import django

    django.setup()
    from django.core.management import execute_from_command_line

    from conversations import changefeed

    kept = names.split(",")
    for reader in changefeed.registered():
        if reader.name not in kept:
            changefeed.unregister(reader.name)
    if "idle" in kept:
        changefeed.register(changefeed.Reader("idle", "beginning", lambda batch: None))
    execute_from_command_line(arguments)


if __name__ == "__main__":
    main()
