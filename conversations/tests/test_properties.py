"""Whatever people do, in any order: the log has no gap, the version is that of the newest change, unread
counts match a count by hand, and every client (live, catching up, or late) ends up with the same state."""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import actions, queries
from conversations.events import ConversationChanged, Event
from conversations.models import Conversation, Membership, Message
from conversations.tests.helpers import assert_consistent, message_json, published_versions
from conversations.tests.test_queries import brute_force_unread

PEOPLE = range(4)  # Alice is the owner, Bob a member; Carol and Mia come and go
Who = st.sampled_from(PEOPLE)
Which = st.integers(0, 11)  # the n-th message from the end
Body = st.sampled_from(
    ["Hello", "Hello @all", "@Bob and @all", "Hello *you*", "Well", "  ", "x" * 10_001, "a\x00"]
)
Emoji = st.sampled_from(["👍", "🎉"])
Role = st.sampled_from(["owner", "admin", "member"])


def step(name: str, *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(st.just(name), Who, *parts)


STEPS = st.one_of(
    step("send", st.sampled_from(["k1", "k2", "k3", "k4", "k5", "k6"]), Body),
    step("send", st.sampled_from(["k7", "k8", "k9", "k10", "k11", "k12"]), Body),
    step("reply", st.sampled_from(["r1", "r2", "r3"]), Which),
    step("edit", Which, Body),
    step("delete", Which),
    step("react", Which, Emoji),
    step("unreact", Which, Emoji),
    step("add", Who),
    step("remove", Who),
    step("role", Who, Role),
    step("join"),
    step("leave"),
    step("rename", st.sampled_from(["Garden", "Orchard"])),
    step("access", st.sampled_from(["open", "closed"])),
    step("archive"),
    step("unarchive"),
    step("read", st.integers(0, 40)),
    step("unread", st.integers(1, 40)),
    step("allow_all", st.sampled_from(["everyone", "admins"])),
    step("level", st.sampled_from(["all", "mentions", "nothing"])),
    step("favourite", st.booleans()),
)


@dataclass
class World:
    people: list[User]
    conversation: Conversation

    @property
    def pk(self) -> int:
        return self.conversation.pk

    def message(self, which: int) -> int:
        ids = Message.objects.filter(conversation=self.conversation).order_by("-seq")
        found: list[int] = list(ids.values_list("pk", flat=True))
        return found[which % len(found)]

    def do(self, name: str, who: int, *about: Any) -> None:
        user = self.people[who]
        match name:
            case "send":
                actions.send_message(user, self.pk, key=about[0], body=about[1])
            case "reply":
                target = self.message(about[1])
                actions.send_message(user, self.pk, key=about[0], body="Re", reply_to=target)
            case "edit":
                actions.edit_message(user, self.message(about[0]), about[1])
            case "delete":
                actions.delete_message(user, self.message(about[0]))
            case "react":
                actions.react(user, self.message(about[0]), about[1])
            case "unreact":
                actions.unreact(user, self.message(about[0]), about[1])
            case "add":
                actions.add_members(user, self.pk, [self.people[about[0]].pk])
            case "remove":
                actions.remove_member(user, self.pk, self.people[about[0]].pk)
            case "role":
                actions.change_role(user, self.pk, self.people[about[0]].pk, about[1])
            case "join":
                actions.join(user, self.pk)
            case "leave":
                actions.leave(user, self.pk)
            case "rename":
                actions.update_conversation(user, self.pk, name=about[0])
            case "access":
                actions.update_conversation(user, self.pk, access=about[0])
            case "archive":
                actions.archive(user, self.pk)
            case "unarchive":
                actions.unarchive(user, self.pk)
            case "read":
                actions.mark_read(user, self.pk, about[0])
            case "unread":
                actions.mark_unread(user, self.pk, about[0])
            case "allow_all":
                actions.update_conversation(user, self.pk, mentioning_all=about[0])
            case "level":
                actions.set_level(user, self.pk, about[0])
            case "favourite":
                actions.set_favourite(user, self.pk, about[0])


def truth_of(conversation: Conversation) -> dict[int, Any]:
    ids = Message.objects.filter(conversation=conversation).values_list("pk", flat=True)
    rows = queries.read_by_ids(ids)
    return {row.pk: as_json(message_json(row)) for row in rows}


def as_json(wire: Any) -> Any:
    return json.loads(json.dumps(wire))


def learn(known: dict[int, Any], message: Any) -> None:
    """Store a message as docs/protocol.md says: the higher version wins, also in quotes."""
    if message["id"] in known and known[message["id"]]["version"] >= message["version"]:
        return
    known[message["id"]] = message
    for each in known.values():
        quoted = each["reply_to"]
        original = known.get(quoted["id"]) if quoted else None
        if original and original["version"] > quoted["version"]:
            quoted |= {name: original[name] for name in ("version", "author", "excerpt")}
            quoted["deleted"] = original["deleted_at"] is not None


def heard(events: list[Event]) -> dict[int, Any]:
    """Return what a client knows that got every frame."""
    known: dict[int, Any] = {}
    for event in events:
        if isinstance(event, ConversationChanged):
            learn(known, json.loads(event.text)["message"])
    return known


def preview_of(known: dict[int, Any]) -> dict[str, Any]:
    """Return the `last` of a conversation, from all its messages."""
    last = max(known.values(), key=itemgetter("seq"))
    fields = ("seq", "version", "kind", "excerpt", "notice", "created_at", "deleted_at")
    author = last["author"] and {name: last["author"][name] for name in ("id", "name")}
    text = "" if last["notice"] else last["excerpt"]
    return {**{name: last[name] for name in fields}, "author": author, "excerpt": text}


def unread_mentions(membership: Membership, known: dict[int, Any]) -> list[int]:
    """Return the seqs of unread messages that mention the member, as docs/protocol.md says."""
    return sorted(
        each["seq"]
        for each in known.values()
        if each["seq"] > membership.last_read_seq
        and each["author"]["id"] != membership.user_id
        and (each.get("mentions_all") or membership.user_id in each["mentions"])
    )


def caught_up(conversation: Conversation, known: dict[int, Any], position: int, limit: int) -> int:
    """Let a client that knows everything up to `position` ask for changes until there are no more."""
    while True:
        changes = queries.changes_since(conversation.pk, position, limit=limit)
        assert changes is not None
        assert not changes.reset
        for message in changes.messages:
            learn(known, as_json(message_json(message)))
        assert changes.version >= position
        position = changes.version
        if not changes.more:
            return position


@pytest.mark.slow
@settings(
    max_examples=20,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(STEPS, min_size=5, max_size=40),
    asks_every=st.integers(1, 9),
    away=st.integers(0, 39),
    limit=st.integers(1, 5),
)
def test_all_clients_converge_to_the_same_state(
    steps, asks_every, away, limit, alice, bob, carol, mia, published
):
    with transaction.atomic():
        with published() as events:
            group = actions.create_conversation(alice, name="Garden", member_ids=[bob.pk])
        world = World([alice, bob, carol, mia], group)
        by_asking: dict[int, Any] = {}
        position = 0
        # A client that loads only the latest page, disconnects, and returns later.
        returning: dict[int, Any] = {}
        left_at = group.version
        for number, what in enumerate(steps):
            if number == away:
                group.refresh_from_db()
                page = queries.history(group, limit=limit)
                left_at = page.position
                for row in page.messages:
                    learn(returning, as_json(message_json(row)))
            before = Conversation.objects.values_list("version", flat=True).get(pk=group.pk)
            with published() as more:
                try:
                    world.do(*what)
                except ChatError:
                    # A rejected action changes and publishes nothing.
                    assert more == []
            events += more
            after = Conversation.objects.values_list("version", flat=True).get(pk=group.pk)
            assert published_versions(more, group) == list(range(before + 1, after + 1)), what
            if number % asks_every == 0:
                position = caught_up(group, by_asking, position, limit=asks_every)

        assert_consistent(group)
        truth = truth_of(group)
        assert heard(events) == truth
        assert caught_up(group, by_asking, position, limit=asks_every) == group.version
        assert by_asking == truth
        assert caught_up(group, returning, left_at, limit=limit) == group.version
        assert returning == {pk: truth[pk] for pk in returning}
        late: dict[int, Any] = {}
        assert caught_up(group, late, 0, limit=100) == group.version
        assert late == truth
        pages = {m.pk: as_json(message_json(m)) for m in queries.history(group, limit=100).messages}
        assert pages == truth

        memberships = list(Membership.objects.filter(conversation=group).select_related("user"))
        for membership in memberships:
            row = queries.sidebar_row(membership.user, group.pk)
            assert row is not None
            assert row.unread == brute_force_unread(membership)
            assert row.mentions == unread_mentions(membership, truth)
            assert row.last_read_seq <= group.last_seq
            assert (row.level, row.favourite) == (membership.level, membership.favourite)
            # The preview is what a client knows that got every frame.
            assert as_json(msgspec.to_builtins(row.last)) == preview_of(truth)
        if memberships:
            assert any(membership.is_owner for membership in memberships)
        keys = [row.key for row in Message.objects.filter(conversation=group, kind="text")]
        authors = Message.objects.filter(conversation=group).values_list("author", "key")
        assert len(keys) == len({pair for pair in authors if pair[1] is not None})
        transaction.set_rollback(True)
