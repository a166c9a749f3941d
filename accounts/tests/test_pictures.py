"""Profile pictures: which files are accepted, how they are converted, and who can see them."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image, ImageFile

from accounts import actions, pictures
from accounts.models import Picture, User
from accounts.tests.helpers import bearer, raises_chat_error
from accounts.tests.test_web import PROFILE, text
from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from tests.html import one, parse

PAGE = "/settings/profile/"
PICTURE_URL = "/api/me/picture/"


def file(kind: str = "PNG", size: tuple[int, int] = (300, 200), colour="red", **saved) -> bytes:
    image = colour if isinstance(colour, Image.Image) else Image.new("RGB", size, colour)
    made = BytesIO()
    image.save(made, kind, **saved)
    return made.getvalue()


def opened(image: bytes) -> Image.Image:
    return Image.open(BytesIO(image))


def uploaded(content: bytes, name: str = "me.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="image/png")


def almost(pixel: tuple[int, ...], wanted: tuple[int, int, int]) -> bool:
    return all(abs(one - other) < 40 for one, other in zip(pixel, wanted, strict=True))


RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def two_halves() -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (400, 400), "red")
    image.paste("blue", (200, 0, 400, 400))
    return image


class TestReencode:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
    def test_accepted_formats_become_a_small_webp_square(self, kind):
        made = opened(pictures.reencode(file(kind)))
        assert (made.format, made.size, made.mode) == ("WEBP", (pictures.SIDE,) * 2, "RGB")
        assert almost(made.getpixel((96, 96)), RED)

    def test_metadata_is_removed(self):
        exif = Image.Exif()
        exif[0x010E] = "SECRET PLACE"
        for kind in ("JPEG", "PNG", "WEBP"):
            given = file(kind, exif=exif) + b"SECRET TAIL"
            assert b"SECRET" in given
            made = pictures.reencode(given)
            assert b"SECRET" not in made
            assert not opened(made).getexif()
            assert b"EXIF" not in made
            assert b"ICCP" not in made

    @pytest.mark.parametrize(
        ("orientation", "left", "right", "top"),
        [(1, RED, BLUE, None), (2, BLUE, RED, None), (3, BLUE, RED, None), (6, None, None, RED)],
    )
    def test_exif_orientation_is_applied(self, orientation, left, right, top):
        exif = Image.Exif()
        exif[0x0112] = orientation
        made = opened(pictures.reencode(file("JPEG", colour=two_halves(), exif=exif)))
        places = {(20, 96): left, (170, 96): right, (96, 20): top}
        assert all(almost(made.getpixel(at), wanted) for at, wanted in places.items() if wanted)

    def test_animation_keeps_only_the_first_frame(self):
        frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue")]
        moving = file("GIF", colour=frames[0], save_all=True, append_images=frames[1:])
        made = opened(pictures.reencode(moving))
        assert getattr(made, "n_frames", 1) == 1
        assert almost(made.getpixel((96, 96)), RED)

    def test_transparency_becomes_white_and_the_image_is_cropped(self):
        clear = Image.new("RGBA", (900, 300), (0, 0, 0, 0))
        clear.paste((255, 0, 0, 255), (400, 100, 500, 200))
        made = opened(pictures.reencode(file("PNG", colour=clear)))
        assert almost(made.getpixel((96, 96)), RED)
        assert almost(made.getpixel((5, 5)), WHITE)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16"])
    def test_uncommon_pixel_modes_are_accepted(self, mode):
        assert opened(pictures.reencode(file(colour=Image.new(mode, (20, 30))))).mode == "RGB"

    def test_digest_depends_on_the_content(self):
        one, same, other = (pictures.reencode(file(colour=c)) for c in ("red", "red", "blue"))
        assert pictures.digest(one) == pictures.digest(same) != pictures.digest(other)


def bomb() -> bytes:
    """A PNG of a few kilobytes that claims to be 30,000 pixels wide and high."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))
        )

    head = struct.pack("!IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
    )


