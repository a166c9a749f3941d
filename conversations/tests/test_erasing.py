"""Deleted data can no longer be read in SQLite's files or in a backup."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from PIL import Image

from accounts import actions as account_actions
from accounts.models import Picture, SignIn
from chatty.jobs.tests.helpers import purge, send_waiting
from chatty.ops import databases
from chatty.sqlite import erasing
from conversations import actions
from conversations.realtime import database_log, engine
from conversations.tests.helpers import purge_deleted, say
from tests.cast import create_extra
from tests.installations import eventually

pytestmark = pytest.mark.django_db(transaction=True)

on_sqlite = pytest.mark.skipif(
    "connection.vendor != 'sqlite'", reason="PostgreSQL keeps its files by its own rules"
)

CANARY = "Zyzzogeton"
LONG = f"{CANARY} " * 360  # does not fit on one page of the database


def files() -> list[Path]:
    path = Path(connection.settings_dict["NAME"])
    return [path, path.with_name(path.name + "-wal")]


def is_on_disk(text: bytes = CANARY.encode()) -> bool:
    return any(text in path.read_bytes() for path in files() if path.exists())


def deleted_message(alice, pair):
    message = say(alice, pair, LONG)
    return lambda: actions.delete_message(alice, message.pk)


def edited_message(alice, pair):
    message = say(alice, pair, LONG)
    return lambda: actions.edit_message(alice, message.pk, "Something else")


def deleted_conversation(alice, pair):
    conversation = actions.create_conversation(alice, name=CANARY, topic=CANARY)
    for _ in range(20):
        say(alice, conversation, LONG)

    def delete():
        actions.delete_conversation(alice, conversation.pk)
        purge_deleted()

    return delete


def changed_name(alice, pair):
    account_actions.update_profile(alice, name=f"{CANARY} Smith")
    return lambda: account_actions.update_profile(alice, name="Ann Smith")


def expired_session(alice, pair):
    past = timezone.now() - timedelta(days=1)
    Session.objects.create(session_key=CANARY.lower(), session_data=LONG, expire_date=past)
    return lambda: purge("sessions")


def handled_email(alice, pair):
    account_actions.request_password_reset(
        email="a@example.org", address="203.0.113.1", site=f"https://{CANARY}"
    )
    return send_waiting


def sign_in_long_over(alice, pair):
    past = timezone.now() - timedelta(days=31)
    SignIn.objects.create(
        user=alice, kind=SignIn.Kind.TOKEN, client=CANARY, expires_at=past, ended_at=past
    )
    return lambda: purge("sign_ins")


CASES = [
    deleted_message,
    edited_message,
    deleted_conversation,
    changed_name,
    expired_session,
    handled_email,
    sign_in_long_over,
]


@on_sqlite
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_deleted_data_is_erased_from_the_database_and_the_wal(case: Callable, alice, pair):
    delete = case(alice, pair)
    assert is_on_disk()
    delete()
    assert erasing.truncate_log()
    assert not is_on_disk()


@on_sqlite
def test_removed_picture_is_erased_from_the_database_and_the_wal(alice):
    image = BytesIO()
    Image.effect_noise((200, 200), 90).save(image, "PNG")
    account_actions.update_profile(alice, picture=image.getvalue())
    stored = bytes(Picture.objects.get(user=alice).image)[1000:1032]
    assert is_on_disk(stored)
    account_actions.update_profile(alice, remove_picture=True)
    assert erasing.truncate_log()
    assert not is_on_disk(stored)


@on_sqlite
def test_secure_delete_is_enabled():
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA secure_delete").fetchone() == (1,)


@on_sqlite
async def test_server_truncates_the_wal(monkeypatch):
    monkeypatch.setattr(database_log, "LOG_SECONDS", 0.05)
    await engine.start()
    try:
        threads = engine.current().threads

        def write_and_delete():
            alice = create_extra("Alice")
            message = say(alice, actions.create_conversation(alice, name="Tea"), LONG)
            actions.delete_message(alice, message.pk)
            eventually(lambda: not is_on_disk())

        await threads.run(write_and_delete)
    finally:
        await engine.stop()


@on_sqlite
def test_truncate_log_does_not_wait_for_readers(alice, pair):
    message = say(alice, pair, CANARY)
    with closing(sqlite3.connect(files()[0], isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM conversations_message").fetchone()
        actions.delete_message(alice, message.pk)
        assert not erasing.truncate_log()
        assert is_on_disk()
        say(alice, pair, "Writers go on")
        reader.execute("COMMIT")
    assert erasing.truncate_log()
    assert not is_on_disk()


@on_sqlite
def test_truncate_log_waits_for_writers(alice, pair):
    say(alice, pair, "Hello")
    done = threading.Event()

    def truncate():
        erasing.truncate_log()
        done.set()
        connection.close()

    with transaction.atomic():
        thread = threading.Thread(target=truncate)
        thread.start()
        assert not done.wait(0.2)
    thread.join(10)
    assert done.is_set()
    assert files()[1].stat().st_size == 0


async def test_repeatedly_failing_truncation_is_logged(caplog):
    class Threads:
        async def run(self, job):
            return False

    log = database_log.DatabaseLog(Threads())
    for _ in range(database_log.LOG_WARNING_AFTER):
        assert not caplog.messages
        await log.truncate()
    assert "another program is reading the database" in caplog.text


@on_sqlite
def test_compact_erases_unused_space_of_older_versions(alice, pair, capsys):
    with closing(sqlite3.connect(files()[0], isolation_level=None)) as older:
        older.execute("PRAGMA secure_delete=OFF")
        older.execute("CREATE TABLE former (text)")
        older.executemany("INSERT INTO former VALUES (?)", [(LONG,)] * 20)
        older.execute("DROP TABLE former")
    assert erasing.truncate_log()
    assert is_on_disk()
    call_command("compact")
    assert not is_on_disk()
    assert say(alice, pair, "Hello").body == "Hello"


@on_sqlite
@pytest.mark.parametrize(
    ("owner", "said"), [("process", "Another Chatty server"), ("setup", "`setup` is using")]
)
def test_compact_is_rejected_while_the_database_is_in_use(owner, said):
    with databases._server_lock(files()[0], owner), pytest.raises(CommandError, match=said):
        call_command("compact")


def test_compact_is_only_for_sqlite():
    if connection.vendor == "sqlite":
        call_command("compact")
    else:
        with pytest.raises(CommandError, match="VACUUM FULL"):
            call_command("compact")


@on_sqlite
def test_backup_contains_no_deleted_data(alice, pair, tmp_path):
    for delete in [case(alice, pair) for case in CASES]:
        delete()
    say(alice, pair, "What is stored")
    call_command("backup", str(tmp_path))
    (copy,) = tmp_path.glob("*.db")
    assert b"What is stored" in copy.read_bytes()
    assert CANARY.encode() not in copy.read_bytes()
