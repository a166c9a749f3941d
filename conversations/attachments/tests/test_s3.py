"""Files in a bucket of a service that is compatible with S3. Needs `django-storages[s3]` and `moto[s3]` with
`flask` and `flask-cors`, which nothing else here does; without them, these tests are skipped."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("storages.backends.s3")
server_of_moto = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")

from django.core.files.storage import storages  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402
from django.utils.module_loading import import_string  # noqa: E402

from chatty.common.file_responses import FileResponse  # noqa: E402
from chatty.conf import file_storage  # noqa: E402
from chatty.jobs.tests.helpers import run_jobs  # noqa: E402
from conversations import actions  # noqa: E402
from conversations.attachments.actions import uploading  # noqa: E402
from conversations.attachments.tests.test_media import picture  # noqa: E402
from conversations.content import FileReference  # noqa: E402
from conversations.tests.helpers import raises_chat_error, say  # noqa: E402

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def service():
    server = server_of_moto.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _host, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def bucket(service, monkeypatch, data_dir):
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    for name, value in keys.items():
        monkeypatch.setitem(os.environ, name, value)
    found = boto3.resource("s3", endpoint_url=service, region_name="eu-1").Bucket("chatty")
    found.create(CreateBucketConfiguration={"LocationConstraint": "eu-1"})
    url = f"s3://chatty/files?endpoint_url={service}&region_name=eu-1"
    monkeypatch.setitem(os.environ, "FILES_URL", url)
    made = file_storage.get_storage(data_dir, served_by_proxy=False)
    storage = import_string(made["BACKEND"])(**made["OPTIONS"])
    monkeypatch.setitem(storages._storages, "files", storage)
    yield found
    found.objects.delete()
    found.delete()


def names_in(bucket) -> list[str]:
    return sorted(each.key for each in bucket.objects.all())


def body(response) -> bytes:
    assert isinstance(response, FileResponse)
    return b"".join(response.pieces())


def test_files_are_kept_in_the_bucket_served_by_chatty_and_removed(
    alice, bob, pair, upload, bucket, data_dir
):
    data = picture("PNG", (1200, 900))
    file = upload(alice, "a.png", data)
    run_jobs()
    file.refresh_from_db()
    assert names_in(bucket) == [f"files/{name}" for name in sorted(file.stored_names)]
    assert not [path for path in (data_dir / "uploads").iterdir() if path.suffix != ".lock"]
    message = say(alice, pair, files=(FileReference(file.pk),))
    client = Client()
    client.force_login(bob)
    url = reverse("attachments:file", args=[file.pk, file.name])
    response = client.get(url)
    assert response.headers["Content-Length"] == str(len(data))
    assert body(response) == data
    response = client.get(url, headers={"Range": "bytes=100-299"})
    assert (response.status_code, body(response)) == (206, data[100:300])
    small = client.get(reverse("attachments:thumbnail", args=[file.pk, "small"]))
    assert body(small)[8:12] == b"WEBP"
    actions.delete_message(alice, message.pk)
    run_jobs()
    assert names_in(bucket) == []


def test_a_bucket_that_is_away_keeps_what_has_arrived(alice, bucket):
    file, _created = uploading.begin(alice, key="k", name="a.txt", size=5)
    bucket.objects.delete()
    bucket.delete()
    try:
        with raises_chat_error("unavailable"):
            uploading.add_piece(alice, file.pk, 0, b"12345")
    finally:
        bucket.create(CreateBucketConfiguration={"LocationConstraint": "eu-1"})
    assert uploading.offset_of(uploading.find(alice, file.pk)) == 5
    uploading.add_piece(alice, file.pk, 5)
    assert uploading.find(alice, file.pk).is_complete
