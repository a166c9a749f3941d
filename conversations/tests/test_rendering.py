"""Where messages are rendered, and how rendering time is limited."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from chatty.common.errors import ChatError
from chatty.common.limiter import limiter
from chatty.common.threads import DatabaseThreads
from conversations import actions, markdown, protocol
from conversations.actions import Draft
from conversations.models import Message
from conversations.sockets.consumer import ChatConsumer
from conversations.tests.helpers import draft, new_key, raises_chat_error, say

LONG = "Some *words* and more. " * 100


@pytest.fixture(autouse=True)
def _fresh_limits():
    limiter.clear()
    yield
    limiter.clear()


def test_renderer_version_is_stored(alice, pair):
    message = say(alice, pair, "**Hello**")
    notice = Message.objects.filter(conversation=pair).exclude(kind="text").first()
    assert Message.objects.get(pk=message.pk).renderer == markdown.VERSION
    assert notice is None or notice.renderer is None


def test_edit_uses_the_current_renderer(alice, pair):
    old, edited = say(alice, pair, "+"), say(alice, pair, "+")
    Message.objects.update(html="<ul>\n<li></li>\n</ul>", renderer=None)
    actions.edit_message(alice, edited.pk, ">")
    old.refresh_from_db()
    edited.refresh_from_db()
    assert (old.html, old.renderer) == ("<ul>\n<li></li>\n</ul>", None)
    assert (edited.html, edited.renderer) == ("<p>&gt;</p>", markdown.VERSION)


def test_rendered_draft_is_not_rendered_again(alice, pair, monkeypatch):
    rendered = actions.render_draft(draft(alice.pk, pair.pk, new_key(), " **Hello** "))

    def fail(body):
        raise AssertionError("rendered in the writer")

    for name in ("render_without_parser", "render_with_parser"):
        monkeypatch.setattr(markdown, name, fail)
    (sent,) = actions.send_messages([rendered])
    assert not isinstance(sent, ChatError)
    assert sent.message.html == "<p><strong>Hello</strong></p>"


def test_render_draft_leaves_invalid_bodies_unchanged(alice, pair):
    invalid = draft(alice.pk, pair.pk, new_key(), "\0")
    assert actions.render_draft(invalid) is invalid
    (error,) = actions.send_messages([invalid])
    assert isinstance(error, ChatError)
    assert error.code == "bad_text"


@pytest.mark.parametrize("way", ["send", "edit"])
def test_rendering_time_is_limited_per_author(way, alice, bob, pair, settings, monkeypatch):
    message = say(alice, pair)
    settings.LIMITS = {**settings.LIMITS, "rendering": "10/h"}
    limiter.clear()
    clock = iter(n * 0.004 for n in range(1000))
    monkeypatch.setattr(
        "conversations.actions.rendering.time", SimpleNamespace(thread_time=lambda: next(clock))
    )
    count = Message.objects.count()

    def write(user, number):
        if way == "send":
            say(user, pair, f"{LONG}{number}")
        else:
            actions.edit_message(user, message.pk, f"{LONG}{number}")

    write(alice, 1)
    write(alice, 2)
    with raises_chat_error("slow_down"):
        write(alice, 3)
    message.refresh_from_db()
    assert Message.objects.count() == count + (2 if way == "send" else 0)
    assert message.body == ("Hello" if way == "send" else f"{LONG}2")
    say(bob, pair, "**1**")  # others are not affected


def test_short_messages_have_a_fixed_cost_and_plain_text_none(alice, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "rendering": "1/h"}
    limiter.clear()
    for number in range(int(1 / markdown.QUICK_MS)):
        say(alice, pair, f"*{number}*")
    with raises_chat_error("slow_down"):
        say(alice, pair, "*too many*")
    say(alice, pair, "as many plain words as one likes")


@pytest.mark.parametrize(("body", "on_the_loop"), [("An *important* word", True), (LONG, False)])
async def test_sockets_render_long_messages_in_a_thread(body, on_the_loop, monkeypatch):
    rendered_in: list[threading.Thread] = []
    render = markdown.render_with_parser

    def noted(text):
        rendered_in.append(threading.current_thread())
        return render(text)

    monkeypatch.setattr(markdown, "render_with_parser", noted)
    offered: list[Draft] = []
    threads = DatabaseThreads(1, "test")
    socket = ChatConsumer()
    socket.user_id = 1
    socket.engine = SimpleNamespace(
        threads=threads, writer=SimpleNamespace(offer=lambda draft, answer: offered.append(draft))
    )
    try:
        async with asyncio.timeout(30):
            await socket._handle(protocol.Send(conversation=7, key="k-1", body=body))
    finally:
        threads.close()
    assert [thread is threading.main_thread() for thread in rendered_in] == [on_the_loop]
    assert [draft.rendered.html for draft in offered] == [render(body.strip()).html]
