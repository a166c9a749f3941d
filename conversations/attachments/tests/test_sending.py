"""Messages with files: what they claim, who sees them, and what is left when they are deleted."""

from __future__ import annotations

import io
import tempfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from msgspec import UNSET

from accounts.models import User
from chatty.jobs.tests.helpers import run_jobs
from conversations import actions, queries
from conversations.attachments.models import File
from conversations.attachments.tests.conftest import stored
from conversations.attachments.tests.test_media import picture
from conversations.content import FileReference
from conversations.models import Conversation, Message
from conversations.tests.helpers import message_json, new_key, purge_deleted, raises_chat_error, say
from conversations.wire import LastFileOut

pytestmark = pytest.mark.django_db


def refer(*files: File, alt: str = "") -> tuple[FileReference, ...]:
    return tuple(FileReference(file.pk, alt) for file in files)


def last_files(user: User, conversation: Conversation) -> object:
    """Return the files of the last message in the list of conversations."""
    row = queries.sidebar_row(user, conversation.pk)
    assert row is not None
    assert row.last is not None
    return row.last.files


def test_a_message_has_its_files_in_order(alice, pair, upload):
    first, second = upload(alice, "b.txt"), upload(alice, "a.txt")
    message = say(alice, pair, "Two", files=refer(first, second))
    read = queries.with_details(message)
    assert [each["name"] for each in message_json(read)["files"]] == ["b.txt", "a.txt"]
    assert message_json(read)["files"][0] == {
        "id": first.pk,
        "name": "b.txt",
        "size": 11,
        "kind": "text",
        "type": "text/plain",
        "alt": "",
        "width": None,
        "height": None,
        "duration": None,
        "url": f"/files/{first.pk}/b.txt",
        "thumbnail": None,
        "animated": False,
    }
    assert message_json(message)["files"] == message_json(read)["files"]
    assert "files" not in message_json(say(alice, pair, "None"))


def test_a_message_with_files_needs_no_text(alice, pair, upload):
    message = say(alice, pair, " \n", files=refer(upload(alice, "plan.txt")))
    assert (message.body, message.html, message.excerpt) == ("", "", "📎 plan.txt")
    with raises_chat_error("empty"):
        say(alice, pair, "")


def test_sending_again_with_the_same_key_sends_once(alice, pair, upload):
    file = upload(alice)
    for _ in range(2):
        sent = actions.send_message(alice, pair.pk, key="k", body="", files=refer(file))
    assert not sent.created
    with raises_chat_error("key_reused"):
        actions.send_message(alice, pair.pk, key="k", body="", files=refer(upload(alice)))
    with raises_chat_error("key_reused"):
        actions.send_message(alice, pair.pk, key="k", body="", files=refer(file, alt="Bread"))


def test_an_upload_can_be_sent_once_and_only_by_its_owner(alice, bob, pair, upload):
    file = upload(alice)
    with raises_chat_error("upload_gone", field="files"):
        say(bob, pair, files=refer(file))
    say(alice, pair, files=refer(file))
    for wrong in (file.pk, "0" * 32, "x", "\x00", "x" * 5000):
        with raises_chat_error("upload_gone"):
            say(alice, pair, files=(FileReference(wrong),))
    with raises_chat_error("invalid"):
        say(alice, pair, files=refer(file, file))


def test_two_drafts_of_one_batch_cannot_share_an_upload(alice, pair, upload):
    file = upload(alice)
    drafts = [actions.Draft(alice.pk, pair.pk, new_key(), actions_content(file)) for _ in range(2)]
    first, second = actions.send_messages(drafts)
    assert isinstance(first, actions.Sent)
    assert second.code == "upload_gone"


def actions_content(file: File):
    from conversations.content import Content

    return Content("", files=refer(file))


def test_deleting_a_message_removes_its_bytes(alice, pair, upload, data_dir):
    message = say(alice, pair, files=refer(upload(alice, "a.png", picture("PNG", (1200, 900)))))
    run_jobs()
    assert len(stored(data_dir)) == 3  # with both thumbnails
    actions.delete_message(alice, message.pk)
    message.refresh_from_db()
    assert message.files is None
    run_jobs()
    assert not File.objects.exists()
    assert stored(data_dir) == []


