"""What is set up for tests is kept for as long as the code is the same."""

from __future__ import annotations

import fcntl

import psycopg
import pytest

from tests import templates


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(templates, "_CACHE", tmp_path)
    monkeypatch.setattr(templates, "_in_use", [])
    templates.directory.cache_clear()
    yield tmp_path
    templates.directory.cache_clear()


def test_other_code_has_other_templates(cache, monkeypatch):
    before = templates.directory()
    sources = [*templates._sources()]
    assert templates.ROOT / "conversations/migrations/0001_initial.py" in sources
    monkeypatch.setattr(templates, "_sources", lambda: sources[1:])
    templates.directory.cache_clear()
    assert templates.directory() != before


def test_unused_templates_of_other_code_are_removed(cache):
    for name in ("unused", "used"):
        (cache / name).mkdir()
        (cache / f"{name}.used").touch()
    with (cache / "used.used").open("w") as running:
        fcntl.flock(running, fcntl.LOCK_SH)
        own = templates.directory()
    names = {path.name for path in cache.iterdir()}
    assert names == {"used", "used.used", own.name, f"{own.name}.used", "lock"}


def test_installations_are_copies_of_templates(builder):
    """The tests with servers, which `make test` runs next, need both templates at once."""
    one, other = builder.sqlite(), builder.sqlite()
    (one.home / "chatty.db").unlink()
    assert "[X] 0001_initial" in other.manage("showmigrations", "accounts")
    with builder.new_postgres() as server, psycopg.connect(server.url) as connection:
        names = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    assert {templates.MIGRATED_DATABASE, "chatty_template"} <= names
