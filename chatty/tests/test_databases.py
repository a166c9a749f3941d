import threading

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, connections, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from accounts.actions import register
from accounts.models import User
from chatty.common.integrity import is_taken, may_be_a_race
from chatty.ops import databases
from conversations.models import Instance

KEYS = [f"{letter}-0123456789-abcdefghijklmnopqrstuvwxyz-0123456789" for letter in "abc"]


@pytest.mark.sqlite
@pytest.mark.django_db
def test_sqlite_is_durable():
    with connection.cursor() as cursor:
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.django_db(transaction=True)
def test_concurrent_read_write_transactions_are_serialized():
    User.objects.create(email="alice@example.org", name="0")
    failures = []

    def count_up():
        try:
            for _ in range(20):
                with transaction.atomic():
                    user = User.objects.select_for_update().get()
                    user.name = str(int(user.name) + 1)
                    user.save(update_fields=["name"])
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert User.objects.get().name == "160"


# --- secret and version of the database -------------------------------------------------------------


@pytest.mark.django_db
def test_changed_secret_key_is_rejected_until_accepted(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = KEYS[0], []
    databases.compare_secret()
    databases.compare_secret()
    settings.SECRET_KEY = KEYS[1]
    with pytest.raises(ImproperlyConfigured, match=r"manage\.py accept_secret"):
        databases.compare_secret()
    databases.accept_secret()
    databases.compare_secret()
    settings.SECRET_KEY = KEYS[0]
    with pytest.raises(ImproperlyConfigured, match="not the one"):
        databases.compare_secret()


@pytest.mark.django_db
def test_new_secret_key_with_the_old_one_as_fallback_is_accepted(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = KEYS[0], []
    databases.compare_secret()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = KEYS[1], [KEYS[2], KEYS[0]]
    databases.compare_secret()
    settings.SECRET_KEY_FALLBACKS = []
    databases.compare_secret()
    stored = Instance.objects.get().secret_fingerprint
    assert not any(key[:8] in stored for key in KEYS)


@pytest.mark.django_db
def test_database_of_a_newer_version_is_rejected():
    databases.require_no_newer_migrations(MigrationLoader(connection))
    MigrationRecorder(connection).record_applied("conversations", "9999_from_the_future")
    with pytest.raises(ImproperlyConfigured, match=r"conversations\.9999_from_the_future"):
        databases.require_no_newer_migrations(MigrationLoader(connection))


# --- unique constraints -----------------------------------------------------------------------------


def refused_by_database(**changes):
    User.objects.create(email="ada@example.org", name="Ada")
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        User.objects.create(**{"email": "eve@example.org", "name": "Eve", **changes})
    return refused.value


@pytest.mark.django_db
def test_unique_violation_is_recognized():
    taken = refused_by_database(email="ada@example.org")
    assert is_taken(taken, User, "email")
    assert not is_taken(taken, User, "name")
    assert not is_taken(taken, Instance, "id")
    assert may_be_a_race(taken)


@pytest.mark.django_db
def test_not_null_violation_is_not_a_race():
    missing = refused_by_database(name=None)
    assert not is_taken(missing, User, "email")
    assert not may_be_a_race(missing)


@pytest.mark.django_db
def test_sign_up_raises_integrity_errors_other_than_duplicates(monkeypatch):
    """For example a column that only newer code fills."""
    save = User.save

    def save_without_name(user, **options):
        user.name = None
        save(user, **options)

    monkeypatch.setattr(User, "save", save_without_name)
    with pytest.raises(IntegrityError):
        register(
            name="Ada",
            email="ada@example.org",
            password="correct horse battery staple",
            address="127.0.0.1",
        )