def test_deleting_a_conversation_removes_its_bytes(alice, group, upload, data_dir):
    say(alice, group, files=refer(upload(alice)))
    actions.delete_conversation(alice, group.pk)
    purge_deleted()
    run_jobs()
    assert not File.objects.exists()
    assert stored(data_dir) == []
    assert not Message.objects.filter(conversation=group).exists()


def test_the_text_beside_files_can_be_edited_and_removed(alice, pair, upload):
    message = say(alice, pair, "Look", files=refer(upload(alice, "plan.txt")))
    assert message.excerpt == "Look 📎 plan.txt"
    actions.edit_message(alice, message.pk, "See")
    assert last_files(alice, pair) is UNSET
    edited = actions.edit_message(alice, message.pk, " ")
    assert (edited.body, edited.excerpt) == ("", "📎 plan.txt")
    assert last_files(alice, pair) == [LastFileOut("text", "text/plain", None)]
    assert len(message_json(edited)["files"]) == 1
    with raises_chat_error("empty"):
        actions.edit_message(alice, say(alice, pair, "Words").pk, " ")


def test_a_form_without_scripts_sends_files(alice, pair, data_dir):
    client = Client()
    client.force_login(alice)
    for _ in range(2):  # a double click
        form = {
            "key": "form",
            "body": "",
            "files": [SimpleUploadedFile("a.txt", b"one"), SimpleUploadedFile("b.txt", b"two")],
        }
        answer = client.post(reverse("conversations:send", args=[pair.pk]), form)
        assert answer.status_code == 303
    message = Message.objects.get(conversation=pair, kind="text")
    assert [each["name"] for each in message.files] == ["a.txt", "b.txt"]
    page = client.get(reverse("conversations:conversation", args=[pair.pk])).content.decode()
    assert 'class="files__name"' in page


def post_form(user, conversation, key: str, *files: tuple[str, bytes]):
    client = Client()
    client.force_login(user)
    sent = [SimpleUploadedFile(name, data) for name, data in files]
    form = {"key": key, "body": "Look", "files": sent}
    return client.post(reverse("conversations:send", args=[conversation.pk]), form)


@pytest.mark.parametrize(
    ("size", "said"), [(0, "This file is empty."), (1_100_000, "This file is too big (max 1 MB).")]
)
def test_a_form_with_a_file_of_the_wrong_size_stores_none(size, said, alice, pair, settings):
    settings.FILE_MAX_MB = 1
    answer = post_form(alice, pair, "k", ("a.txt", b"one"), ("b.txt", bytes(size)))
    assert said in answer.content.decode()
    assert "Look" in answer.content.decode()
    assert not File.objects.exists()


def test_keys_of_forms_are_never_shortened(alice, pair):
    for key in ("k" * 63 + "1", "k" * 63 + "2"):
        assert post_form(alice, pair, key, ("a.txt", b"one")).status_code == 303
    assert File.objects.filter(message__isnull=False).count() == 2


@pytest.mark.parametrize("size", [1, 3_000])  # in memory, and on the disk
def test_a_form_with_too_many_files_stores_none_and_keeps_the_words(
    size, alice, pair, data_dir, monkeypatch
):
    made: list[object] = []
    temporary = tempfile.TemporaryFile
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **given: made.append(1) or temporary())
    answer = post_form(alice, pair, "k", *[("a.txt", bytes(size))] * 1_000)
    assert "up to 10 files" in answer.content.decode()
    assert "Look" in answer.content.decode()
    assert len(made) <= 10
    assert not File.objects.exists()


def test_a_form_that_finds_the_disk_full_keeps_the_words(alice, pair, data_dir, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **given: FullFile())
    answer = post_form(alice, pair, "k", ("a.txt", bytes(3_000_000)), ("b.txt", b"x"))
    assert answer.status_code == 507
    assert "There’s no space left for files." in answer.content.decode()
    assert "Look" in answer.content.decode()
    assert not File.objects.exists()


class FullFile(io.BytesIO):
    def write(self, data):
        raise OSError(28, "No space left on device")
