"""The test database of each worker of pytest-xdist: one is migrated, see tests/templates.py, and copied.

Migrating takes two seconds of processor time, copying a hundredth of that. Emptying it with `manage.py flush`
as Django does would take longer than most tests.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings
from django.db import connection

from tests import templates

_KEPT = {"auth_permission", "django_content_type"}
# How to ignore foreign keys while rows are deleted, and how to heed them again.
_FOREIGN_KEYS = {
    "postgresql": (
        "SET session_replication_role = replica",
        "SET session_replication_role = DEFAULT",
    ),
    "sqlite": ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
}


def create_copied() -> None:
    """Create this worker's database and connect to it."""
    with templates.lock():
        if connection.vendor == "sqlite":
            _copy_sqlite(templates.migrated_sqlite())
        else:
            _copy_postgres(templates.MIGRATED_DATABASE)
    connection.ensure_connection()


def empty() -> None:
    """Delete all rows, except those that Django creates after migrating: content types and permissions."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [connection.ops.quote_name(name) for name in names if name not in _KEPT]
    with connection.cursor() as cursor:
        # Truncating an empty table on PostgreSQL takes longer than asking whether it is empty.
        parts = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables)
        cursor.execute(" UNION ALL ".join(parts))
        filled = [table for (table,) in cursor]
        if not filled:
            return
        ignore, heed = _FOREIGN_KEYS[connection.vendor]
        cursor.execute(ignore)
        try:
            for table in filled:
                cursor.execute(f"DELETE FROM {table}")
        finally:
            cursor.execute(heed)


def _copy_sqlite(template: Path) -> None:
    own = connection.settings_dict["TEST"]["NAME"]
    if not template.exists():
        _migrate(own)
        # The last connection has moved the WAL into the file.
        unfinished = template.with_suffix(".unfinished")
        shutil.copyfile(own, unfinished)
        unfinished.rename(template)
    else:
        shutil.copyfile(template, own)
    _use(own)


def _copy_postgres(template: str) -> None:
    own = connection.creation._get_test_db_name()
    quote = connection.ops.quote_name
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template])
        exists = cursor.fetchone()
    if not exists:
        _migrate(own)
    with connection._nodb_cursor() as cursor:
        new, old = (own, template) if exists else (template, own)
        cursor.execute(f"CREATE DATABASE {quote(new)} TEMPLATE {quote(old)}")
    _use(own)


def _migrate(name: str) -> None:
    connection.creation.create_test_db(verbosity=0, serialize=False)
    assert connection.settings_dict["NAME"] == name
    _close()


def _use(name: str) -> None:
    _close()
    settings.DATABASES[connection.alias]["NAME"] = connection.settings_dict["NAME"] = name


def _close() -> None:
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
