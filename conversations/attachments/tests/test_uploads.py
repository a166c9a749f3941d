"""Uploads in pieces: offsets, repetitions, limits, crashes, and what is left when something fails."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chatty.jobs.models import Job
from chatty.jobs.tests.helpers import purge, run_jobs
from conversations.attachments import rules, storage
from conversations.attachments.actions import uploading
from conversations.attachments.models import File
from conversations.attachments.tests.conftest import stored
from conversations.attachments.tests.test_media import picture
from conversations.models import Instance
from conversations.tests.helpers import new_key, raises_chat_error, run_concurrently, say

pytestmark = pytest.mark.django_db
JSON = "application/json"


def announce(api, size: int, **more) -> dict:
    given = {"key": new_key(), "name": "a.bin", "size": size, **more}
    answer = api.post(reverse("api:uploads"), given, content_type=JSON)
    assert answer.status_code == 201, answer.content
    return answer.json()


def send(api, upload: str, offset: object, piece: bytes):
    return api.patch(
        reverse("api:upload", args=[upload]),
        piece,
        content_type="application/octet-stream",
        headers={"Upload-Offset": str(offset)},
    )


def test_a_file_is_sent_in_pieces(alice, api_of, data_dir):
    api = api_of(alice)
    made = announce(api, 10, name="../a.bin")
    assert (made["name"], made["size"], made["offset"]) == ("a.bin", 10, 0)
    assert made["expires_at"] > timezone.now().isoformat()[:10]
    answer = send(api, made["id"], 0, b"01234")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "5")
    # The same piece again changes nothing, and neither do offsets before and beyond.
    for offset in (0, 4, 6, 10, 99):
        answer = send(api, made["id"], offset, b"01234")
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "5")
        assert answer.json()["code"] == "wrong_offset"
    head = api.head(reverse("api:upload", args=[made["id"]]))
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("5", "10")
    assert send(api, made["id"], 5, b"56789").headers["Upload-Offset"] == "10"
    file = File.objects.get()
    assert file.is_complete
    assert storage.open_stored(file.stored_name).read() == b"0123456789"
    assert stored(data_dir) == [file.pk]
    assert send(api, made["id"], 10, b"").status_code == 204
    assert send(api, made["id"], 5, b"56789").headers["Upload-Offset"] == "10"


def test_each_piece_is_on_the_disk_when_it_is_answered(alice, api_of, monkeypatch):
    """A whole file at once would hold up the commits of messages on the same disk."""
    synced: list[int] = []
    monkeypatch.setattr(storage, "_to_disk", lambda file: synced.append(os.fstat(file).st_size))
    api = api_of(alice)
    made = announce(api, 10)
    for offset in (0, 5):
        send(api, made["id"], offset, b"01234")
        assert synced[-1] == offset + 5


@pytest.mark.django_db(transaction=True)
def test_messages_are_stored_while_the_storage_hangs(alice, bob, pair, monkeypatch):
    """An upload waits for it outside of transactions, which on SQLite let no one else write."""
    waited = []

    def hang(name, wait, *args):
        (sent,) = run_concurrently([lambda: say(bob, pair, name)])
        waited.append((name, sent.body))
        return wait(*args)

    for name in ("append", "keep", "remove"):
        monkeypatch.setattr(storage, name, partial(hang, name, getattr(storage, name)))
    file, _created = uploading.begin(alice, key="k", name="a", size=5)
    uploading.add_piece(alice, file.pk, 0, b"12345")
    uploading.give_up(alice, file.pk)
    run_jobs()
    assert waited == [("append", "append"), ("keep", "keep"), ("remove", "remove")]


@pytest.mark.sqlite
def test_what_people_use_is_added_up_from_an_index(alice):
    with CaptureQueriesContext(connection) as made:
        rules.used_by(alice)
        rules.used_in_total()
    for query in made.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            assert "COVERING INDEX file_used" in str(cursor.fetchall())


def test_the_same_key_returns_the_same_upload(alice, bob, api_of):
    api, key = api_of(alice), new_key()
    made = announce(api, 10, key=key)
    send(api, made["id"], 0, b"0123")
    given = {"key": key, "name": "a.bin", "size": 10}
    again = api.post(reverse("api:uploads"), given, content_type=JSON)
    assert again.status_code == 200
    assert again.json() == {**made, "offset": 4}
    other = api.post(reverse("api:uploads"), {**given, "size": 11}, content_type=JSON)
    assert other.json()["code"] == "key_reused"
    assert announce(api_of(bob), 10, key=key)["id"] != made["id"]


def test_two_uploads_at_once_with_one_key_are_one(alice, monkeypatch):
    made, _created = uploading.begin(alice, key="k", name="a", size=1)
    found = iter([None, made])
    monkeypatch.setattr(uploading, "_find_known", lambda *given: next(found, made))
    again, created = uploading.begin(alice, key="k", name="a", size=1)
    assert (again.pk, created) == (made.pk, False)


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"size": 0}, "empty", "size"),
        ({"size": -1}, "invalid", "size"),
        ({"size": "5"}, "invalid", "size"),
        ({"size": 100 * 1024 * 1024 + 1}, "too_big", "size"),
        ({"key": "not a key"}, "invalid", "key"),
        ({"name": 5}, "invalid", "name"),
        ({"type": "image/png"}, "invalid", "type"),
    ],
)
def test_bad_announcements_are_refused(given, code, field, alice, api_of):
    answer = api_of(alice).post(
        reverse("api:uploads"), {"key": "k", "name": "a", "size": 1, **given}, content_type=JSON
    )
    assert answer.json()["code"] == code
    assert list(answer.json()["fields"]) == [field]
    assert not File.objects.exists()


@pytest.mark.parametrize("offset", ["", "x", "-1", "1.5", "٣", "9" * 30])
def test_offsets_that_are_no_numbers_are_refused(offset, alice, api_of):
    api = api_of(alice)
    answer = send(api, announce(api, 10)["id"], offset, b"x")
    assert answer.json()["code"] == "invalid"


def test_pieces_that_are_too_long_are_refused(alice, api_of):
    api = api_of(alice)
    made = announce(api, 2 * 1024 * 1024)
    assert send(api, made["id"], 0, bytes(1024 * 1024 + 1)).json()["code"] == "too_big"
    assert send(api, made["id"], 0, bytes(1024 * 1024)).status_code == 204
    small = announce(api, 5)
    assert send(api, small["id"], 0, b"123456").json()["code"] == "too_big"
    assert uploading.offset_of(File.objects.get(pk=small["id"])) == 0


def test_a_piece_of_the_wrong_type_is_refused(alice, api_of):
    api = api_of(alice)
    answer = api.patch(
        reverse("api:upload", args=[announce(api, 5)["id"]]),
        json.dumps({"a": 1}),
        content_type="application/json",
        headers={"Upload-Offset": "0"},
    )
    assert answer.status_code == 415


def test_uploads_of_others_do_not_exist(alice, bob, api_of):
    made = announce(api_of(alice), 5)
    url = reverse("api:upload", args=[made["id"]])
    assert send(api_of(bob), made["id"], 0, b"1").status_code == 404
    assert api_of(bob).head(url).status_code == 404
    assert api_of(bob).delete(url).status_code == 404
    for wrong in ("0" * 32, "x", "%00", "%ff", "x" * 3000):
        assert send(api_of(alice), wrong, 0, b"1").status_code == 404
        assert api_of(alice).get(f"/files/{wrong}/a.txt").status_code == 404


def test_an_upload_can_be_given_up_but_not_a_sent_file(alice, pair, api_of, upload, data_dir):
    api = api_of(alice)
    made = announce(api, 5)
    send(api, made["id"], 0, b"12")
    assert api.delete(reverse("api:upload", args=[made["id"]])).status_code == 204
    run_jobs()
    assert stored(data_dir) == []
    from conversations.content import FileReference

    file = upload(alice)
    say(alice, pair, files=(FileReference(file.pk),))
    answer = api.delete(reverse("api:upload", args=[file.pk]))
    assert answer.json()["code"] == "not_allowed"


def test_quotas(alice, bob, settings, upload):
    settings.FILES_PERSON_MB = settings.FILES_TOTAL_MB = 3
    megabyte = 1024 * 1024
    uploading.begin(alice, key="a", name="a", size=2 * megabyte)
    with raises_chat_error("quota_reached"):
        uploading.begin(alice, key="b", name="b", size=megabyte + 1)
    uploading.begin(alice, key="b", name="b", size=megabyte)
    with raises_chat_error("storage_full"):
        uploading.begin(bob, key="b", name="b", size=1)
    uploading.give_up(alice, File.objects.get(key="b").pk)
    uploading.begin(bob, key="b", name="b", size=megabyte)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_row", [True, False])
def test_people_who_begin_at_once_share_what_is_left(has_row, alice, bob, settings):
    if has_row:
        Instance.objects.get_or_create(pk=1)
    else:
        Instance.objects.all().delete()
    settings.FILES_TOTAL_MB = 1
    size = 600 * 1024
    results = run_concurrently(
        partial(uploading.begin, user, key="k", name="a", size=size) for user in (alice, bob)
    )
    assert [isinstance(each, tuple) for each in results].count(True) == 1
    assert File.objects.count() == 1


def test_the_id_of_a_removed_upload_is_a_key_like_any_other(alice):
    removed, _created = uploading.begin(alice, key="k", name="a", size=1)
    uploading.give_up(alice, removed.pk)
    for key in ("k", removed.pk):  # the job has not run yet
        _file, created = uploading.begin(alice, key=key, name="a", size=1)
        assert created


def test_ten_thousand_uploads_that_are_begun_and_left(alice, settings, data_dir, monkeypatch):
    settings.LIMITS = {**settings.LIMITS, "uploads": "100000/s"}
    monkeypatch.setattr("conversations.attachments.limits.UNFINISHED_MAX", 20)
    for number in range(20):
        uploading.begin(alice, key=f"k{number}", name="a", size=9)
    for _ in range(3):
        with raises_chat_error("too_many"):
            uploading.begin(alice, key=new_key(), name="a", size=9)
    assert File.objects.count() == 20
    File.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    purge("uploads")
    assert not File.objects.exists()
    uploading.begin(alice, key=new_key(), name="a", size=9)


def test_new_uploads_are_rate_limited(alice, settings):
    settings.LIMITS = {**settings.LIMITS, "uploads": "1/h"}
    uploading.begin(alice, key="a", name="a", size=9)
    uploading.begin(alice, key="a", name="a", size=9)  # known
    with raises_chat_error("slow_down"):
        uploading.begin(alice, key="b", name="a", size=9)


def test_uploads_that_are_not_sent_are_swept_and_sent_ones_stay(alice, pair, upload, data_dir):
    from conversations.content import FileReference

    kept, left = upload(alice, "kept.txt"), upload(alice, "left.txt")
    say(alice, pair, files=(FileReference(kept.pk),))
    File.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    purge("uploads")
    assert [file.name for file in File.objects.all()] == ["kept.txt"]
    assert stored(data_dir) == [kept.pk]
    assert left.pk not in stored(data_dir)


# --- what fails in between ------------------------------------------------------------------------------


def test_a_bad_picture_is_refused_and_nothing_is_left(alice, data_dir):
    data = picture("JPEG")[:-5]
    file, _created = uploading.begin(alice, key="k", name="a.jpg", size=len(data))
    with raises_chat_error("bad_file"):
        uploading.add_piece(alice, file.pk, 0, data)
    run_jobs()
    assert stored(data_dir) == []
    # The key can be used again, for a better one.
    _again, created = uploading.begin(alice, key="k", name="a.jpg", size=len(data))
    assert created


def test_a_full_disk_is_said_and_nothing_is_left(alice, data_dir, monkeypatch):
    file, _created = uploading.begin(alice, key="k", name="a", size=10)
    uploading.add_piece(alice, file.pk, 0, b"123")

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "append", lambda *args: _translated(full))
        with raises_chat_error("storage_full"):
            uploading.add_piece(alice, file.pk, 3, b"456")
    run_jobs()
    assert stored(data_dir) == []


def _translated(fail):
    with storage.translate_errors():
        fail()


def test_a_storage_that_is_away_keeps_what_has_arrived(alice, data_dir, monkeypatch):
    file, _created = uploading.begin(alice, key="k", name="a", size=5)

    def away(path, name):
        with storage.translate_errors():
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "keep", away)
        with raises_chat_error("unavailable"):
            uploading.add_piece(alice, file.pk, 0, b"12345")
    assert uploading.offset_of(uploading.find(alice, file.pk)) == 5
    assert uploading.add_piece(alice, file.pk, 5, b"") == 5
    assert uploading.find(alice, file.pk).is_complete


def test_a_process_that_is_killed_between_storing_and_noting_it(alice, data_dir, monkeypatch):
    file, _created = uploading.begin(alice, key="k", name="a", size=5)

    class Killed(BaseException):
        pass

    def die(*args):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(uploading, "_note_complete", die)
        with pytest.raises(Killed):
            uploading.add_piece(alice, file.pk, 0, b"12345")
    assert uploading.offset_of(uploading.find(alice, file.pk)) == 5
    assert uploading.add_piece(alice, file.pk, 5, b"") == 5
    found = uploading.find(alice, file.pk)
    assert storage.open_stored(found.stored_name).read() == b"12345"


def test_nothing_is_left_of_an_upload_that_is_given_up_while_it_is_stored(
    alice, data_dir, monkeypatch
):
    data = picture("JPEG", comment=b"SECRET")
    file, _created = uploading.begin(alice, key="k", name="a.jpg", size=len(data))
    examine = uploading.examine

    def given_up(path, name):
        uploading.give_up(alice, file.pk)
        run_jobs()
        assert stored(data_dir) != []  # its turn is later
        return examine(path, name)

    monkeypatch.setattr(uploading, "examine", given_up)
    uploading.add_piece(alice, file.pk, 0, data)
    assert len(stored(data_dir)) == 1
    Job.objects.update(due_at=timezone.now())
    run_jobs()
    assert stored(data_dir) == []
    assert not File.objects.exists()


def test_a_process_that_is_killed_leaves_no_metadata_behind(alice, data_dir, monkeypatch):
    data = picture("JPEG", comment=b"SECRET")
    file, _created = uploading.begin(alice, key="k", name="a.jpg", size=len(data))

    def die(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(storage, "remove_part", die)
        with pytest.raises(KeyboardInterrupt):
            uploading.add_piece(alice, file.pk, 0, data)
    assert len(stored(data_dir)) == 2
    uploading.add_piece(alice, file.pk, len(data))
    assert stored(data_dir) == [file.pk]


def test_a_piece_of_which_a_part_was_written_continues_there(alice):
    file, _created = uploading.begin(alice, key="k", name="a", size=5)
    with storage.writing(file.pk):
        storage.append(file.pk, [b"12"])  # and the process is killed
    with raises_chat_error("wrong_offset") as error:
        uploading.add_piece(alice, file.pk, 0, b"12345")
    assert error.value.offset == 2
    uploading.add_piece(alice, file.pk, 2, b"345")
    found = uploading.find(alice, file.pk)
    assert storage.open_stored(found.stored_name).read() == b"12345"


def test_two_requests_cannot_write_at_once(alice):
    file, _created = uploading.begin(alice, key="k", name="a", size=5)
    with storage.writing(file.pk), raises_chat_error("busy"):
        uploading.add_piece(alice, file.pk, 0, b"1")
    uploading.add_piece(alice, file.pk, 0, b"1")


def test_a_lock_that_was_just_removed_is_none(monkeypatch):
    """Two requests open the file of the lock; the first is done and removes it before the second locks it."""
    lock = fcntl.flock

    def after_another(file, how):
        storage.part_path("x.lock").unlink()
        lock(file, how)

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", after_another)
        with raises_chat_error("busy"), storage.writing("x"):
            pass
    with storage.writing("x"):
        pass
    assert not storage.part_path("x.lock").exists()