class TestRejected:
    @pytest.mark.parametrize(
        ("given", "code", "sentence"),
        [
            (b"", "empty", "empty"),
            (b"no picture", "invalid", "can’t read this image"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "invalid", "can’t read this image"),
            (file("BMP"), "invalid", "can’t read this image"),
            (file("TIFF"), "invalid", "can’t read this image"),
            (file("PNG")[:60], "invalid", "can’t read this image"),
            (b"x" * (pictures.BYTES_MAX + 1), "too_big", "5 MB"),
            (file("PNG", colour=Image.new("1", (5001, 5000))), "too_big", "25 megapixels"),
            (bomb(), "too_big", "25 megapixels"),
        ],
        ids=["empty", "text", "svg", "bmp", "tiff", "torn", "bytes", "pixels", "bomb"],
    )
    def test_invalid_files_raise_an_error_with_a_reason(self, given, code, sentence):
        with raises_chat_error(code, field="picture") as raised:
            pictures.reencode(given)
        assert sentence in raised.value.detail

    def test_large_images_are_never_decoded(self, monkeypatch):
        given = file("PNG", colour=Image.new("1", (5001, 5000)))
        monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("decoded"))
        with raises_chat_error("too_big", field="picture"):
            pictures.reencode(given)
        with pytest.raises(pytest.fail.Exception):  # otherwise the test would prove nothing
            pictures.reencode(file())

    def test_corrupt_files_only_raise_chat_errors(self):
        chance = random.Random(14)
        for kind in ("PNG", "JPEG", "WEBP", "GIF"):
            whole = bytearray(file(kind, size=(40, 40)))
            for _ in range(60):
                torn = bytearray(whole)
                for _ in range(chance.randint(1, 6)):
                    torn[chance.randrange(len(torn))] = chance.randrange(256)
                try:
                    assert opened(pictures.reencode(bytes(torn))).size == (pictures.SIDE,) * 2
                except ChatError as error:
                    assert error.code in ("invalid", "too_big")  # noqa: PT017

    def test_only_one_image_is_decoded_at_a_time(self, monkeypatch):
        monkeypatch.setattr(pictures, "_PATIENCE", 0.01)
        with pictures._decoding, raises_chat_error("busy"):
            pictures.reencode(file())
        assert pictures.reencode(file())


@pytest.fixture
def pictured(alice) -> User:
    return actions.update_profile(alice, picture=file())


class TestPage:
    def test_uploaded_picture_is_shown(self, browser, alice):
        response = browser.post(PAGE, {**PROFILE, "picture": uploaded(file())})
        assert response.status_code == 303
        alice.refresh_from_db()
        assert alice.picture_url
        page = browser.get(PAGE).content.decode()
        # Beside the form, and in the sidebar.
        assert len(parse(page).select(f'img[src="{alice.picture_url}"]')) == 2
        assert "Remove picture" in page
        shown = browser.get(alice.picture_url)
        assert opened(shown.content).size == (pictures.SIDE,) * 2

    def test_saving_other_fields_keeps_the_picture(self, browser, pictured):
        assert browser.post(PAGE, {**PROFILE, "name": "Al"}).status_code == 303
        assert User.objects.get().picture == pictured.picture

    def test_removing_the_picture_saves_other_fields(self, browser, pictured):
        given = {**PROFILE, "name": "Alice A", "remove_picture": "1"}
        assert browser.post(PAGE, given).status_code == 303
        user = User.objects.get()
        assert (user.name, user.picture, user.picture_url) == ("Alice A", "", None)
        assert not Picture.objects.exists()
        assert "Remove picture" not in browser.get(PAGE).content.decode()

    @pytest.mark.parametrize(
        ("given", "status", "sentence"),
        [
            (b"no picture", 400, "can’t read this image"),
            (b"", 400, "This file is empty."),
            (b"x" * (pictures.BYTES_MAX + 1), 413, "too big"),
        ],
    )
    def test_invalid_file_keeps_the_other_fields(self, browser, pictured, given, status, sentence):
        changes = {**PROFILE, "name": "Alice Another", "theme": "dark"}
        response = browser.post(PAGE, {**changes, "picture": uploaded(given)})
        assert response.status_code == status
        assert list(response.context["form"].errors) == ["picture"]
        assert sentence in text(response)
        assert one(response, "input[name=name]")["value"] == "Alice Another"
        assert response.context["form"]["theme"].value() == "dark"
        user = User.objects.get()
        assert (user.name, user.picture) == ("Alice", pictured.picture)

    def test_full_disk_is_said(self, browser, pictured, monkeypatch, settings, tmp_path):
        def full(**given):
            raise OSError(28, "No space left on device")

        settings.DATA_DIR = tmp_path
        monkeypatch.setattr("tempfile.TemporaryFile", full)
        answer = browser.post(PAGE, {**PROFILE, "picture": uploaded(bytes(3_000_000))})
        assert answer.status_code == 507
        assert "There’s no space left for files." in answer.content.decode()

    def test_invalid_field_keeps_the_old_picture(self, browser, pictured):
        given = {**PROFILE, "name": "", "picture": uploaded(file(colour="blue"))}
        assert browser.post(PAGE, given).status_code == 400
        assert User.objects.get().picture == pictured.picture


