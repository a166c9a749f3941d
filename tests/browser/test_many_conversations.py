"""Someone with more conversations than the sidebar lists."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.rooms import Room, enter

_CREATE = """
from accounts.models import User
from conversations.models import Conversation, Membership
from django.utils import timezone
now = timezone.now()
alice = User.objects.get(email="alice@example.org")
names = ["Łódź Planning", *(f"Group {{n}}" for n in range({count}))]
made = Conversation.objects.bulk_create(
    Conversation(kind="group", access="closed", name=name, created_by=alice,
        created_at=now, last_text_at=now) for name in names
)
Membership.objects.bulk_create(
    Membership(conversation=each, user=alice, role="owner", joined_at=now) for each in made
)
"""


@pytest.mark.long
def test_switcher_finds_conversations_that_are_not_in_the_sidebar(visit: Visit, room: Room) -> None:
    room.server.manage("shell", "-v", "0", "-c", _CREATE.format(count=210))
    page = enter(visit(room.server, "Alice"), room)
    # Reading adds the row of this conversation, which is beyond those that the server lists.
    expect(page.locator("#conversations li").nth(199)).to_be_attached()
    expect(page.locator("#conversations")).not_to_contain_text("Planning")
    page.keyboard.press("Control+k")
    box = page.locator(".switcher input")
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.type("qqqzzz")
    expect(page.locator(".switcher [role=status]")).to_contain_text("qqqzzz")
    expect(box).to_have_attribute("aria-expanded", "false")
    box.fill("plan lodz")
    option = page.locator(".switcher [role=option]")
    expect(option).to_have_count(1)
    expect(option).to_contain_text("Łódź Planning")
    expect(option.locator(".tile__lock")).to_have_count(1)
    expect(page.locator(".switcher [role=status]")).to_be_empty()
    box.press("Enter")
    expect(page.locator("#conversation-name")).to_have_text("Łódź Planning")
