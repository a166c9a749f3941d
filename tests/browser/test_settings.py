"""The settings pages in a browser: picture, colour, theme and password, with and without JavaScript."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Visit
from tests.installations import ChatServer, eventually
from tests.markers import first_of


def picture(colour: str = "teal", size: tuple[int, int] = (640, 480)) -> FilePayload:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return {"name": "me.png", "mimeType": "image/png", "buffer": file.getvalue()}


TOO_BIG: FilePayload = {
    "name": "big.png",
    "mimeType": "image/png",
    "buffer": b"x" * (5 * 1024 * 1024 + 1),
}


def saved(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Profile saved.")).to_be_visible()


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return colour


def quiet(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.querySelector('.field__help')).color")
    return colour


@pytest.mark.parametrize("javascript", first_of(False, True), ids=["plain", "scripts"])
def test_picture_is_uploaded_and_removed(
    javascript: bool, visit: Visit, server: ChatServer
) -> None:
    page = visit(server, "Alice", javascript=javascript).goto("/settings/profile/")
    page.get_by_label("Picture").set_input_files(picture())
    page.get_by_label("Your name").fill("Alice A")
    saved(page)
    face = page.locator(".sidebar__me .avatar__picture")
    assert face.evaluate("each => each.decode().then(() => each.naturalWidth)") == 192
    page.get_by_label("Your name").fill("Alice")
    page.get_by_role("button", name="Remove picture").click()
    expect(page.get_by_text("Profile saved.")).to_be_visible()
    expect(face).to_have_count(0)
    expect(page.locator("[data-slot=my-name]")).to_have_text("Alice")


def test_invalid_picture_is_rejected_and_other_fields_are_kept(
    visit: Visit, server: ChatServer
) -> None:
    visitor = visit(server, "Alice")
    visitor.allow("400")
    page = visitor.goto("/settings/profile/")
    page.get_by_label("Your name").fill("Alice in between")
    page.get_by_label("Teal").check(force=True)
    junk: FilePayload = {"name": "me.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.get_by_label("Picture").set_input_files(junk)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Chatty can’t read this image")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Alice in between")
    expect(page.get_by_label("Teal")).to_be_checked()
    expect(page.locator("[data-slot=my-name]")).to_have_text("Alice")


@pytest.mark.long
def test_picture_is_previewed_and_a_large_file_rejected_before_saving(
    visit: Visit, server: ChatServer
) -> None:
    page = visit(server, "Alice").goto("/settings/profile/")
    field, face = page.get_by_label("Picture"), page.locator(".portrait .avatar img")
    expect(field).to_have_attribute("data-max", str(5 * 1024 * 1024))

    def is_shown() -> bool:
        field.set_input_files(picture())
        return face.count() == 1

    eventually(is_shown)  # the script loads after the page
    assert face.evaluate("each => each.decode().then(() => each.naturalWidth)") == 640
    field.set_input_files(TOO_BIG)
    expect(face).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).click()
    assert field.evaluate("each => each.validationMessage") == ("This file is too big (max 5 MB).")
    field.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(face).to_have_count(0)
    assert field.evaluate("each => each.validity.valid")


@pytest.mark.long
def test_large_file_is_rejected_in_the_form_without_scripts(
    visit: Visit, server: ChatServer
) -> None:
    visitor = visit(server, "Alice", javascript=False)
    visitor.allow("413")
    page = visitor.goto("/settings/profile/")
    page.get_by_label("Your name").fill("Alice in between")
    page.get_by_label("Picture").set_input_files(TOO_BIG)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("This file is too big (max 5 MB).")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Alice in between")


def test_colour_is_chosen_by_keyboard(visit: Visit, server: ChatServer) -> None:
    page = visit(server, "Bob").goto("/settings/profile/")
    page.get_by_label("Automatic").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    saved(page)
    expect(page.locator(".sidebar__me .avatar--h1")).to_have_count(1)


def test_emoji_of_a_status_is_chosen_in_the_picker(visit: Visit, server: ChatServer) -> None:
    page = visit(server, "Alice").goto("/settings/status/")
    page.get_by_role("button", name="Choose an emoji").click()
    page.get_by_role("combobox", name="Search emoji").fill("palm tree")
    page.keyboard.press("Enter")
    field = page.get_by_role("textbox", name="Emoji")
    expect(field).to_be_focused()
    expect(field).to_have_value("🌴")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".sidebar__status")).to_have_text("🌴")


@pytest.mark.long
def test_theme_overrides_the_device_without_scripts(visit: Visit, server: ChatServer) -> None:
    page = visit(server, "Carol", color_scheme="light", javascript=False).goto("/settings/profile/")
    light, ordinary = background(page), quiet(page)
    page.get_by_label("Theme").select_option("Dark")
    page.get_by_label("Contrast").select_option("High")
    saved(page)
    assert background(page) == "rgb(0, 0, 0)"
    assert quiet(page) != ordinary
    page.get_by_label("Contrast").select_option("Standard")
    saved(page)
    dark = background(page)
    assert dark not in (light, "rgb(0, 0, 0)")
    page.emulate_media(contrast="more")
    assert background(page) == dark
    page.get_by_label("Contrast").select_option("System default")
    page.get_by_label("Theme").select_option("System default")
    saved(page)
    assert background(page) == "rgb(255, 255, 255)"
    page.emulate_media(contrast="no-preference", color_scheme="dark")
    assert background(page) == dark


@pytest.mark.long
def test_settings_tabs_form_even_rows_on_a_phone(visit: Visit, server: ChatServer) -> None:
    page = visit(server, "Alice", phone=True).goto("/settings/profile/")
    tops = page.evaluate(
        "[...document.querySelectorAll('.settings-nav a')].map(a => a.getBoundingClientRect().top)"
    )
    assert tops[0] == tops[1] < tops[2] == tops[3]


@pytest.mark.long
def test_password_reset_works_without_scripts(visit: Visit, server: ChatServer) -> None:
    server.manage("shell", "-v", "0", "-c", _FORGETFUL)
    page = visit(server, javascript=False).goto("/sign-in/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email address").fill("dora@example.org")
    page.get_by_role("button", name="Send link").click()
    expect(page.get_by_role("heading", name="Check your email")).to_be_visible()
    # Without a mail server, emails are printed to the log.
    eventually(lambda: "/password/reset/" in server.output())
    found = re.search(rf"{server.url}(/password/reset/\S+)", server.output())
    assert found, server.output()
    page.goto(server.url + found[1])
    page.get_by_label("New password", exact=True).fill("another blue teapot")
    page.get_by_label("Confirm new password").fill("another blue teapot")
    page.get_by_role("button", name="Set new password").click()
    expect(page.get_by_text("Password changed.")).to_be_visible()
    page.get_by_label("Email address").fill("dora@example.org")
    page.get_by_label("Password", exact=True).fill("another blue teapot")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("[data-slot=my-name]")).to_have_text("Dora")


_FORGETFUL = """
from accounts.models import User
User.objects.create_user("dora@example.org", "whatever that was", name="Dora")
"""
