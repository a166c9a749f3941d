"""Invitations in a browser: from the link to the first message, copying, accessibility, German."""

from __future__ import annotations

import contextlib
import re
import time
from io import BytesIO
from typing import Any, cast
from urllib.parse import urljoin

import pytest
import segno
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import bubble, violations
from tests.browser.test_german import english_on
from tests.installations import Builder, ChatServer, eventually
from tests.markers import first_of
from tests.smtp import MailServer

_CREATE = """
from accounts.models import User
from conversations import actions
from conversations.invitations.actions import create_invitation, revoke
from django.utils.crypto import get_random_string
alice, bob = (User.objects.get(email=f"{n}@example.org") for n in ("alice", "bob"))
room = actions.create_conversation(alice, name="Hafen", member_ids=[bob.pk])
actions.send_message(bob, room.pk, key=get_random_string(8), body="Moin")
both = [room.pk, actions.create_conversation(alice, name="Markt").pk]
def make(ids):
    return create_invitation(alice, key=get_random_string(8), conversation_ids=ids, note="Moin")
ended = make(both)
revoke(alice, ended.invitation.pk)
print("MADE", room.pk, make(both[:1]).token, make(both).token, ended.token)
"""
PASSWORD = "seven slow ferries"


@pytest.fixture
def made(server: ChatServer) -> dict[str, str]:
    """The paths of a conversation, of links to it and to two, and of one that was revoked."""
    printed = server.manage("shell", "-v", "0", "-c", _CREATE)
    found = re.search(r"MADE (\d+) (\S+) (\S+) (\S+)", printed)
    assert found
    room, *tokens = found.groups()
    links = dict(zip(("one", "two", "ended"), (f"/invite/{each}/" for each in tokens), strict=True))
    return {"room": f"/c/{room}/", "id": room, **links}


def sign_up(page: Page, email: str, *, javascript: bool = False) -> None:
    page.locator("input[name=name]").fill("Mina Park")
    page.locator("input[name=email]").fill(email)
    button = page.locator("form button[type=submit]")
    if javascript:
        where = button.bounding_box()
        for password, level in (("seven", 1), (email, 1), ("sevenslow", 2), (PASSWORD, 4)):
            page.locator("input[name=password]").fill(password)
            expect(page.locator(".strength")).to_have_attribute("data-level", str(level))
        expect(page.locator(".strength [role=status]")).to_have_text(re.compile("Strong|Stark"))
        assert button.bounding_box() == where
    page.locator("input[name=password]").fill(PASSWORD)
    button.click()


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("locale", first_of("en-GB", "de-DE"))
def test_three_screens_from_link_to_first_message_on_a_phone(
    javascript: bool, locale: str, visit: Visit, server: ChatServer, made: dict[str, str]
) -> None:
    """The link, the conversation, and the conversation with the message, within a minute."""
    started = time.monotonic()
    visitor = visit(server, phone=True, javascript=javascript, locale=locale)
    page = visitor.goto(made["one"])
    screens = [page.locator("h1").inner_text()]
    sign_up(page, f"mina-{javascript}-{locale}@example.org".lower(), javascript=javascript)
    page.wait_for_url(f"**{made['room']}")
    screens.append(page.locator("h1").inner_text())
    expect(page.locator(".notice").last).to_contain_text(re.compile("Mina Park.*Alice"))
    expect(page.locator(".flash--success")).to_be_visible()
    if javascript:
        page.evaluate("import('chatty/views/flash.js').then(() => null)")
    page.locator("#composer-body").fill("Hello everyone!")
    page.locator("form:has(#composer-body) button[type=submit]").click()
    expect(bubble(page, "Hello everyone!")).to_be_visible()
    expect(page.locator(".flash--success")).to_have_count(0)  # what was said before
    assert time.monotonic() - started < 60
    assert screens == [{"en-GB": "Join Hafen", "de-DE": "Tritt Hafen bei"}[locale], "Hafen"]


@pytest.mark.long
def test_link_can_be_copied(visit: Visit, server: ChatServer, made: dict[str, str]) -> None:
    visitor = visit(server, "Alice", permissions=["clipboard-read", "clipboard-write"])
    page = visitor.goto(f"/invitations/?conversation={made['id']}")
    page.locator("form[action='/invitations/'] button[type=submit]").click()
    link = page.locator("#new-link").input_value()
    page.locator("main summary").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert modules_on(page.locator("svg.qr")) == segno.make(link, error="m").matrix
    page.locator("[data-view=copy_link]").click()  # afterwards: a toast can cover the code
    expect(page.locator(".toast")).to_contain_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == link
    stranger = visit(server, phone=True)
    stranger.page.goto(link)
    expect(stranger.page.locator("h1")).to_have_text("Join Hafen")


