"""The cost of a small, a large and a rich conversation's page as a browser loads it, requested in turns.

With a session cookie and compression, so the cost includes queries, templates and compression.
"""

from __future__ import annotations

import gzip
import http.client
import re
from contextlib import ExitStack
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks.bench import MILLI, Bench
from benchmarks.contenders import Chatty
from benchmarks.measure import CpuTime
from benchmarks.site import Plan
from benchmarks.talk import talk_richly

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
SMALL, LARGE, RICH = "small conversation", "large conversation", "rich conversation"
ROOMS = (SMALL, LARGE, RICH)
MEMBERS = 10  # of the small and of the rich one
REACTORS = 20  # people with two reactions on each message of the large one


class _Size(NamedTuple):
    """Bytes of a page."""

    compressed: int
    html: int


def run(bench: Bench) -> None:
    people, long = (20, 200) if bench.quick else (100, 100_000)
    few = list(range(MEMBERS))
    plan = Plan(people, [few, list(range(people)), few], [2 * PAGE, long])
    requests = AT_ONCE if bench.quick else REQUESTS
    with ExitStack() as stack:
        contenders = [kind(bench.site) for kind in bench.available([Chatty])]
        cookies: dict[Chatty, str] = {}
        for chatty in contenders:
            stack.enter_context(bench.running(chatty, plan))
            cookies[chatty] = _furnished(chatty)
            for room in chatty.rooms:
                _ask(chatty.port, room, cookies[chatty], AT_ONCE)
        for chatty in bench.turns(contenders, SCENARIO):
            spent = [CpuTime(0, 0)] * len(ROOMS)
            sizes = [_Size(0, 0)] * len(ROOMS)
            for _again in range(requests // AT_ONCE):
                for number, room in enumerate(chatty.rooms):
                    before = chatty.cpu_time()
                    sizes[number] = _ask(chatty.port, room, cookies[chatty], AT_ONCE)
                    spent[number] = spent[number].plus(chatty.cpu_time().since(before))
            for what, cost, size in zip(ROOMS, spent, sizes, strict=True):
                sheet, name, each = bench.sheet, chatty.name, cost.per(requests)
                sheet.note(SCENARIO, cpu_for(what), name, each.app * MILLI, "ms", 1)
                sheet.note(SCENARIO, f"database CPU: {what}", name, each.database * MILLI, "ms", 1)
                sheet.note(SCENARIO, html_of(what), name, size.html / 1000, "KB", 1)
                compressed = size.compressed / 1000
                sheet.note(SCENARIO, f"compressed: {what}", name, compressed, "KB", 1)


def cpu_for(room: str) -> str:
    return f"CPU: {room}"


def html_of(room: str) -> str:
    return f"HTML: {room}"


def _furnished(chatty: Chatty) -> str:
    """Add rich messages, reactions and a reader. Returns the reader's session cookie."""
    _small, large, rich = chatty.rooms
    database = chatty.installation.env["DATABASE_URL"]
    talk_richly(database, chatty.port, chatty.tokens[:MEMBERS], rich, PAGE)
    script = _FURNISH.format(room=large, reactors=REACTORS, page=PAGE, password=PASSWORD)
    printed = chatty.installation.manage("shell", "-v", "0", "-c", script)
    return signed_in(chatty.port, printed.partition("READER ")[2].strip())


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


def _ask(port: int, room: int, cookie: str, count: int) -> _Size:
    """Request the page `count` times."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
    page = b""
    for _ in range(count):
        connection.request("GET", f"/c/{room}/", headers=headers)
        answer = connection.getresponse()
        page = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the page answered {answer.status}")
    connection.close()
    html = gzip.decompress(page)
    # The targets of links to messages, which exist in every version.
    if len(re.findall(rb'\sid="m\d+"', html)) < PAGE:
        raise RuntimeError("the page has fewer messages than it should")
    return _Size(len(page), len(html))
