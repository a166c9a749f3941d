"""A server of a trial: as usual, with the reader of reader.py, and with a deliberate bug if one is named.

python -m proof.server NAME manage.py serve ...
python -m proof.server none manage.py serve ...
"""

from __future__ import annotations

import sys


def main() -> None:
    name, *arguments = sys.argv[1:]
    import django

    django.setup()
    from proof import reader, sabotage

    reader.register()
    if name != "none":
        sabotage.BY_NAME[name]()
    if arguments[0] == "manage.py":
        from django.core.management import execute_from_command_line

        execute_from_command_line(arguments)
    else:
        from daphne.cli import CommandLineInterface

        CommandLineInterface().run(arguments[2:])  # after: -m daphne


if __name__ == "__main__":
    main()
