"""The limits on one client, without a socket."""

from __future__ import annotations

from collections import Counter

import pytest

from chatty.common.errors import ChatError
from conversations import protocol
from conversations.sockets import admission
from conversations.sockets.limits import (
    BAD_FRAMES,
    FAILURES,
    FORGIVEN_SECONDS,
    TYPING_SECONDS,
    ClientLimits,
)
from conversations.tests.helpers import raises_chat_error


def test_bad_frames_per_minute_are_limited():
    limits = ClientLimits()
    assert [limits.note_bad_frame(0.0) for _ in range(BAD_FRAMES - 1)] == [False] * (BAD_FRAMES - 1)
    assert limits.note_bad_frame(59.0)


def test_occasional_bad_frames_are_tolerated():
    limits = ClientLimits()
    pause = 61.0 / (BAD_FRAMES - 1)
    assert not any(limits.note_bad_frame(number * pause) for number in range(3 * BAD_FRAMES))


def test_server_failures_are_limited():
    limits = ClientLimits()
    assert [limits.note_failure() for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]


def test_rate_limit_warning_is_repeated_after_a_while():
    limits = ClientLimits()
    assert not limits.note_too_fast(0.0)
    assert limits.note_too_fast(FORGIVEN_SECONDS - 1)
    assert not limits.note_too_fast(2 * FORGIVEN_SECONDS)


def test_typing_is_limited_per_conversation():
    limits = ClientLimits()
    assert limits.note_typing(7, 0.0)
    assert not limits.note_typing(7, TYPING_SECONDS - 0.1)
    assert limits.note_typing(8, TYPING_SECONDS - 0.1)
    assert limits.note_typing(7, TYPING_SECONDS)


def test_connections_per_address_are_limited(settings):
    settings.SOCKETS_PER_ADDRESS = 2
    counted: Counter[str] = Counter()
    taken = [admission.take_places(counted, "192.0.2.1") for _ in range(2)]
    with raises_chat_error("too_many"):
        admission.take_places(counted, "192.0.2.1")
    admission.release_places(counted, taken.pop())
    taken.append(admission.take_places(counted, "192.0.2.1"))
    for places in taken:
        admission.release_places(counted, places)
    assert counted == {}


def test_loopback_addresses_are_not_counted(settings):
    settings.SOCKETS_PER_ADDRESS = 0
    counted: Counter[str] = Counter()
    assert admission.take_places(counted, "127.0.0.1") == ()
    assert counted == {}


@pytest.mark.parametrize(
    ("code", "close_code"),
    [
        ("account_closed", protocol.CLOSE_ACCOUNT_CLOSED),
        ("too_many", protocol.CLOSE_TOO_MANY),
        ("unavailable", protocol.CLOSE_INTERNAL),
        ("unauthenticated", protocol.CLOSE_UNAUTHENTICATED),
    ],
)
def test_close_code_depends_on_the_error(code, close_code):
    assert admission.close_code(ChatError(code)) == close_code