def modules_on(code: Locator) -> tuple[bytearray, ...]:
    """Return what a camera sees of a QR code, without its border: rows with 1 for dark and 0 for light."""
    size = int(str(code.get_attribute("viewBox")).split()[-1])
    with Image.open(BytesIO(code.screenshot())) as picture:
        grey = picture.convert("L")
    scale = grey.width / size

    def is_dark(row: int, column: int) -> bool:
        place = int((column + 0.5) * scale), int((row + 0.5) * scale)
        return int(cast(int, grey.getpixel(place))) < 128

    inner = range(4, size - 4)
    return tuple(bytearray(is_dark(row, column) for column in inner) for row in inner)


@pytest.mark.long
def test_link_can_be_selected_without_scripts(
    visit: Visit, server: ChatServer, made: dict[str, str]
) -> None:
    page = visit(server, "Alice", javascript=False).goto("/invitations/")
    page.locator("form[action='/invitations/'] button[type=submit]").click()
    expect(page.locator("#new-link")).to_be_visible()
    expect(page.locator("[data-view=copy_link]")).to_be_hidden()
    page.locator("main summary").click()
    expect(page.locator("svg.qr")).to_be_visible()


@pytest.mark.long
def test_everything_can_be_done_with_the_keyboard(
    visit: Visit, server: ChatServer, made: dict[str, str]
) -> None:
    page = visit(server, "Alice").goto("/?list")
    page.locator(".sidebar__last").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/invitations/")
    page.locator("input[name=note]").first.focus()
    for _ in range(3):  # over both choices to the button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#new-link")).to_be_visible()
    expect(page.locator("[data-view=copy_link]")).to_be_visible()  # its script has loaded
    page.locator("#new-link").focus()
    page.keyboard.press("Tab")
    expect(page.locator("[data-view=copy_link]")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("svg.qr")).to_be_visible()


_ADMIN = """
from accounts.models import User
from conversations import actions
from conversations.models import Conversation
actions.set_welcome(Conversation.objects.get(name="Welcome").pk)  # as after a setup
admin = User.objects.get(is_superuser=True)
admin.set_password("seven slow ferries")
admin.save()
print("ADMIN", admin.email)
"""


@pytest.mark.parametrize("javascript", first_of(True, False), ids=["scripts", "no scripts"])
def test_first_administrator_finds_a_link_after_the_setup(
    javascript: bool, visit: Visit, builder: Builder
) -> None:
    with contextlib.closing(builder.sqlite()) as installation:
        server = installation.serve()
        found = re.search(r"ADMIN (\S+)", server.manage("shell", "-v", "0", "-c", _ADMIN))
        assert found
        page = visit(server, javascript=javascript).goto("/sign-in/")
        page.locator("input[name=email]").fill(found[1])
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("input[name=password]").press("Enter")
        page.wait_for_url("**/settings/installation/")
        page.get_by_role("button", name="Save").click()
        link = page.locator("#setup-link").input_value()
        page.get_by_role("link", name="Go to Welcome").click()
        page.wait_for_url("**/c/*/")
        expect(page.locator("h1")).to_have_text("Welcome")
        expect(page.locator("#setup-link")).to_have_value(link)
        copies = page.locator("[data-view=copy_link]")
        expect(copies).to_be_visible(visible=javascript)
        stranger = visit(server, phone=True, javascript=javascript)
        stranger.page.goto(link)
        sign_up(stranger.page, "mina@example.org")
        stranger.page.wait_for_url("**/c/*/")
        expect(stranger.page.locator("h1")).to_have_text("Welcome")
        if javascript:
            assert violations(page) == []
        take_first_steps(stranger.page, javascript)
        talk_to_someone(stranger.page, page, javascript)


def take_first_steps(page: Page, javascript: bool) -> None:
    """Do what the card for newcomers offers, and hide it."""
    card = page.locator(".newcomer")
    done = card.locator("[data-done]")
    expect(card.locator("h2")).to_have_text("Hello Mina Park, good to have you here")
    expect(card.locator(".step:visible")).to_have_count(3 if javascript else 2)
    expect(done).to_have_count(1)
    if javascript:
        assert violations(page) == []
        card.locator("[data-step=hello] a").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#composer-body")).to_be_focused()
    page.locator("#composer-body").fill("Hello everyone!")
    page.locator("form:has(#composer-body) button[type=submit]").click()
    expect(done).to_have_count(2)
    card.get_by_role("button", name="Hide").press("Enter")
    expect(card).to_have_count(0)
    expect(bubble(page, "Hello everyone!")).to_be_visible()
    page.reload()
    expect(bubble(page, "Hello everyone!")).to_be_visible()
    expect(card).to_have_count(0)


