"""Custom emoji over REST."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from conversations.custom_emoji import limits
from conversations.custom_emoji.tests.conftest import animation, picture
from conversations.tests.helpers import new_key, person_json

pytestmark = pytest.mark.django_db
ROOT = "/api/emoji/"


def post(client: Client, data: bytes | None = None, **body: Any) -> Any:
    file = SimpleUploadedFile("x.png", picture() if data is None else data, "text/html")
    return client.post(ROOT, {"key": new_key(), "name": "blobcat", "picture": file, **body})


def test_emoji_from_adding_to_removing(api_of, alice, bob):
    client, other = api_of(alice), api_of(bob)
    key = new_key()
    made = post(client, key=key)
    assert made.status_code == 201
    emoji = made.json()
    url = emoji["url"]
    assert emoji == {
        "id": emoji["id"],
        "name": "blobcat",
        "url": url,
        "still": None,
        "reaction": f":blobcat:{url.split('/')[2]}",
        "added_by": person_json(alice),
        "created_at": emoji["created_at"],
    }
    again = post(client, key=key)
    assert (again.status_code, again.json()) == (200, emoji)
    assert other.get(ROOT).json() == {"results": [emoji], "can_add": True}

    one = f"{ROOT}{emoji['id']}/"
    json = "application/json"
    assert other.patch(one, {"name": "theirs"}, content_type=json).status_code == 403
    assert other.delete(one).status_code == 403
    renamed = client.patch(one, {"name": "cat-blob"}, content_type=json)
    assert (renamed.status_code, renamed.json()["name"]) == (200, "cat-blob")
    assert client.delete(one).status_code == 204
    assert client.delete(one).status_code == 404
    assert other.get(ROOT).json()["results"] == []
    assert other.get(url).status_code == 200  # messages still show it


def test_bad_requests_have_a_code_and_fields(api_of, alice, settings):
    client = api_of(alice)
    for body, code, field in (
        ({"name": "x"}, "invalid", "name"),
        ({"name": "smile"}, "invalid", "name"),
        ({"key": "bad key"}, "invalid", "key"),
        ({"data": b""}, "empty", "picture"),
        ({"data": b"<svg/>"}, "bad_file", "picture"),
        ({"data": bytes(limits.BYTES_MAX + 1)}, "too_big", "picture"),
        ({"extra": "1"}, "invalid", "extra"),
    ):
        response = post(client, **body)
        assert response.status_code in (400, 413, 422), body
        assert (response.json()["code"], list(response.json()["fields"])) == (code, [field])
    as_json = client.post(ROOT, {"name": "blobcat"}, content_type="application/json")
    assert as_json.status_code == 415
    settings.CUSTOM_EMOJI = "administrators"
    assert post(client).json()["code"] == "not_allowed"
    assert client.get(ROOT).json() == {"results": [], "can_add": False}


def test_session_needs_a_csrf_token(alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert post(client).status_code == 403


def test_list_takes_one_query_for_all(api_of, alice, bob, add, django_assert_max_num_queries):
    for number in range(3):
        add((alice, bob)[number % 2], f"emoji{number}", picture(colour=f"#{number}{number}0000"))
    client = api_of(alice)
    with django_assert_max_num_queries(3):  # the token, the emoji, the policy
        assert len(client.get(ROOT).json()["results"]) == 3


def test_picture_is_served_to_signed_in_people_and_kept(api_of, alice, bob, add):
    emoji = add(alice, "dancing", animation())
    moving, still = f"/emoji/{emoji.picture_id}/", f"/emoji/{emoji.picture_id}/still/"
    client = Client()
    assert client.get(moving).url.startswith("/sign-in/")
    client.force_login(bob)
    for url in (moving, still):
        response = client.get(url)
        assert (response.status_code, response["Content-Type"]) == (200, "image/webp")
        assert response["Cache-Control"] == "private, max-age=31536000, immutable"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response["Content-Security-Policy"]
        assert response.content[8:12] == b"WEBP"
    assert client.get(moving).content != client.get(still).content
    assert api_of(bob).get(moving).status_code == 200
    for wrong in ("s" + "0" * 20, "x", "a\x00b", "../x"):
        assert client.get(f"/emoji/{wrong}/").status_code == 404
    assert client.post(moving).status_code == 405
