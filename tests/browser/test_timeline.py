"""What messages can contain, and what one can do with them, with and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, bubble, enter, hold, long_press, swipe, write

CODE = "```sql\nselect *\n  from orders where id = 'x' -- all\n```"
LONG = "\n".join(f"Line {number}" for number in range(40))
TABLE = "| Name | Count |\n|--|--:|\n| " + "apple" * 60 + " | 12 |"


def height(page: Page, words: str) -> float:
    box = bubble(page, words).locator(".message__bubble").bounding_box()
    assert box
    return box["height"]


# Where the first and the last letter of a block are: px from its left side, and how wide it is.
_LETTERS = """each => {
    const box = each.getBoundingClientRect(), text = each.firstChild, range = document.createRange();
    const places = [0, text.length - 1].map((at) => {
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        return range.getBoundingClientRect().left - box.left;
    });
    return [...places, box.width];
}"""


@pytest.mark.long
def test_each_paragraph_and_item_has_its_own_direction_and_print_has_no_skip_link(
    visit: Visit, room: Room
) -> None:
    room.say(room.bob, "A first line that makes all of them wide\n\nשלום!\n\n- One\n- שתיים!")
    page = visit(room.server, "Alice", javascript=False).goto(room.path)
    message = page.locator(".message", has_text="A first line")
    blocks = [*message.locator("p").all(), *message.locator("li").all()]
    english, hebrew, one, two = (each.evaluate(_LETTERS) for each in blocks)
    for first, last, _width in (english, one):
        assert first < 2
        assert first < last
    for first, last, width in (hebrew, two):
        assert first > width - 20  # at the right side, and the sentence mark at the other end
        assert last < first
    page.emulate_media(media="print")
    expect(page.locator(".skip-link")).to_be_hidden()
    expect(message).to_be_visible()


def test_spoilers_and_long_messages_open_without_scripts(visit: Visit, room: Room) -> None:
    room.say(room.bob, "The butler is ||innocent|| after all")
    room.say(room.bob, LONG)
    page = visit(room.server, "Alice", javascript=False).goto(room.path)
    secret = page.get_by_text("innocent")
    expect(secret).to_be_hidden()
    box = page.get_by_role("checkbox", name="Spoiler")
    box.focus()
    page.keyboard.press("Space")
    expect(secret).to_be_visible()
    assert height(page, "Line 0") < 400
    more = page.get_by_role("checkbox", name="Show more")
    label, around = (
        more.bounding_box(),
        bubble(page, "Line 0").locator(".message__bubble").bounding_box(),
    )
    assert label
    assert around
    assert label["x"] + label["width"] < around["x"] + around["width"]  # the lines are shorter
    more.check()
    assert height(page, "Line 0") > 800


def test_code_is_highlighted_and_copied_and_a_reaction_changes_nothing_else(
    visit: Visit, room: Room, bob: Page
) -> None:
    asked = room.say(room.bob, f"||Secret||\n\n{CODE}\n\n{TABLE}")
    visitor = visit(room.server, "Alice", permissions=["clipboard-read", "clipboard-write"])
    page = enter(visitor, room)
    message = page.locator(f"#m{asked['id']}")
    code = message.locator(".code")
    expect(code.locator(".code__word")).to_have_text(["select", "from", "where"])
    expect(code.locator(".code__text")).to_have_text("'x'")
    expect(code.locator(".code__note")).to_have_text("-- all")
    code.get_by_role("button", name="Copy").click()
    expect(page.locator("#announcer")).to_contain_text("Code copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "select *\n  from orders where id = 'x' -- all"
    table = message.locator(".table")
    assert table.evaluate("each => each.scrollWidth > each.clientWidth")
    message.get_by_role("checkbox", name="Spoiler").check()
    bob.locator(f"#m{asked['id']}").hover()
    bob.locator(f"#m{asked['id']} [data-quick]").first.click()
    expect(message.locator(".chip")).to_have_count(1)
    expect(message.get_by_role("checkbox", name="Spoiler")).to_be_checked()
    expect(code.locator(".code__word")).to_have_count(3)


@pytest.mark.long
def test_mentions_are_solid_for_who_is_meant(alice: Page, bob: Page) -> None:
    write(alice, "@Bob and @Nobody")
    for page, is_me in ((alice, False), (bob, True)):
        chip = bubble(page, "@Bob and @Nobody").locator(".mention")
        expect(chip).to_have_text("@Bob")
        expect(chip).to_have_class("mention mention--me" if is_me else "mention")
        before = chip.evaluate("each => each.outerHTML")
        page.reload()
        assert chip.evaluate("each => each.outerHTML") == before


@pytest.mark.long
def test_right_click_opens_the_menu_unless_the_browsers_is_wanted(visit: Visit, room: Room) -> None:
    room.say(room.bob, "Words and https://example.org/page")
    page = enter(visit(room.server, "Alice"), room)
    message = bubble(page, "Words and")
    body = message.locator(".message__body p")
    prevented = """each => { window.prevented = null; addEventListener(
        "contextmenu", event => (window.prevented = event.defaultPrevented), { once: true }) }"""
    menu = message.locator(".message-menu")
    body.evaluate(prevented)
    body.click(button="right", position={"x": 5, "y": 5})
    expect(menu).to_be_visible()
    expect(menu.get_by_role("button", name="Reply")).to_be_visible()
    assert page.evaluate("window.prevented") is True
    expect(menu.locator(":focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    for target, modifiers in ((body, ["Shift"]), (message.get_by_role("link", name="example"), [])):
        body.evaluate(prevented)
        target.click(button="right", position={"x": 5, "y": 5}, modifiers=modifiers)  # type: ignore[arg-type]
        assert page.evaluate("window.prevented") is False
        expect(menu).to_have_count(0)


def test_phone_has_long_press_and_swipe(visit: Visit, room: Room) -> None:
    room.say(room.bob, "Shall we?")
    page = enter(visit(room.server, "Alice", phone=True), room)
    message = bubble(page, "Shall we?")
    menu = long_press(message)
    page.set_viewport_size({"width": 320, "height": 640})
    assert menu.evaluate("menu => menu.scrollWidth <= menu.clientWidth")
    menu.locator(".message-menu__quick button").first.tap()
    expect(message.locator(".chip")).to_have_count(1)
    toast = page.locator(".toast")
    hold(message.locator(".chip"), toast)
    expect(toast).to_have_text("You")
    expect(message.locator(".chip")).to_have_attribute("aria-pressed", "true")
    swipe(message, 20)
    expect(page.locator("#composer .quote")).to_be_hidden()
    swipe(message, 100)
    expect(page.locator("#composer")).to_contain_text("Shall we?")


def test_runs_of_notices_are_one_line_live_and_after_a_reload(
    visit: Visit, room: Room, alice: Page
) -> None:
    address = f"/api/conversations/{room.id}/members/"
    names = ["Una", "Vic", "Wes", "Xia", "Yan"]
    for name in names:
        person = room.server.manage(
            "shell", "-v", "0", "-c",
            "from accounts.models import User\n"
            f"print(User.objects.create_user('{name.lower()}{room.id}@example.org', name='{name}').pk)",
        )  # fmt: skip
        status, _ = room.alice.call("POST", address, {"users": [int(person)]})
        assert status in (200, 201)
    summary = alice.locator(".notice__summary")
    everyone = "Alice added Bob, Una and 4 others."
    expect(summary).to_have_text(everyone)
    assert alice.locator(".notice--folded").last.bounding_box()["height"] == 0  # type: ignore[index]
    alice.reload()
    expect(summary).to_have_text(everyone)
    summary.get_by_text("Una").click()
    expect(alice.locator("#details").get_by_role("heading", name="Una")).to_be_visible()
    alice.locator(".notice__unfold").press("Enter")
    expect(alice.locator(".notice--folded")).to_have_count(0)
    expect(alice.get_by_text("Alice added Wes.")).to_be_visible()
    plain = visit(room.server, "Bob", javascript=False).goto(room.path)
    plain.locator(".notice__unfold").press("Enter")
    expect(plain.get_by_text("Alice added Wes.")).to_be_visible()


def test_heading_of_a_day_leads_to_a_date(visit: Visit, room: Room) -> None:
    room.fill(60, "Message {}")
    room.server.manage(
        "shell", "-v", "0", "-c",
        "from datetime import timedelta\nfrom django.db.models import F\n"
        "from conversations.models import Message\n"
        f"of = Message.objects.filter(conversation={room.id})\n"
        "of.filter(seq__lt=30).update(created_at=F('created_at') - timedelta(days=3))",
    )  # fmt: skip
    page = visit(room.server, "Alice", javascript=False).goto(room.path)
    page.locator(".day a").first.click()
    page.get_by_role("link", name="The first message").click()
    expect(page).to_have_url(re.compile(r"around=1#m\d+$"))
    page.goto(f"{room.server.url}{room.path}dates/")
    yesterday = page.locator(".action-list a").first  # nothing was written then: the next day
    yesterday.click()
    expect(page).to_have_url(re.compile(r"around=30#m\d+$"))
