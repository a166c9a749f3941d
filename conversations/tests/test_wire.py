"""The wire format of messages: what everyone sees of a message, and what no one sees."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import actions as account_actions
from accounts.models import User
from conversations import actions, limits, markdown, notices, queries
from conversations.models import Message
from conversations.tests.helpers import log_of, message_json, say
from conversations.wire import messages as message_wire
from conversations.wire.messages import excerpt, timestamp
from tests.cast import create_extra


def wire_of(message: Message) -> dict:
    wire = message_json(queries.with_details(message))
    json.dumps(wire)  # everything in it can be encoded as JSON
    return wire


def test_new_message_has_the_same_wire_format_as_a_loaded_one(alice, bob, pair):
    quoted = say(alice, pair, "Quote me")
    fresh = say(bob, pair, "Indeed", reply_to=quoted.pk)
    assert message_json(fresh) == wire_of(fresh)


def test_message_to_wire_makes_no_query_for_loaded_messages(
    alice, bob, pair, django_assert_num_queries
):
    quoted = say(alice, pair)
    reply = say(bob, pair, reply_to=quoted.pk)
    actions.react(alice, reply.pk, "👍")
    loaded = queries.with_details(reply)
    with django_assert_num_queries(0):
        message_json(loaded)


def test_reactions_are_grouped_in_order_of_first_use(alice, bob, hello):
    actions.react(bob, hello.pk, "🎉")
    actions.react(alice, hello.pk, "👍")
    actions.react(alice, hello.pk, "🎉")
    assert wire_of(hello)["reactions"] == [
        {"emoji": "🎉", "count": 2, "users": [bob.pk, alice.pk], "names": ["Bob", "Alice"]},
        {"emoji": "👍", "count": 1, "users": [alice.pk], "names": ["Alice"]},
    ]


def test_users_of_a_reaction_are_limited_to_twenty(alice, pair, hello):
    people = [create_extra(f"Fan{number}") for number in range(25)]
    actions.add_members(alice, pair.pk, [fan.pk for fan in people])
    for fan in people:
        actions.react(fan, hello.pk, "👍")
    (group,) = wire_of(hello)["reactions"]
    assert group["count"] == 25
    assert group["users"] == [fan.pk for fan in people[: limits.REACTION_USERS_SHOWN]]
    assert group["names"] == ["Fan0", "Fan1", "Fan2", "Fan3", "Fan4", "Fan5"]


def test_names_of_a_reaction_stay_the_same_when_others_react(alice, pair, hello, published):
    people = [create_extra(f"Fan{number}") for number in range(9)]
    actions.add_members(alice, pair.pk, [fan.pk for fan in people])
    for fan in people:
        actions.react(fan, hello.pk, "👍")
    with published() as events:
        actions.react(people[8], hello.pk, "🎉")
        actions.react(alice, hello.pk, "👍")
    for event in events:
        (group, *_others) = json.loads(event.text)["message"]["reactions"]
        assert group["names"] == ["Fan0", "Fan1", "Fan2", "Fan3", "Fan4", "Fan5"]
    assert [json.loads(event.text)["message"]["reactions"][0]["count"] for event in events] == [
        9,
        10,
    ]


def test_deleted_message_has_no_content(alice, bob, pair, hello):
    reply = say(alice, pair, "Secret reply", reply_to=hello.pk)
    actions.react(bob, reply.pk, "👍")
    actions.delete_message(alice, reply.pk)
    wire = wire_of(reply)
    assert (wire["body"], wire["html"], wire["reactions"], wire["reply_to"]) == ("", "", [], None)
    assert wire["deleted_at"] is not None
    assert "Secret" not in json.dumps(wire)


def test_quote_shows_the_current_text(alice, bob, pair, hello):
    reply = say(alice, pair, "Yes?", reply_to=hello.pk)
    actions.edit_message(bob, hello.pk, "Changed")
    assert wire_of(reply)["reply_to"]["excerpt"] == "Changed"
    actions.delete_message(bob, hello.pk)
    quote = wire_of(reply)["reply_to"]
    assert (quote["excerpt"], quote["deleted"]) == ("", True)


def test_wire_format_contains_no_emails(alice, bob, pair, hello):
    say(alice, pair, "Yes?", reply_to=hello.pk)
    for message in log_of(pair):
        assert "@" not in json.dumps(wire_of(message))


def test_system_messages_have_text_and_data(alice, bob, carol, pair):
    actions.add_members(alice, pair.pk, [carol.pk])
    actions.change_role(alice, pair.pk, carol.pk, "admin")
    actions.remove_member(alice, pair.pk, carol.pk)
    actions.update_conversation(alice, pair.pk, name="Orchard", topic="Apples", access="open")
    actions.update_conversation(alice, pair.pk, topic="", access="closed")
    actions.leave(bob, pair.pk)
    actions.archive(alice, pair.pk)
    actions.unarchive(alice, pair.pk)
    notices = [wire_of(message) for message in log_of(pair)]
    assert [wire["notice"]["text"] for wire in notices] == [
        "Alice created this conversation.",
        "Alice added Bob.",
        "Alice added Carol.",
        "Alice made Carol an admin.",
        "Alice removed Carol.",
        "Alice renamed the conversation to “Orchard”.",
        "Alice set the topic: Apples",
        "Alice made this conversation public.",
        "Alice removed the topic.",
        "Alice made this conversation private.",
        "Bob left.",
        "Alice archived this conversation.",
        "Alice unarchived this conversation.",
    ]
    assert all((wire["key"], wire["body"], wire["html"]) == (None, "", "") for wire in notices)
    assert notices[3]["notice"]["data"] == {"user": carol.pk, "name": "Carol", "role": "admin"}


def test_system_message_keeps_stored_names_but_uses_the_current_author_name(alice, bob, pair):
    account_actions.update_profile(alice, name="Alicia")
    account_actions.update_profile(bob, name="Robert")
    assert wire_of(log_of(pair)[1])["notice"]["text"] == "Alicia added Bob."


def test_every_kind_of_system_message_has_a_sentence():
    data = {"name": "Bob", "role": "member", "new": "New", "access": "open", "user": 1}
    for kind in Message.Kind.values:
        if kind != "text":
            assert "%" not in notices.sentence(kind, author=None, data=data)
    with pytest.raises(ValueError, match="no notice sentence"):
        notices.sentence("text", author="Alice", data={})


@pytest.mark.parametrize(
    ("kind", "data"),
    [("tomorrow", {"planet": "Mars"}), ("role", {"role": "poet"}), ("access", {})],
)
def test_unknown_system_message_has_a_fallback_sentence(kind, data):
    told = notices.sentence(kind, author="Alice", data=data)
    assert told == "Alice did something this version of Chatty doesn’t support."


def test_people_gone_after_a_system_message():
    assert notices.people_gone("removed", author_id=1, data={"user": 2}) == (2,)
    assert notices.people_gone("left", author_id=1, data={}) == (1,)
    assert notices.people_gone("joined", author_id=1, data={}) == ()


def test_timestamps_are_utc_with_milliseconds():
    at = datetime(2026, 11, 23, 17, 38, 19, 123999, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(at) == "2026-11-23T15:38:19.123Z"
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC)) == "2026-01-02T03:04:05.000Z"
    assert timestamp(None) is None


def excerpt_of(body: str) -> str:
    return excerpt(Message(body=body, html=markdown.render(body)))


def test_excerpt_is_one_short_line():
    assert excerpt_of("One\n\n  two\tthree ") == "One two three"
    assert excerpt_of("x" * limits.EXCERPT_MAX) == "x" * limits.EXCERPT_MAX
    long = excerpt_of("word " * 100)
    assert len(long) <= limits.EXCERPT_MAX
    assert long.endswith("…")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("24. Dezember", "24. Dezember"),
        ("1986. What a year", "1986. What a year"),
        ("4. d\n3. c\n3. b", "4. d 3. c 3. b"),
        ("1. a\n2. b\n   - c\n   - d\n3. e", "1. a 2. b c d 3. e"),
        ("> 5. a\n\n7. b", "5. a 7. b"),
        ("+", "+"),
        (">", ">"),
        ("```", "```"),
        ("[](https://x)", "[](https://x)"),
    ],
)
def test_excerpt_keeps_list_numbers_and_is_never_empty(body, line):
    assert excerpt_of(body) == line


def test_excerpt_of_empty_html_falls_back_to_the_body():
    html = "<ul>\n<li></li>\n</ul>"
    assert excerpt(Message(body="+", html=html)) == "+"


def test_excerpt_contains_no_markdown():
    assert excerpt_of("**Bold**, `a < b && c`\n- [site](https://example.org)") == (
        "Bold, a < b && c site"
    )
    assert excerpt_of("<b>1 &lt; 2</b>") == "<b>1 &lt; 2</b>"


PIECES = ["word ", "x" * 50, "&", "<", "**bold** ", "`a & b` ", "\n", "\n\n", "\n1. ", "\n- ", "> "]
PIECES += ["[site](https://example.org/?a=1&b=2) ", f"[.](https://example.org/{'y' * 300}) "]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=60), st.integers(1, 8))
def test_excerpt_does_not_depend_on_the_length_read(pieces, times):
    message = Message(body="x", html=markdown.render("".join(pieces * times)[: limits.BODY_MAX]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_wire, "_BEGINNING", 10**9)
        whole = excerpt(message)
    with pytest.MonkeyPatch.context() as patch:
        for beginning in (message_wire._BEGINNING, *range(180, 240)):
            patch.setattr(message_wire, "_BEGINNING", beginning)
            assert excerpt(message) == whole


def test_excerpt_reads_only_the_beginning_of_a_long_message(monkeypatch):
    lengths = []
    monkeypatch.setattr(message_wire, "unescape", lambda text: lengths.append(len(text)) or text)
    assert excerpt(Message(body="x", html=f"<p>{'word ' * 700}</p>")).endswith("word…")
    assert lengths
    assert max(lengths) <= message_wire._BEGINNING


def test_avatar_data_takes_no_extra_query(alice, bob, pair, django_assert_num_queries):
    account_actions.update_profile(bob, chosen_hue=5)
    User.objects.filter(pk=bob.pk).update(picture="0" * 32)
    quoted = say(bob, pair, "Look at me")
    loaded = queries.with_details(say(alice, pair, "Nice", reply_to=quoted.pk))
    with django_assert_num_queries(0):
        wire = message_json(loaded)
    assert wire["author"]["picture"] is None
    address = f"/api/users/{bob.pk}/picture/{'0' * 32}/"
    face = {"id": bob.pk, "name": "Bob", "hue": 5, "picture": address}
    assert wire["reply_to"]["author"] == face