def talk_to_someone(mina: Page, other: Page, javascript: bool) -> None:
    """Message the first of the people below the list; with scripts, that loads no page. The section goes,
    also for them, who see it live."""
    for page in (mina, other):
        page.goto(urljoin(page.url, "/?list"))
        expect(page.locator(".to-talk-to button").first).to_be_visible()
    if javascript:
        assert violations(mina) == []
        first = mina.locator("#conversations .row__link").first
        first.focus()
        mina.keyboard.press("Tab")  # the menu of the row
        mina.keyboard.press("Tab")
        expect(mina.locator("[data-section=people] > summary")).to_be_focused()
        mina.keyboard.press("Tab")
        mina.evaluate("window.isSamePage = true")
        mina.keyboard.press("Enter")
    else:
        mina.locator(".to-talk-to button").first.click()
    mina.wait_for_url("**/c/*/")
    if javascript:
        assert mina.evaluate("window.isSamePage")
    expect(mina.locator(".to-talk-to")).to_have_count(0)
    mina.locator("#composer-body").fill("Where do I find lunch?")
    mina.locator("form:has(#composer-body) button[type=submit]").click()
    expect(bubble(mina, "Where do I find lunch?")).to_be_visible()
    if javascript:
        expect(other.locator(".to-talk-to")).to_have_count(0)


@pytest.mark.long
@pytest.mark.parametrize("locale", first_of("de-DE", "en-GB"))
def test_invitation_by_email_arrives_and_is_accepted(
    locale: str, visit: Visit, builder: Builder
) -> None:
    given = "Mina Park <mina@example.org>, bob@example.org, nobody"
    with MailServer() as mail, contextlib.closing(builder.sqlite()) as installation:
        server = installation.serve(EMAIL_URL=mail.url)
        visitor = visit(server, "Alice", phone=True, locale=locale)
        page = visitor.goto("/invitations/")
        page.locator("#emails_addresses").fill(given)
        assert violations(page) == []
        page.locator("form[action='/invitations/email/'] button[type=submit]").click()
        answers = page.locator("[aria-labelledby=answers] li")
        expect(answers).to_have_count(3)
        assert violations(page) == []
        assert english_on(page) == "" or locale == "en-GB"
        eventually(lambda: mail.messages)
        (message,) = mail.messages
        assert message["To"] == "mina@example.org"
        text = message.get_payload(decode=True)
        assert isinstance(text, bytes)
        found = re.search(rb"http://\S+/invite/\S+", text)
        assert found
        mina = visit(server, phone=True, locale=locale).page
        mina.goto(found[0].decode())
        expect(mina.locator("input[name=email]")).to_have_value("mina@example.org")
        sign_up(mina, "mina@example.org")
        expect(mina.locator(".flash--success")).to_contain_text("Mina Park")
        # The token of the link is in no log.
        token = found[0].decode().rstrip("/").rpartition("/")[2]
        assert token not in server.output()


def pages(visit: Visit, server: ChatServer, made: dict[str, str], **options: Any) -> list[Page]:
    """Every page about invitations, each in a tab of its own."""
    found = []
    stranger = visit(server, **options)
    stranger.allow("410")
    for path in (made["one"], f"{made['two']}?sign-in", made["ended"]):
        found.append(stranger.new_tab())
        found[-1].goto(server.url + path)
    for name, path in (
        ("Carol", made["two"]),
        ("Bob", made["one"]),
        ("Carol", f"{made['one']}?sign-up"),
    ):
        found.append(visit(server, name, **options).goto(path))
    page = visit(server, "Alice", **options).goto(f"/invitations/?conversation={made['id']}")
    page.locator("form[action='/invitations/'] button[type=submit]").click()
    page.locator("main summary").click()
    found.append(page)
    return found


@pytest.mark.parametrize("phone", first_of(True, False), ids=["phone", "desktop"])
@pytest.mark.long
def test_axe_finds_no_violations(
    phone: bool, visit: Visit, server: ChatServer, made: dict[str, str]
) -> None:
    found = {}
    for page in pages(visit, server, made, phone=phone):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            if wrong := violations(page):
                found[f"{page.url} {scheme}"] = wrong
    assert found == {}


@pytest.mark.long
def test_pages_are_german_and_fit_a_phone(
    visit: Visit, server: ChatServer, made: dict[str, str]
) -> None:
    for page in pages(visit, server, made, phone=True, locale="de-DE"):
        assert english_on(page) == ""
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, page.url
