"""What one client may do only so often, counted without a socket."""

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


def test_so_many_bad_frames_in_a_minute_are_too_many():
    limits = ClientLimits()
    assert [limits.note_bad_frame(0.0) for _ in range(BAD_FRAMES - 1)] == [False] * (BAD_FRAMES - 1)
    assert limits.note_bad_frame(59.0)


def test_bad_frames_now_and_then_are_none_too_many():
    limits = ClientLimits()
    pause = 61.0 / (BAD_FRAMES - 1)
    assert not any(limits.note_bad_frame(number * pause) for number in range(3 * BAD_FRAMES))


def test_so_many_failures_of_ours_are_too_many():
    limits = ClientLimits()
    assert [limits.note_failure() for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]


def test_a_client_is_warned_and_after_a_while_warned_again():
    limits = ClientLimits()
    assert not limits.note_too_fast(0.0)
    assert limits.note_too_fast(FORGIVEN_SECONDS - 1)
    assert not limits.note_too_fast(2 * FORGIVEN_SECONDS)


def test_typing_is_shown_once_in_a_while_in_each_conversation():
    limits = ClientLimits()
    assert limits.note_typing(7, 0.0)
    assert not limits.note_typing(7, TYPING_SECONDS - 0.1)
    assert limits.note_typing(8, TYPING_SECONDS - 0.1)
    assert limits.note_typing(7, TYPING_SECONDS)


def test_an_address_and_its_network_have_places(settings):
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


def test_this_machines_own_addresses_are_not_counted(settings):
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
def test_a_socket_that_is_not_let_in_is_closed_with_a_code_that_says_why(code, close_code):
    assert admission.close_code(ChatError(code)) == close_code
