"""The paths of all pages, and sample data for them."""

from __future__ import annotations

import re

from tests.installations import ChatServer

_CREATE = """
from io import BytesIO
from PIL import Image
from accounts import actions as account_actions
from accounts.models import User
from conversations import actions
from conversations.join_requests import actions as joining, links
from conversations.pins import actions as pinning
from conversations.search import rebuild
alice, bob = (User.objects.get(email=f"{n}@example.org") for n in ("alice", "bob"))
eve = User.objects.create_user("eve@example.org", name="Donaudampfschifffahrtselektrizitaetenbetriebswerk")
face = BytesIO()
Image.new("RGB", (200, 200), "teal").save(face, "PNG")
for pictured in (alice, bob):
    account_actions.update_profile(pictured, picture=face.getvalue())
room = actions.create_conversation(
    alice, name="Harbour", topic="Boats " * 20, access="open", member_ids=[bob.pk, eve.pk]
)
say = lambda who, body, **more: actions.send_message(
    who, room.pk, key=f"sample-{abs(hash(body))}", body=body, **more
).message
for number in range(60):
    say((alice, bob)[number // 3 % 2], f"Message {number}")
asked = say(bob, "A question, with `code`, **weight** and https://example.org/a/rather/long/way")
say(alice, "An answer", reply_to=asked.pk)
actions.react(alice, asked.pk, "\\U0001f440")
actions.react(bob, asked.pk, "\\U0001f440")
say(eve, "Rindfleischetikettierungsueberwachungsaufgabenuebertragungsgesetz" * 4)
say(bob, "```\\n" + "a line of code that does not end " * 8 + "\\n```\\n\\n- one\\n- two\\n\\n> said")
actions.delete_message(bob, say(bob, "Regretted").pk)
actions.edit_message(bob, say(bob, "Mistaken").pk, "Corrected")
actions.mark_read(alice, room.pk, 10**6)
say(bob, "Something new")
old = actions.create_conversation(alice, name="Old " + "x" * 70)
actions.archive(alice, old.pk)
market = actions.create_conversation(bob, name="Market", access="open")
token = links.token_of(joining.make_link(alice, room.pk))
for name in ("Zoe", "Yan"):
    asker = User.objects.create_user(f"{name.lower()}@example.org", name=name)
    joining.ask_to_join(asker, token, "I know the tides, and " * 9)
joining.decline(alice, room.pk, asker.pk, block=True)
vault, asked_vault = (actions.create_conversation(bob, name=n) for n in ("Vault", "Cellar"))
joining.ask_to_join(alice, links.token_of(joining.make_link(bob, asked_vault.pk)), "Please")
vault_token = links.token_of(joining.make_link(bob, vault.pk))
direct = actions.open_direct(alice, bob.pk)
pinned = actions.send_message(bob, direct.pk, key="sample-direct", body="Hello").message
pinning.pin(bob, pinned.pk)
list(rebuild.steps())  # the index of search, which the server would write a moment later
print("ROOMS", room.pk, old.pk, direct.pk, asked.pk, market.pk, vault_token)
"""

# Pages for people who are signed in, by name.
PAGES = {
    "home": "/?list",
    "browse": "/c/browse/",
    "nothing found": "/c/browse/?q=zzz",
    "search": "/search/",
    "search found": "/search/?q=a",
    "search not found": "/search/?q=zzz",
    "search menu": "/search/?q=harb&menu=from&find=a",
    "new": "/c/new/",
    "somebody": "/c/direct/",
    "invite": "/invitations/?conversation={room}",
    "room": "/c/{room}/",
    "earlier": "/c/{room}/?around=20",
    "replying": "/c/{room}/?reply_to={asked}",
    "archived": "/c/{old}/",
    "direct": "/c/{direct}/",
    "settings": "/c/{room}/settings/",
    "members": "/c/{room}/members/",
    "dates": "/c/{room}/dates/?to=x",
    "pins": "/c/{direct}/pins/",
    "no pins": "/c/{room}/pins/",
    "delete": "/c/{room}/delete/",
    "join": "/c/{market}/",
    "leave several": "/c/leave/",
    "message": "/m/{asked}/?actions",
    "take away": "/m/{asked}/delete/",
    "share": "/share/?text=Look%20at%20https://example.org/" + "x" * 90,
    "notifications": "/settings/notifications/",
    "offline": "/offline/",
    "help": "/help/",
    "help found": "/help/?q=delete",
    "help not found": "/help/?q=zzz",
    "ask to join": "/ask/{vault}/",
    "asked to join": "/ask/",
    "profile": "/settings/profile/",
    "email": "/settings/email/",
    "password": "/settings/password/",
    "sign-ins": "/settings/sign-ins/",
    "missing": "/c/999999/",
}
# The most diverse of them.
SAMPLES = ("home", "room", "members", "profile")
# Pages for people who are not signed in.
STRANGERS = (
    *("/sign-in/", "/sign-up/", "/password/forgotten/", "/password/forgotten/sent/"),
    *("/sign-up/waiting/", "/sign-up/sent/", "/sign-up/link/", "/confirm/no-such-token/"),
    *("/password/reset/MQ/no-such-token/", "/invite/no-such-token/"),
    *("/help/", "/help/?q=delete", "/help/?q=zzz"),
)


def create(server: ChatServer) -> dict[str, str]:
    """Create sample data on a server and return the paths of PAGES."""
    printed = server.manage("shell", "-v", "0", "-c", _CREATE)
    found = re.search(r"ROOMS (\d+) (\d+) (\d+) (\d+) (\d+) (\S+)", printed)
    assert found, printed
    numbers = dict(
        zip(("room", "old", "direct", "asked", "market", "vault"), found.groups(), strict=True)
    )
    return {name: path.format(**numbers) for name, path in PAGES.items()}
