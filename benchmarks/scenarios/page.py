"""The cost of a small, a large and a rich conversation's page as a browser loads it, requested in turns.

With a session cookie and compression, so the cost includes queries, templates and compression. Someone with
many conversations requests the page of the small one, and what a page that stays open requests of it.
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
from conversations.models import Conversation, Membership, Message, Reaction
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
second = User.objects.get(pk=members[1])
second.set_password({password!r})
second.save()
made = Conversation.objects.bulk_create(
    Conversation(kind="group", access="closed", name=f"Group {{n}}", created_by=second,
        created_at=second.date_joined, last_text_at=second.date_joined) for n in range({many})
)
Membership.objects.bulk_create(
    Membership(conversation=each, user=second, role="owner", joined_at=second.date_joined) for each in made
)
print("READERS", reader.email, second.email)
"""
SMALL, LARGE, RICH = "small conversation", "large conversation", "rich conversation"
ROOMS = (SMALL, LARGE, RICH)
MANY = 30  # conversations of the second reader, in addition
WHOLE, PART = f"with {MANY} conversations: loaded", f"with {MANY} conversations: in place"
PAGES = (*ROOMS, WHOLE, PART)
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
        cookies: dict[Chatty, tuple[str, str]] = {}
        for chatty in contenders:
            stack.enter_context(bench.running(chatty, plan))
            cookies[chatty] = _furnished(chatty)
            for room, headers in _pages(chatty, *cookies[chatty]):
                _ask(chatty.port, room, headers, AT_ONCE)
        for chatty in bench.turns(contenders, SCENARIO):
            spent = [CpuTime(0, 0)] * len(PAGES)
            sizes = [_Size(0, 0)] * len(PAGES)
            for _again in range(requests // AT_ONCE):
                for number, (room, headers) in enumerate(_pages(chatty, *cookies[chatty])):
                    before = chatty.cpu_time()
                    sizes[number] = _ask(chatty.port, room, headers, AT_ONCE)
                    spent[number] = spent[number].plus(chatty.cpu_time().since(before))
            for what, cost, size in zip(PAGES, spent, sizes, strict=True):
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


def _pages(chatty: Chatty, reader: str, second: str) -> list[tuple[int, dict[str, str]]]:
    """Return the room and the headers of each of PAGES."""
    small = chatty.rooms[0]
    ordinary: list[tuple[int, dict[str, str]]] = [
        (room, {"Cookie": reader}) for room in chatty.rooms
    ]
    part = {"Cookie": second, "Chatty-Part": "main"}
    return [*ordinary, (small, {"Cookie": second}), (small, part)]


def _furnished(chatty: Chatty) -> tuple[str, str]:
    """Add rich messages, reactions and two readers. Returns their session cookies."""
    _small, large, rich = chatty.rooms
    database = chatty.installation.env["DATABASE_URL"]
    talk_richly(database, chatty.port, chatty.tokens[:MEMBERS], rich, PAGE)
    script = _FURNISH.format(room=large, reactors=REACTORS, page=PAGE, password=PASSWORD, many=MANY)
    printed = chatty.installation.manage("shell", "-v", "0", "-c", script)
    reader, second = printed.partition("READERS ")[2].split()
    return signed_in(chatty.port, reader), signed_in(chatty.port, second)


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


def _ask(port: int, room: int, headers: dict[str, str], count: int) -> _Size:
    """Request the page `count` times."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {**headers, "Accept-Encoding": "gzip"}
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
