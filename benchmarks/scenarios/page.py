"""The cost of a small and a large conversation page as a browser loads it, requested in turns.

With a session cookie and compression, so the cost includes queries, templates and compression.
"""

from __future__ import annotations

import gzip
import http.client
import re
from contextlib import ExitStack
from urllib.parse import urlencode

from benchmarks.bench import MILLI, Bench
from benchmarks.contenders import Chatty
from benchmarks.measure import cpu_seconds
from benchmarks.site import Plan

REQUESTS = 100  # per conversation and round
AT_ONCE = 10  # requests for one conversation before the turn of the next
PAGE = 50
PASSWORD = "correct horse battery staple"
SCENARIO = "page"

_FURNISH = """
from accounts.models import User
from conversations.models import Membership, Message, Reaction
room = {room}
members = list(Membership.objects.filter(conversation=room).order_by("pk").values_list("user", flat=True))
reader = User.objects.get(pk=members[0])
reader.set_password({password!r})
reader.save()
latest = Message.objects.filter(conversation=room, kind="text").order_by("-seq")[:{page}]
Reaction.objects.bulk_create(
    Reaction(message=message, user_id=user, emoji=emoji, created_at=message.created_at)
    for message in latest for user in members[:{reactors}] for emoji in "👍🎉"
)
print("READER", reader.email)
"""


def run(bench: Bench) -> None:
    clients, long = (10, 200) if bench.quick else (100, 100_000)
    plan = Plan(clients, [[0, 1], list(range(clients))], [PAGE * 2, long])
    rooms = {
        f"2 members, {PAGE * 2} messages": 0,
        f"{clients} members, {long:,} messages, {2 * min(clients, 20)} reactions on each": 20,
    }
    requests = AT_ONCE if bench.quick else REQUESTS
    with ExitStack() as stack:
        contenders = [kind(bench.site) for kind in bench.available([Chatty])]
        cookies: dict[Chatty, str] = {}
        for chatty in contenders:
            stack.enter_context(bench.running(chatty, plan))
            email = ""
            for room, reactors in zip(chatty.rooms, rooms.values(), strict=True):
                script = _FURNISH.format(room=room, reactors=reactors, page=PAGE, password=PASSWORD)
                printed = chatty.installation.manage("shell", "-v", "0", "-c", script)
                email = printed.partition("READER ")[2].strip()
            cookies[chatty] = signed_in(chatty.port, email)
            for room in chatty.rooms:
                _ask(chatty.port, room, cookies[chatty], AT_ONCE)
        for chatty in bench.turns(contenders, SCENARIO):
            spent, sizes = [0.0] * len(rooms), [0] * len(rooms)
            for _again in range(requests // AT_ONCE):
                for number, room in enumerate(chatty.rooms):
                    before = cpu_seconds(chatty.pid)
                    sizes[number] = _ask(chatty.port, room, cookies[chatty], AT_ONCE)
                    spent[number] += cpu_seconds(chatty.pid) - before
            for what, seconds, size in zip(rooms, spent, sizes, strict=True):
                cost = seconds / requests * MILLI
                bench.sheet.note(SCENARIO, f"CPU: {what}", chatty.name, cost, "ms", 1)
                bench.sheet.note(SCENARIO, f"bytes: {what}", chatty.name, size / 1000, "KB", 1)


def signed_in(port: int, email: str) -> str:
    """Sign in by the form, and return the session cookie."""
    token = "x" * 32  # the CSRF check only requires the same value in the cookie and the form
    form = {"email": email, "password": PASSWORD, "csrfmiddlewaretoken": token}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": f"chatty-csrf={token}",
        "Origin": f"http://127.0.0.1:{port}",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/sign-in/", urlencode(form), headers)
    answer = connection.getresponse()
    found = re.search(r"chatty-session=\w+", str(answer.headers))
    if found is None:
        raise RuntimeError(f"signing in answered {answer.status}")
    connection.close()
    return found[0]


def _ask(port: int, room: int, cookie: str, count: int) -> int:
    """Request the page `count` times. Returns its compressed size in bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
    size = 0
    for _ in range(count):
        connection.request("GET", f"/c/{room}/", headers=headers)
        answer = connection.getresponse()
        page = answer.read()
        size = len(page)
        if answer.status != 200:
            raise RuntimeError(f"the page answered {answer.status}")
        if len(re.findall(rb'\sdata-message-id="\d', gzip.decompress(page))) < PAGE:
            raise RuntimeError("the page has fewer messages than it should")
    connection.close()
    return size
