"""The wire protocol: any input gives a typed frame or a ChatError."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from channels.layers import InMemoryChannelLayer
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from chatty.common.errors import ChatError
from conversations import events, limits, markdown, protocol
from conversations.publisher import Publisher
from conversations.tests.tools import until


def said(**frame: object) -> str:
    return json.dumps(frame)


def test_send_frame_is_parsed():
    frame = protocol.parse(said(type="send", conversation=7, key="k-1", body="hi"))
    assert frame == protocol.Send(conversation=7, key="k-1", body="hi", reply_to=None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "null",
        "{}",
        "{",
        '{"type":"shout"}',
        '{"type":"send"}',
        '{"type":"ping","extra":1}',
        '{"type":"sync","conversation":true,"version":1}',
        '{"type":"sync","conversation":"7","version":1}',
        '{"type":"sync","conversation":7.5,"version":1}',
        '{"type":"sync","conversation":0,"version":1}',
        '{"type":"sync","conversation":7,"version":-1}',
        '{"type":"sync","conversation":7,"version":NaN}',
        '{"type":"sync","conversation":7,"version":1e400}',
        '{"type":"sync","conversation":9007199254740992,"version":1}',
        '{"type":"sync","conversation":' + "9" * 5000 + ',"version":1}',
        '{"type":"send","conversation":7,"key":"k","body":"\\ud800"}',
        '{"type":"send","conversation":7,"key":"k","body":["x"]}',
        "\ud800",
        "[" * 60_000,
        '{"type":"ping","a":' + "[" * 33 + "]" * 33 + "}",
    ],
)
def test_invalid_frame_is_rejected(text: str):
    with pytest.raises(ChatError) as error:
        protocol.parse(text)
    assert error.value.code == "bad_frame"
    assert error.value.detail.endswith(".")


@pytest.mark.parametrize(
    ("frame", "meant"),
    [
        ({"type": "send", "conversation": 7, "key": "k", "boddy": "Hello"}, "`body`"),
        ({"type": "send", "conversation": 7, "key": "k", "body": "", "replyTo": 1}, "`reply_to`"),
        ({"type": "Ping"}, "`ping`"),
        (
            {"type": "send", "conversation": 7, "key": "k", "body": "", "files": [{"uplod": "x"}]},
            "`upload`",
        ),
    ],
)
def test_misspelt_name_is_answered_with_the_nearest_known_one(frame, meant):
    with pytest.raises(ChatError) as caught:
        protocol.parse(json.dumps(frame))
    assert caught.value.detail.endswith(f"Did you mean {meant}?")


@pytest.mark.parametrize(
    "text", ['{"type": "ping", "frob": 1}', '{"type": "ping", "typ": 1, "', '{"type": 5}', "[]"]
)
def test_nothing_is_suggested_without_a_similar_name(text):
    with pytest.raises(ChatError) as caught:
        protocol.parse(text)
    assert "Did you mean" not in caught.value.detail


def test_binary_frame_is_rejected():
    with pytest.raises(ChatError, match="bad_frame"):
        protocol.parse(None, b'{"type":"ping"}')


def test_frame_size_is_limited():
    def frame_of(size: int) -> str:
        empty = len(said(type="auth", token=""))
        return said(type="auth", token="x" * (size - empty))

    assert isinstance(protocol.parse(frame_of(protocol.FRAME_MAX)), protocol.Auth)
    with pytest.raises(ChatError, match="too_big"):
        protocol.parse(frame_of(protocol.FRAME_MAX + 1))


@pytest.mark.parametrize("character", ["😀", "\u2028", "\x1b", "&", "\n"])
def test_longest_message_fits_into_every_size(character):
    """However it is encoded: escaped in JSON, in a form, as the HTML of plain text."""
    body = character * limits.BODY_MAX
    file = {"upload": "f" * 32, "alt": character * limits.ALT_MAX}
    files = [file] * limits.FILES_MAX
    frame = {"type": "send", "conversation": 2**63 - 1, "key": "k" * 64, "body": body}
    assert len(json.dumps({**frame, "files": files})) <= protocol.FRAME_MAX
    encoded = json.dumps(files, ensure_ascii=False)
    fields = {"key": "k" * 64, "csrfmiddlewaretoken": "t" * 64, "body": body, "files": encoded}
    form = urlencode(fields)
    assert len(form) <= protocol.FRAME_MAX <= settings.HTTP_BODY_MAX
    assert len(markdown._plain(body).html.encode()) <= limits.HTML_MAX


def test_brackets_in_strings_do_not_count_as_nesting():
    body = "[{" * 500 + '"\\'
    frame = protocol.parse(said(type="send", conversation=1, key="k", body=body))
    assert isinstance(frame, protocol.Send)
    assert frame.body == body


@pytest.mark.parametrize(
    ("text", "about"),
    [
        (said(type="send", key="k", conversation=3, extra=1), {"key": "k", "conversation": 3}),
        (said(type="send", key="k", conversation="3"), {"key": "k"}),
        ('{"type":"send","key":"abc-1","body":"\\ud800"}', {"key": "abc-1"}),
        (said(type="send", key="x" * 65), {}),
        ("[" * 60_000, {}),
        (None, {}),
    ],
)
def test_frame_address_identifies_a_rejected_frame(text, about):
    assert protocol.frame_address(text) == about


def refused_or_understood(text: str) -> bool:
    """Any exception other than a ChatError would have closed the socket."""
    try:
        return isinstance(protocol.parse(text), protocol.ClientFrame)
    except ChatError as error:
        return error.code == "bad_frame"


@given(st.text(max_size=300))
def test_parse_raises_only_chat_errors_for_any_text(text: str):
    assert refused_or_understood(text)
    protocol.frame_address(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["type", "conversation", "key", "body", "version", "seq", "x"]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_parse_raises_only_chat_errors_for_any_json(value: object):
    assert refused_or_understood(json.dumps(value))


EVENTS = [
    events.ConversationChanged(7, 9, '{"type":"message"}', gone=(3, 4)),
    events.ConversationDeleted(7),
    events.EphemeralEvent(7, "{}"),
    events.UserFrame(3, "{}"),
    events.MembershipChanged(3, 7, "added"),
    events.ProfileChanged(3),
    events.SignedOut(3, 4001, ("a", "b"), None),
    events.SignedOut(3, 4403),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_events_survive_the_channel_layer(event: events.Event):
    message = events.to_layer([event, EVENTS[0]], "origin")
    carried = json.loads(json.dumps(message))  # plain data: any channel layer can carry it
    assert events.from_layer(carried) == (event, EVENTS[0])


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "something.else"},
        events.to_layer([EVENTS[0]], "origin") | {"type": "chatty.event"},  # of version 1
        {"type": events.LAYER_TYPE},
        {"type": events.LAYER_TYPE, "events": None},
        {"type": events.LAYER_TYPE, "events": "[{"},
        {"type": events.LAYER_TYPE, "events": "{}"},
        {"type": events.LAYER_TYPE, "events": '[{"kind": "of_the_future"}]'},
        {"type": events.LAYER_TYPE, "events": '[{"kind": "changed", "conversation": 7}]'},
        {
            "type": events.LAYER_TYPE,
            "events": '[{"kind": "changed", "conversation": "7", "version": 1, "text": ""}]',
        },
    ],
)
def test_events_of_another_version_are_ignored(message):
    assert events.from_layer(message) == ()


def test_layer_type_changes_with_the_subprotocol():
    assert events.LAYER_TYPE.rpartition(".")[2] == protocol.SUBPROTOCOL.rpartition(".")[2]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["chatty.v2"], "chatty.v2"),
        (["chatty.v1", "chatty.v2"], "chatty.v2"),
        (["other.v9", "chatty.v1"], "chatty.v1"),
        (["chatty.v3"], None),
        ([], None),
    ],
)
def test_newest_offered_subprotocol_is_chosen(offered, chosen):
    assert protocol.choose_subprotocol(offered) == chosen


def test_known_events_are_kept_among_unknown_ones():
    marks = events.to_layer([EVENTS[0]], "origin")
    marks["events"] = '[{"kind":"of_the_future","a":1},' + marks["events"][1:-1] + ",7]"
    assert events.from_layer(marks) == (EVENTS[0],)


class Books(InMemoryChannelLayer):
    """A channel layer that records what is sent, and blocks until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, int]] = []
        self.open = asyncio.Event()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.sent.append((group, len(events.from_layer(message))))
        await self.open.wait()


async def test_publisher_batches_queued_events_per_group_in_order():
    layer = Books()
    publisher = Publisher(layer, origin="here")
    task = asyncio.create_task(publisher.run())
    publisher.offer((events.EphemeralEvent(1, "a"),))
    await until(lambda: layer.sent)
    publisher.offer(tuple(events.EphemeralEvent(n % 3, str(n)) for n in range(9)))
    await until(lambda: publisher.waiting == 9)
    layer.open.set()
    await until(lambda: len(layer.sent) == 4)
    task.cancel()
    assert layer.sent[1:] == [(f"conversation.{n}", 3) for n in range(3)]
