import threading

import pytest
from django.db import connection, connections, transaction

from accounts.models import User


@pytest.mark.sqlite
@pytest.mark.django_db
def test_sqlite_stores_for_good_before_it_answers():
    with connection.cursor() as cursor:
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.django_db(transaction=True)
def test_threads_that_read_and_then_write_wait_for_each_other():
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