def test_uploads_are_rate_limited(browser, pictured, settings):
    settings.LIMITS = {**settings.LIMITS, "pictures": "1/h"}
    limiter.clear()
    given = {**PROFILE, "name": "Alice A"}
    blue, green = (uploaded(file(colour=colour)) for colour in ("blue", "green"))
    assert browser.post(PAGE, {**given, "picture": blue}).status_code == 303
    response = browser.post(PAGE, {**given, "name": "Alice B", "picture": green})
    assert response.status_code == 429
    assert one(response, "input[name=name]")["value"] == "Alice B"
    # Without a picture the limit does not apply.
    assert browser.post(PAGE, given).status_code == 303


class TestPictureView:
    def test_response_is_cached_forever_and_not_sniffed(self, browser, pictured):
        response = browser.get(pictured.picture_url)
        assert response["Content-Type"] == "image/webp"
        assert response["Cache-Control"] == "private, max-age=31536000, immutable"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Cross-Origin-Resource-Policy"] == "same-origin"

    def test_new_picture_has_a_new_url_and_the_old_one_is_gone(self, browser, pictured):
        before = pictured.picture_url
        actions.update_profile(pictured, picture=file(colour="blue"))
        assert pictured.picture_url != before
        assert browser.get(before).status_code == 404
        assert browser.get(pictured.picture_url).status_code == 200

    def test_requires_sign_in(self, pictured, bob, pair):
        assert Client().get(pictured.picture_url).status_code == 401
        program = Client().get(pictured.picture_url, **bearer(pair.access))
        assert program["Content-Type"] == "image/webp"
        bobs = Client()
        bobs.force_login(bob)
        assert bobs.get(pictured.picture_url).status_code == 200

    def test_browser_accept_header_for_images_works(self, browser, pictured):
        accepted = "image/avif,image/webp"
        assert browser.get(pictured.picture_url, headers={"accept": accepted}).status_code == 200

    @pytest.mark.parametrize("digest", ["0" * 32, "%00", "..", "é", "x" * 300])
    def test_unknown_urls_return_404(self, browser, pictured, digest):
        for pk in (pictured.pk, 2**70):
            assert browser.get(f"/api/users/{pk}/picture/{digest}/").status_code == 404

    def test_picture_url_matches_the_url_pattern(self, pictured):
        known = reverse("api:user_picture", args=[pictured.pk, pictured.picture])
        assert pictured.picture_url == known

    def test_hue_is_constant_until_one_is_chosen(self, alice):
        assert alice.hue == alice.pk * 7 % 12
        assert actions.update_profile(alice, chosen_hue=0).hue == 0


class TestApi:
    def put(self, api, pair, content=None, kind="image/png"):
        content = file() if content is None else content
        return api.put(PICTURE_URL, content, content_type=kind, **bearer(pair.access))

    def test_picture_can_be_uploaded_and_deleted(self, api, alice, pair):
        response = self.put(api, pair)
        assert response.status_code == 200
        alice.refresh_from_db()
        assert response.json()["picture"] == alice.picture_url
        assert api.get("/api/me/", **bearer(pair.access)).json()["picture"] == alice.picture_url
        assert api.delete(PICTURE_URL, **bearer(pair.access)).status_code == 204
        assert api.get("/api/me/", **bearer(pair.access)).json()["picture"] is None
        assert not Picture.objects.exists()

    @pytest.mark.parametrize(
        ("content", "kind", "status", "code"),
        [
            (b"no picture", "image/png", 400, "invalid"),
            (b"", "image/png", 400, "empty"),
            (b"x" * (pictures.BYTES_MAX + 1), "image/jpeg", 413, "too_big"),
            (b"{}", "application/json", 415, "unsupported_media"),
            (file(), "text/html", 415, "unsupported_media"),
        ],
    )
    def test_invalid_uploads_are_rejected(self, api, alice, pair, content, kind, status, code):
        response = self.put(api, pair, content, kind)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert "JSON" not in response.json()["detail"]
        alice.refresh_from_db()
        assert alice.picture == ""

    def test_anonymous_requests_get_401(self, api, db):
        assert api.put(PICTURE_URL, file(), content_type="image/png").status_code == 401
        assert api.delete(PICTURE_URL).status_code == 401


def test_staff_cannot_remove_the_picture_of_a_superuser(browser, pictured, root):
    actions.update_profile(root, picture=file(colour="blue"))
    pictured.is_staff = True
    pictured.save()
    allowed = Permission.objects.filter(codename__in=["change_user", "view_user"])
    pictured.user_permissions.set(allowed)
    chosen = {"action": "remove_pictures", "_selected_action": [pictured.pk, root.pk]}
    browser.post("/admin/accounts/user/", chosen)
    assert list(Picture.objects.values_list("user_id", flat=True)) == [root.pk]
