"""The settings page of custom emoji, and the admin site."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from conversations.custom_emoji import limits, queries
from conversations.custom_emoji.models import CustomEmoji
from conversations.custom_emoji.tests.conftest import picture
from tests.html import one, parse, values, words

pytestmark = pytest.mark.django_db
PAGE = "/settings/emoji/"
LIST = "/admin/custom_emoji/customemoji/"


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def upload(client: Client, name: str = "", data: bytes | None = None, **form: Any) -> Any:
    key = one(client.get(PAGE), "input[name=key]")["value"]
    data = picture() if data is None else data
    file = SimpleUploadedFile("Blob cat.png", data, "image/png")
    return client.post(PAGE, {"key": key, "name": name, "picture": file, **form})


def test_emoji_is_added_renamed_and_removed(browser):
    assert upload(browser).status_code == 303
    page = browser.get(PAGE)
    shown = words(parse(page))
    assert "Emoji :blob_cat: added." in shown
    assert "Added by Alice on" in shown
    emoji = CustomEmoji.objects.get()
    assert values(page, ".people img", "src") == [f"/emoji/{emoji.picture_id}/"]

    rename, remove = f"{PAGE}{emoji.pk}/rename/", f"{PAGE}{emoji.pk}/remove/"
    assert {rename, remove} <= set(values(page, ".people a", "href"))
    assert one(browser.get(rename), "input[name=name]")["value"] == "blob_cat"
    bad = browser.post(rename, {"name": "x"})
    assert bad.status_code == 400
    assert one(bad, "input[name=name]")["value"] == "x"
    renamed = browser.post(rename, {"name": ":blobcat:"}, follow=True)
    assert "Emoji renamed to :blobcat:." in words(parse(renamed))
    assert "Remove :blobcat:?" in words(parse(browser.get(remove)))
    removed = browser.post(remove, follow=True)
    assert "Emoji :blobcat: removed." in words(parse(removed))
    assert "None yet." in words(parse(removed))
    assert browser.get(remove).status_code == 404


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"data": b"<svg/>"}, "Use a PNG, JPEG, WebP or GIF."),
        ({"data": bytes(limits.BYTES_MAX + 1)}, "This file is too big (max 128 KB)."),
        ({"data": b""}, "This file is empty."),
        ({"name": "smile"}, "There is a built-in emoji with this name."),
        ({"name": "no spaces"}, "Use 2 or more of the letters a to z"),
        ({"picture": ""}, "This field is required."),
    ],
)
def test_bad_upload_says_why_and_keeps_the_name(form, sentence, browser):
    page = upload(browser, **{"name": "blobcat", **form})
    assert page.status_code in (400, 413, 422)
    assert sentence in words(parse(page))
    assert one(page, "input[name=name]")["value"] == form.get("name", "blobcat")
    assert not CustomEmoji.objects.exists()


def test_sending_the_form_twice_adds_one(browser):
    key = one(browser.get(PAGE), "input[name=key]")["value"]
    for _ in range(2):
        assert upload(browser, "blobcat", key=key).status_code == 303
    assert CustomEmoji.objects.count() == 1


def test_page_offers_only_what_the_reader_can_do(browser, bob, add, settings):
    settings.CUSTOM_EMOJI = "administrators"
    bob.is_staff = bob.is_superuser = True
    bob.save()
    emoji = add(bob)
    page = browser.get(PAGE)
    assert "Administrators add them." in words(parse(page))
    assert not values(page, "input[type=file], .people a", "name")
    for path in ("rename", "remove"):
        assert browser.get(f"{PAGE}{emoji.pk}/{path}/").status_code == 403
        assert browser.post(f"{PAGE}{emoji.pk}/{path}/", {"name": "mine"}).status_code == 403
    other = SimpleUploadedFile("x.png", picture(), "image/png")
    refused = browser.post(PAGE, {"key": "k", "name": "mine", "picture": other})
    assert refused.status_code == 403


def test_list_has_pages(browser, alice, add, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(limits, "PAGE", 2)
    for name in ("aa", "bb", "cc", "dd", "ee"):
        add(alice, name)
    first = browser.get(PAGE)
    assert ":aa:" in words(parse(first))
    more = values(first, "main a[href^='?after']", "href")
    assert more == ["?after=bb"]
    second = words(parse(browser.get(PAGE + more[0])))
    assert (":cc:" in second, ":bb:" in second) == (True, False)
    assert browser.get(f"{PAGE}?after=%00").status_code == 200


def test_administrators_remove_and_delete_pictures(admin, alice, add):
    kept, removed, deleted = (
        add(alice, "kept1"),
        add(alice, "removed1"),
        add(alice, "deleted1", picture()),
    )
    page = admin.get(LIST)
    assert ":kept1:" in values(page, "img", "alt")
    for action, emoji in (("remove", removed), ("delete_pictures", deleted)):
        response = admin.post(LIST, {"action": action, "_selected_action": [emoji.pk]}, follow=True)
        assert response.status_code == 200
    queries.forget()
    assert list(queries.Source().names()) == ["kept1"]
    assert admin.get(f"/emoji/{kept.picture_id}/").status_code == 200
    assert admin.get(f"/emoji/{deleted.picture_id}/").status_code == 404
    assert admin.get(f"{LIST}{deleted.pk}/change/").status_code == 200
    alice.is_staff = True
    alice.save()
    viewer = Client()
    viewer.force_login(alice)
    assert viewer.get(LIST).status_code == 403
