"""`make golden`: write the results that the Python code has now into the files of golden cases."""

from __future__ import annotations

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.db import connection  # noqa: E402

from tests.golden import files  # noqa: E402
from tests.golden.rules import RULES  # noqa: E402


def main() -> None:
    connection.creation.create_test_db(verbosity=0)
    for name, rule in RULES.items():
        if changes := files.difference(name, rule):
            print(changes)
            files.path_of(name).write_text(files.rewritten(name, rule))


if __name__ == "__main__":
    main()
