#!/usr/bin/env python
"""Chatty's command line. `manage.py help` lists the commands."""

import os
import sys

from chatty.version import __version__


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
    os.umask(0o077)  # files are readable only by this user, except collected static files
    if sys.argv[1:] in (["version"], ["--version"]):
        # Django would print its own version.
        sys.stdout.write(f"Chatty {__version__}\n")
        return
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit(
            "Django is not installed. Run `make run`, or activate the virtual environment .venv."
        )
    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        from chatty.ops import failures

        sentence = failures.explain(error)
        if sentence is None or "--traceback" in sys.argv:
            raise
        sys.exit(sentence)


if __name__ == "__main__":
    main()
