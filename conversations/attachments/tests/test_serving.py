"""Who gets files and thumbnails, with which headers, whole and in part."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from django.core.files.storage import Storage, storages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from chatty.common.file_responses import FileResponse
from chatty.jobs.models import Job
from chatty.jobs.tests.helpers import run_jobs
from conversations import actions
from conversations.attachments.media import pictures
from conversations.attachments.models import File
from conversations.attachments.tests.conftest import stored
from conversations.attachments.tests.test_media import gif_of, picture
from conversations.content import FileReference
from conversations.models import Message
from conversations.tests.helpers import say

pytestmark = [pytest.mark.django_db, pytest.mark.entrances]
DIGITS = b"0123456789" * 30_000


def browser(user=None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def body(response) -> bytes:
    return b"".join(response.pieces()) if isinstance(response, FileResponse) else response.content


@pytest.fixture
def sent(alice, group, upload):
    """sent(name, data) returns a file of a message in a group with Alice and Bob."""

    def send(name: str = "notes.txt", data: bytes = b"Buy bread.\n") -> File:
        file = upload(alice, name, data)
        say(alice, group, files=(FileReference(file.pk),))
        file.refresh_from_db()
        return file

    return send


def url_of(file: File) -> str:
    return reverse("attachments:file", args=[file.pk, file.name])


def small_of(file: File, size: str = "small") -> str:
    return reverse("attachments:thumbnail", args=[file.pk, size])


def test_members_get_the_file_with_safe_headers(bob, sent):
    response = browser(bob).get(url_of(sent("Plän 1.txt")))
    assert body(response) == b"Buy bread.\n"
    headers = response.headers
    assert headers["Content-Length"] == "11"
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Content-Disposition"] == "inline; filename*=utf-8''Pl%C3%A4n%201.txt"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, no-cache"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("page.html", b"<!doctype html><script>alert(1)</script>"),
        ("picture.svg", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
        ("feed.xml", b"<?xml version='1.0'?><a/>"),
        ("photo.png", b"<html><script>alert(1)</script>"),
        ("paper.pdf", b"%PDF-1.7 ..."),
        ("run.exe", b"MZ\x90\x00"),
        ("words.html", b"Only words"),
    ],
)
def test_what_a_browser_could_run_is_only_saved(name, data, bob, sent):
    headers = browser(bob).get(url_of(sent(name, data))).headers
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Content-Disposition"].startswith("attachment")


def test_a_picture_that_is_also_something_else_is_only_the_picture(bob, sent):
    response = browser(bob).get(url_of(sent("a.gif", gif_of(1) + b"<script>alert(1)</script>")))
    assert response.headers["Content-Type"] == "image/gif"
    assert body(response) == gif_of(1)


@pytest.mark.parametrize("leave", ["leave", "remove", "delete-message", "delete-group"])
def test_from_the_moment_of_leaving_every_address_is_missing(leave, alice, bob, group, sent):
    file = sent("a.png", picture("PNG", (900, 900)))
    run_jobs()
    member = browser(bob)
    addresses = [url_of(file), small_of(file), small_of(file, "large")]
    tags = [member.get(address).headers["ETag"] for address in addresses]
    message = file.message_id
    if leave == "leave":
        actions.leave(bob, group.pk)
    elif leave == "remove":
        actions.remove_member(alice, group.pk, bob.pk)
    elif leave == "delete-message":
        actions.delete_message(alice, message)
    else:
        actions.delete_conversation(alice, group.pk)
    for address, tag in zip(addresses, tags, strict=True):
        for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": tag}):
            assert member.get(address, headers=headers).status_code == 404
        assert member.head(address).status_code == 404


def test_others_and_visitors_get_nothing(carol, alice, sent, upload, api_of):
    file = sent()
    assert browser(carol).get(url_of(file)).status_code == 404
    assert browser(carol).get(f"/files/{'0' * 32}/notes.txt").status_code == 404
    assert browser().get(url_of(file)).status_code == 302
    # Their own, before it is sent.
    own = upload(alice, "b.txt")
    assert browser(alice).get(url_of(own)).status_code == 200
    assert browser(carol).get(url_of(own)).status_code == 404


def test_programs_use_their_token(bob, carol, sent, api_of):
    file = sent()
    assert body(api_of(bob).get(url_of(file))) == b"Buy bread.\n"
    assert api_of(carol).get(url_of(file)).status_code == 404
    wrong = Client(headers={"Authorization": "Bearer x"}, raise_request_exception=False)
    wrong.force_login(bob)
    assert wrong.get(url_of(file)).status_code in (401, 403)


def test_unchanged_files_are_not_sent_again(bob, sent):
    file = sent("a.png", picture("PNG", (900, 900)))
    run_jobs()
    for address in (url_of(file), small_of(file)):
        tag = browser(bob).get(address).headers["ETag"]
        again = browser(bob).get(address, headers={"If-None-Match": tag})
        assert again.status_code == 304
        assert again.headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("asked", "status", "found", "said"),
    [
        ("bytes=0-9", 206, DIGITS[:10], "bytes 0-9/300000"),
        ("bytes=299990-", 206, DIGITS[-10:], "bytes 299990-299999/300000"),
        ("bytes=-5", 206, DIGITS[-5:], "bytes 299995-299999/300000"),
        ("bytes=-999999999", 206, DIGITS, "bytes 0-299999/300000"),
        ("bytes=5-999999999", 206, DIGITS[5:], "bytes 5-299999/300000"),
        ("bytes=300000-", 416, b"", "bytes */300000"),
        ("bytes=-0", 416, b"", "bytes */300000"),
        ("bytes=9-5", 200, DIGITS, None),
        ("bytes=0-1,5-6", 200, DIGITS, None),
        ("bytes=x", 200, DIGITS, None),
        ("bytes=-", 200, DIGITS, None),
        ("lines=0-9", 200, DIGITS, None),
    ],
)
def test_ranges(asked, status, found, said, bob, sent):
    response = browser(bob).get(url_of(sent("d.txt", DIGITS)), headers={"Range": asked})
    assert response.status_code == status
    assert response.headers.get("Content-Range") == said
    if status != 416:
        assert body(response) == found
        assert response.headers["Content-Length"] == str(len(found))


def test_a_range_of_another_version_is_the_whole(bob, sent):
    file = sent("d.txt", DIGITS)
    headers = {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert browser(bob).get(url_of(file), headers=headers).status_code == 200
    tag = browser(bob).get(url_of(file)).headers["ETag"]
    headers = {"Range": "bytes=0-9", "If-Range": tag}
    assert browser(bob).get(url_of(file), headers=headers).status_code == 206


def test_thumbnails_are_made_by_a_job_and_the_picture_is_shown_until_then(bob, sent):
    file = sent("a.png", picture("PNG", (2400, 1200)))
    before = browser(bob).get(small_of(file))
    assert before.headers["Content-Type"] == "image/png"
    assert before.headers["Cache-Control"] == "private, no-cache"
    run_jobs()
    for size, side in (("small", 840), ("large", 1920)):
        response = browser(bob).get(small_of(file, size))
        assert response.headers["Cache-Control"] == "private, max-age=3600"
        with Image.open(io.BytesIO(body(response))) as small:
            assert (small.format, small.size) == ("WEBP", (side, side // 2))
    assert browser(bob).get(small_of(file, "huge")).status_code == 404


def test_a_picture_that_cannot_be_decoded_stays_without_thumbnails(bob, sent):
    data = bytearray(picture("JPEG", (900, 900)))
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    file = sent("a.jpg", bytes(data))
    run_jobs()
    assert browser(bob).get(small_of(file)).status_code == 200


def test_nginx_sends_the_bytes_if_it_is_set_up(bob, sent, settings):
    settings.FILES_ACCEL = "/internal-files/"
    file = sent("page.txt")
    response = browser(bob).get(url_of(file))
    assert response.headers["X-Accel-Redirect"] == f"/internal-files/{file.stored_name}"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == b""


def test_downloads_are_rate_limited(bob, sent, settings):
    settings.LIMITS = {**settings.LIMITS, "downloads": "2/h"}
    file = sent()
    client = browser(bob)
    assert [client.get(url_of(file)).status_code for _ in range(3)] == [200, 200, 429]


def test_a_file_takes_few_queries(bob, sent, django_assert_max_num_queries):
    file = sent()
    client = browser(bob)
    client.get(url_of(file))
    with django_assert_max_num_queries(4):
        client.get(url_of(file))


def test_files_of_a_conversation_by_kind_person_and_month(alice, bob, carol, group, sent, upload):
    sent("plan.txt")
    sent("garden.png", picture("PNG"))
    own = upload(bob, "bob.pdf", b"%PDF-1.7")
    say(bob, group, files=(FileReference(own.pk),))
    address = reverse("attachments:files", args=[group.pk])

    def names(**query) -> list[str]:
        page = browser(alice).get(address, query)
        assert page.status_code == 200
        return [row.file.name for row in page.context["rows"]]

    assert names() == ["bob.pdf", "garden.png", "plan.txt"]
    assert names(kind="image") == ["garden.png"]
    assert names(person=bob.pk) == ["bob.pdf"]
    assert names(person=bob.pk, kind="image") == []
    month = own.created_at.strftime("%Y-%m")
    assert len(names(month=month)) == 3
    assert names(month="2001-01") == []
    assert len(names(kind="x", person="x", month="x", before="x")) == 3
    # All months can be chosen in which files were sent, wherever the reader is.
    sent_at = [datetime(2025, 11, 30, 23, 30, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC)]
    for at, name in zip(sent_at, ("plan.txt", "bob.pdf"), strict=True):
        message_id = File.objects.get(name=name).message_id
        Message.objects.filter(pk=message_id).update(created_at=at)
    File.objects.get(name="garden.png").delete()
    alice.time_zone, alice.name, bob.name = "Europe/Berlin", "alma", "Änne"
    for person in (alice, bob):
        person.save()
    page = browser(alice).get(address, {"month": "2024-02"})
    months = ["2026-01", "2025-12", "2024-02"]
    assert [value for value, _name in page.context["months"]] == months
    assert page.context["months"][0][1] == "January 2026"
    assert page.context["people"] == [(alice.pk, "alma"), (bob.pk, "Änne")]
    assert browser(carol).get(address).status_code == 404


def test_the_list_of_files_has_pages_between_messages(alice, group, upload, monkeypatch):
    monkeypatch.setattr("conversations.attachments.limits.PAGE_SIZE", 12)
    for number in range(3):
        files = tuple(FileReference(upload(alice, f"{number}-{n}.txt").pk) for n in range(5))
        say(alice, group, files=files)
    address = reverse("attachments:files", args=[group.pk])
    page = browser(alice).get(address)
    assert len(page.context["rows"]) == 10
    page = browser(alice).get(address + page.context["older_url"])
    assert [row.file.name for row in page.context["rows"]] == [f"0-{n}.txt" for n in range(5)]
    assert not page.context["older_url"]


def test_people_see_how_much_storage_they_use(alice, bob, group, sent, settings, admin):
    sent("plan.txt", b"x" * 2048)
    address = reverse("attachments:storage")
    page = browser(alice).get(address).content.decode()
    assert "Your files use 2 KB of 9.8 GB." in page
    assert "plan.txt" in page
    settings.FILES_PERSON_MB = 0
    answer = browser(bob).get(address)
    assert "Your files use 0 B." in answer.content.decode()
    assert answer.context["largest"] == []
    page = admin.get(reverse("admin:attachments_file_changelist")).content.decode()
    assert "2.0\xa0KB used" in page
    settings.FILES_TOTAL_MB = 1
    page = admin.get(reverse("admin:attachments_file_changelist")).content.decode()
    assert "2.0\xa0KB of 1.0\xa0MB used" in page


# --- bytes that can't be read ---------------------------------------------------------------------------


def test_lost_bytes_are_a_sentence_and_not_an_error(bob, sent, data_dir):
    file = sent("a.png", picture("PNG", (1200, 900)))
    run_jobs()
    for path in (data_dir / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    for url in (url_of(file), small_of(file)):
        response = browser(bob).get(url)
        assert (response.status_code, response.content) == (
            404,
            b"The content of this file has been lost.",
        )


def test_a_storage_that_is_away_is_said(alice, bob, sent, monkeypatch):
    file = sent("a.png", picture("PNG", (1200, 900)))
    run_jobs()

    class Away(Storage):
        def _open(self, name, mode="rb"):
            raise RuntimeError("an error of a library")

        def size(self, name):
            raise TimeoutError

        delete = exists = size

    monkeypatch.setitem(storages._storages, "files", Away())
    for url in (url_of(file), small_of(file)):
        response = browser(bob).get(url)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    # Nor is a status of an upload an error, between storing and noting it.
    File.objects.filter(pk=file.pk).update(message=None, conversation=None, completed_at=None)
    response = browser(alice).get(reverse("api:upload", args=[file.pk]))
    assert response.json()["code"] == "unavailable"


def test_thumbnails_of_a_deleted_message_are_not_left(alice, sent, data_dir, monkeypatch):
    """The message is deleted while they are made."""
    file = sent("a.png", picture("PNG", (1200, 900)))
    make = pictures.make_thumbnails

    def deleted_meanwhile(*given):
        actions.delete_message(alice, file.message_id)
        run_jobs()
        make(*given)

    monkeypatch.setattr(pictures, "make_thumbnails", deleted_meanwhile)
    run_jobs()
    Job.objects.update(due_at=timezone.now())
    run_jobs()
    assert stored(data_dir) == []
    assert not File.objects.exists()
