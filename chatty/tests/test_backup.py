import subprocess

import pytest
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.conninfo import conninfo_to_dict

from chatty.conf import env
from chatty.management.commands import backup


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://chatty@/chat?host=/run/db&port=5433",
            {"dbname": "chat", "user": "chatty", "host": "/run/db", "port": "5433"},
        ),
        (
            "postgres://chatty:pa%27ss@db.example.org:5433/chat?sslmode=verify-full",
            {
                "dbname": "chat", "user": "chatty", "host": "db.example.org", "port": "5433",
                "sslmode": "verify-full",
            },
        ),
    ],
    ids=["socket", "network"],
)  # fmt: skip
def test_pg_dump_connects_with_all_parameters_of_the_url(monkeypatch, tmp_path, url, expected):
    monkeypatch.setenv("DATABASE_URL", url)
    config = {
        **env.get_database(tmp_path),
        "AUTOCOMMIT": True,
        "TIME_ZONE": None,
        "CONN_MAX_AGE": 0,
    }
    monkeypatch.setattr(backup, "connection", DatabaseWrapper(config))
    calls = []

    def run(command, *, env, **options):
        calls.append((command, env))
        return subprocess.CompletedProcess(command, 0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    backup.copy_postgres(tmp_path / "chatty")
    ((command, environment),) = calls
    (target,) = [word for word in command if word.startswith("--dbname=")]
    used = conninfo_to_dict(target.removeprefix("--dbname="))
    assert used.items() >= expected.items()
    assert "password" not in used
    assert environment.get("PGPASSWORD") == ("pa'ss" if "ss@" in url else None)
