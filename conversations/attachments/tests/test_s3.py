"""Files in a bucket of a service that is compatible with S3."""

from __future__ import annotations

import os
import sys

import boto3
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.test import Client
from django.urls import reverse
from django.utils.module_loading import import_string
from moto.server import ThreadedMotoServer

from chatty.common.file_responses import FileResponse
from chatty.conf import file_storage
from chatty.jobs.tests.helpers import run_jobs
from conversations import actions
from conversations.attachments.actions import uploading
from conversations.attachments.models import File
from conversations.attachments.tests.test_media import picture
from conversations.content import FileReference
from conversations.tests.helpers import raises_chat_error, say

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def service():
    server = ThreadedMotoServer(port=0, verbose=False)
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
    assert not list((data_dir / "uploads").iterdir())
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


def test_files_that_a_bucket_has_lost_are_missing_and_can_be_removed(alice, pair, upload, bucket):
    file = upload(alice, "a.png", picture("PNG", (1200, 900)))
    run_jobs()
    message = say(alice, pair, files=(FileReference(file.pk),))
    bucket.objects.delete()
    client = Client()
    client.force_login(alice)
    for name, given in (("file", file.name), ("thumbnail", "small")):
        response = client.get(reverse(f"attachments:{name}", args=[file.pk, given]))
        assert response.status_code == 404
        assert response.content == b"The content of this file has been lost."
    actions.delete_message(alice, message.pk)
    run_jobs()
    assert not File.objects.exists()


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


def test_a_service_that_does_not_answer_is_left_soon(data_dir, monkeypatch):
    """The defaults of the library wait for a minute, five times."""
    monkeypatch.setitem(os.environ, "FILES_URL", "s3://chatty?addressing_style=path")
    options = file_storage.get_storage(data_dir, served_by_proxy=False)["OPTIONS"]
    config = import_string(file_storage.BUCKET)(**options).client_config
    assert (config.connect_timeout + config.read_timeout) * config.retries[
        "total_max_attempts"
    ] < 30
    assert config.s3 == {"addressing_style": "path"}


def test_a_wrong_address_of_a_bucket_is_explained(data_dir, monkeypatch):
    for wrong in ("https://chatty", "s3://", "s3://chatty?colour=red"):
        monkeypatch.setitem(os.environ, "FILES_URL", wrong)
        with pytest.raises(ImproperlyConfigured, match="must look like"):
            file_storage.get_storage(data_dir, served_by_proxy=False)
    monkeypatch.setitem(os.environ, "FILES_URL", "s3://chatty")
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(ImproperlyConfigured, match="django-storages"):
        file_storage.get_storage(data_dir, served_by_proxy=False)
