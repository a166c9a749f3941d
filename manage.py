#!/usr/bin/env python
"""Everything Chatty does from the command line: `manage.py help` lists it."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is missing. `make run` installs it, or activate the virtualenv: .venv")
    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        from chatty import failures

        sentence = failures.sentence(error)
        if sentence is None or "--traceback" in sys.argv:
            raise
        sys.exit(sentence)


if __name__ == "__main__":
    main()
