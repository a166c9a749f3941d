"""Reads: history, unread counts and changes, with a constant number of queries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import actions as account_actions
from accounts.models import User
from conversations import actions, limits, queries
from conversations.models import Conversation, Instance, Membership, Message
from conversations.queries import messages as message_queries
from conversations.tests.helpers import draft, message_json, say, version_of
from tests.cast import create_extra


def fill(user, conversation, count: int, word: str = "m") -> None:
    actions.send_messages(
        [draft(user.pk, conversation.pk, f"{word}{n}", word) for n in range(count)]
    )


def seqs(messages: list[Message]) -> list[int]:
    return [message.seq for message in messages]


# --- history ---------------------------------------------------------------------------------------


@pytest.fixture
def long(alice, pair) -> Conversation:
    """120 rows: two system messages and 118 messages."""
    fill(alice, pair, 118)
    pair.refresh_from_db()
    return pair


@pytest.mark.parametrize(
    ("asked", "first", "last", "older", "newer"),
    [
        ({}, 71, 120, True, False),
        ({"before": 71}, 21, 70, True, True),
        ({"before": 21}, 1, 20, False, True),
        ({"before": 2}, 1, 1, False, True),
        ({"before": 10_000}, 71, 120, True, False),
        ({"after": 0}, 1, 50, False, True),
        ({"after": 70}, 71, 120, True, False),
        ({"after": 119}, 120, 120, True, False),
        ({"around": 60, "limit": 21}, 50, 70, True, True),
        ({"around": 1, "limit": 21}, 1, 21, False, True),
        ({"around": 120, "limit": 21}, 110, 120, True, False),
        ({"around": 60, "limit": 1}, 60, 60, True, True),
        ({"limit": 10_000}, 21, 120, True, False),
        ({"limit": 0}, 120, 120, True, False),
    ],
)
def test_history_page_boundaries(asked, first, last, older, newer, long):
    page = queries.history(long, **asked)
    assert seqs(page.messages) == list(range(first, last + 1))
    assert (page.has_older, page.has_newer) == (older, newer)
    assert page.position == 120


def test_first_message_since_a_moment_is_found_by_halves(long):
    began = Message.objects.get(conversation=long, seq=1).created_at
    for seq in range(1, 121):
        at = began + timedelta(hours=seq)
        Message.objects.filter(conversation=long, seq=seq).update(created_at=at)
    for seq in (1, 2, 59, 60, 119, 120):
        for minutes in (0, 30):
            moment = began + timedelta(hours=seq, minutes=-minutes)
            with CaptureQueriesContext(connection) as captured:
                found = queries.first_since(long, moment)
            assert found
            assert found.seq == seq
            assert len(captured) <= 8  # 120 < 2 ** 7
    assert queries.first_since(long, began + timedelta(hours=121)) is None
    assert queries.first_since(Conversation(pk=0, last_seq=0), began) is None


@pytest.mark.parametrize(
    ("asked", "older", "newer"),
    [
        ({"before": 1}, False, True),
        ({"before": 0}, False, True),
        ({"after": 120}, True, False),
        ({"after": 10_000}, True, False),
        ({"around": 10_000}, True, False),
    ],
)
def test_empty_page_reports_older_and_newer(asked, older, newer, long):
    page = queries.history(long, **asked)
    assert page.messages == []
    assert (page.has_older, page.has_newer) == (older, newer)


@pytest.mark.parametrize("asked", [{}, {"before": 5}, {"after": 0}, {"around": 3}])
def test_empty_conversation_has_no_older_or_newer(asked, alice, bob):
    page = queries.history(actions.open_direct(alice, bob.pk), **asked)
    assert (page.messages, page.has_older, page.has_newer) == ([], False, False)


def test_query_count_of_a_page_is_constant(alice, bob, pair, django_assert_num_queries):
    quoted = say(bob, pair)
    for number in range(30):
        message = say(alice, pair, f"{number}", reply_to=quoted.pk)
        actions.react(bob, message.pk, "👍")
    with django_assert_num_queries(2):  # the second reads the names of people who reacted
        page = queries.history(pair)
        wires = [message_json(message) for message in page.messages]
    assert len(wires) == 33
    with django_assert_num_queries(3):
        wires = [message_json(m) for m in queries.changes_since(pair.pk, 0).messages]
    assert len(wires) == 33


@pytest.mark.sqlite
def test_pages_are_read_by_index(alice, long):
    with CaptureQueriesContext(connection) as made:
        queries.history(long, before=60)
        queries.history(long, after=60)
        queries.changes_since(long.pk, 60)
        queries.sidebar(alice)
    reads = [q["sql"] for q in made.captured_queries if "conversations_message" in q["sql"]]
    assert len(reads) == 4
    for sql in reads:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = "\n".join(str(row[3]) for row in cursor.fetchall())
        assert "SEARCH" in plan
        assert "SCAN m" not in plan, plan
        assert "SCAN x" not in plan, plan
        if "conversations_membership" not in sql:  # the sidebar sorts its few rows
            assert "USE TEMP B-TREE" not in plan, plan


def test_concurrent_change_is_not_missed_after_a_page(alice, bob, pair, monkeypatch):
    """A client that asks from the position of a page gets everything that the page did not show."""
    message = say(bob, pair, "Before")
    original = message_queries.read

    def meanwhile(*args, **kwargs):
        monkeypatch.setattr(message_queries, "read", original)
        actions.edit_message(bob, message.pk, "After")
        say(alice, pair, "Late")
        return original(*args, **kwargs)

    monkeypatch.setattr(message_queries, "read", meanwhile)
    page = queries.history(pair)
    changes = queries.changes_since(pair.pk, page.position)
    assert {m.body for m in changes.messages} == {"After", "Late"}
    assert page.position < changes.version == version_of(pair)


# --- catching up -----------------------------------------------------------------------------------


def test_changes_since_returns_each_message_once_by_version(alice, bob, pair):
    position = version_of(pair)
    one, two = say(bob, pair, "One"), say(bob, pair, "Two")
    actions.edit_message(bob, one.pk, "One more")
    actions.react(alice, one.pk, "👍")
    gone = actions.delete_message(bob, two.pk)
    changes = queries.changes_since(pair.pk, position)
    assert [(m.pk, m.body) for m in changes.messages] == [(one.pk, "One more"), (two.pk, "")]
    assert [m.version for m in changes.messages] == [gone.version - 1, gone.version]
    assert (changes.version, changes.more, changes.reset) == (gone.version, False, False)


def test_changes_since_is_paged(alice, pair):
    fill(alice, pair, 25)
    position, found = 0, []
    for _page in range(3):
        changes = queries.changes_since(pair.pk, position, limit=10)
        found += seqs(changes.messages)
        position = changes.version
    assert found == list(range(1, 28))
    assert (changes.more, position) == (False, version_of(pair))
    assert queries.changes_since(pair.pk, 17, limit=10).more is False
    assert queries.changes_since(pair.pk, 16, limit=10).more is True


def test_changes_since_reaches_the_latest_version(bob, pair):
    message = say(bob, pair)
    for number in range(5):
        actions.edit_message(bob, message.pk, f"{number}")
    changes = queries.changes_since(pair.pk, message.version)
    assert [m.pk for m in changes.messages] == [message.pk]
    assert changes.version == version_of(pair)


def test_changes_since_resets_when_too_far_behind_or_ahead(alice, pair, monkeypatch):
    monkeypatch.setattr(limits, "SYNC_REACH", 10)
    fill(alice, pair, 20)
    head = version_of(pair)
    for position in (head - 11, 0, head + 1, 10**9):
        changes = queries.changes_since(pair.pk, position)
        assert (changes.messages, changes.version, changes.reset) == ([], head, True)
    assert queries.changes_since(pair.pk, head - 10).reset is False
    assert queries.changes_since(pair.pk, head) == queries.Changes([], head, False, False)


def test_changes_since_returns_none_for_a_deleted_conversation(alice, pair):
    assert queries.changes_since(2**40, 0) is None
    actions.delete_conversation(alice, pair.pk)
    assert queries.changes_since(pair.pk, 0) is None


# --- unread ----------------------------------------------------------------------------------------


def brute_force_unread(membership: Membership) -> int:
    rows = Message.objects.filter(conversation_id=membership.conversation_id)
    return sum(
        1
        for row in rows
        if membership.last_read_seq < row.seq <= membership.last_read_seq + limits.UNREAD_WINDOW
        and row.kind == "text"
        and row.deleted_at is None
        and row.author_id != membership.user_id
    )


def test_unread_counts_messages_of_others_after_the_mark(alice, bob, carol, pair):
    read = say(alice, pair, "Read")
    actions.mark_read(bob, pair.pk, read.seq)
    one = say(alice, pair, "One")
    say(bob, pair, "My own")
    actions.add_members(alice, pair.pk, [carol.pk])  # a system message
    gone = say(alice, pair, "Gone")
    say(carol, pair, "Two")
    actions.delete_message(alice, gone.pk)
    (row,) = queries.sidebar(bob)
    assert (row.unread, row.unread_more) == (2, False)
    membership = Membership.objects.get(user=bob, conversation=pair)
    assert brute_force_unread(membership) == 2
    assert queries.first_unread_seq(membership) == one.seq
    actions.mark_read(bob, pair.pk, 10**6)
    membership.refresh_from_db()
    assert queries.first_unread_seq(membership) is None
    assert queries.sidebar(bob)[0].unread == 0


def test_unread_count_is_capped(alice, bob, pair):
    actions.mark_read(bob, pair.pk, version_of(pair))
    fill(alice, pair, limits.UNREAD_WINDOW)
    (row,) = queries.sidebar(bob)
    assert (row.unread, row.unread_more) == (limits.UNREAD_WINDOW, False)
    say(alice, pair)
    (row,) = queries.sidebar(bob)
    assert (row.unread, row.unread_more) == (limits.UNREAD_WINDOW, True)


def test_messages_before_joining_are_not_unread(alice, bob, carol, pair):
    fill(bob, pair, 5)
    actions.add_members(alice, pair.pk, [carol.pk])
    assert [row.unread for row in queries.sidebar(carol)] == [0]
    say(bob, pair)
    assert [row.unread for row in queries.sidebar(carol)] == [1]


# --- the sidebar -----------------------------------------------------------------------------------


def test_sidebar_takes_two_queries(alice, django_assert_num_queries):
    for number in range(12):
        other = create_extra(f"Friend{number}")
        say(other, actions.open_direct(other, alice.pk))
        actions.create_conversation(alice, name=f"Group {number}")
    with django_assert_num_queries(2):
        rows = queries.sidebar(alice)
    assert len(rows) == 24
    assert sum(row.unread for row in rows) == 12
    assert {row.name for row in rows if row.other} == {f"Friend{number}" for number in range(12)}
    with django_assert_num_queries(2):
        assert len(queries.sidebar(alice, limit=5)) == 5


def test_unread_mentions_take_no_extra_query(alice, bob, django_assert_num_queries):
    for number in range(12):
        room = actions.create_conversation(bob, name=f"Group {number}", member_ids=[alice.pk])
        say(bob, room, "@Alice")
    with django_assert_num_queries(1):
        assert [len(row.mentions) for row in queries.sidebar(alice)] == [1] * 12


def test_sidebar_names_the_closed_accounts_in_direct_messages(
    alice, bob, carol, django_assert_num_queries
):
    for other in (alice, bob, carol):
        actions.open_direct(alice, other.pk)
    account_actions.close_account(bob)
    with django_assert_num_queries(2):
        rows, closed = queries.sidebar_and_closed_accounts(alice, limit=200)
    assert (rows, closed) == (queries.sidebar(alice), {bob.pk})


def test_sidebar_and_versions_covers_all_conversations(alice, bob, django_assert_num_queries):
    room = actions.create_conversation(alice, name="Group", member_ids=[bob.pk])
    unspoken = actions.open_direct(bob, alice.pk)
    say(bob, room, "@Alice")
    say(alice, actions.open_direct(alice, create_extra("Carol").pk))
    with django_assert_num_queries(2):
        rows, versions = queries.sidebar_and_versions(alice)
    assert rows == queries.sidebar(alice)
    assert unspoken.pk in versions
    assert unspoken.pk not in {row.id for row in rows}
    assert versions == {pk: version for _, pk, version in queries.memberships_of([alice.pk])}
    with django_assert_num_queries(4):
        rows, more = queries.sidebar_and_versions(alice, limit=1)
    assert (rows, more) == (queries.sidebar(alice, limit=1), versions)


def test_sidebar_is_ordered_by_last_message_ignoring_system_messages(alice, bob, carol):
    first = actions.create_conversation(alice, name="First")
    second = actions.create_conversation(alice, name="Second")
    direct = actions.open_direct(alice, bob.pk)
    say(alice, first)
    actions.add_members(alice, second.pk, [carol.pk])
    assert [row.id for row in queries.sidebar(alice)] == [first.pk, direct.pk, second.pk]


def test_sidebar_paging_handles_equal_timestamps(alice):
    groups = [actions.create_conversation(alice, name=f"Group {n}") for n in range(5)]
    Conversation.objects.update(last_text_at=groups[0].last_text_at)
    everything = queries.sidebar(alice)
    assert [row.id for row in everything] == [group.pk for group in reversed(groups)]
    for place, row in enumerate(everything):
        rest = queries.sidebar(alice, after=(row.last_text_at, row.id))
        assert rest == everything[place + 1 :]
    assert queries.sidebar(alice, after=(groups[0].last_text_at - timedelta(days=1), 1)) == []


def test_sidebar_row_equals_the_row_of_the_sidebar(alice, bob, pair):
    say(bob, pair)
    (row,) = queries.sidebar(alice)
    assert queries.sidebar_row(alice, pair.pk) == row
    assert (row.role, row.level, row.archived, row.kind) == ("owner", "all", False, "group")
    assert queries.sidebar_row(alice, 2**40) is None


def test_empty_direct_message_is_shown_only_on_request(alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    assert queries.sidebar_row(bob, direct.pk) is None
    row = queries.sidebar_row(bob, direct.pk, even_unspoken=True)
    assert row is not None
    assert row.name == "Alice"


def test_direct_message_is_named_after_the_other_person(alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    say(bob, direct)
    account_actions.update_profile(bob, name="Robert")
    assert [row.name for row in queries.sidebar(alice)] == ["Robert"]
    assert queries.title(direct, alice) == "Robert"
    assert queries.title(direct, bob) == "Alice"


# --- people and browsing ---------------------------------------------------------------------------


def test_members_are_sorted_by_role_and_name(
    alice, ann, bob, mia, clive, group, django_assert_num_queries
):
    with django_assert_num_queries(1):
        found = [(m.user.name, m.role) for m in queries.members(group)]
    assert found == [
        ("Alice", "owner"),
        ("Ann", "admin"),
        ("Bob", "member"),
        ("Clive", "member"),
        ("Mia", "member"),
    ]


def test_people_search_matches_names_only(alice, ann, bob, clive, group):
    assert [user.name for user in queries.people(alice, text="al")] == ["Alice"]
    assert queries.people(alice, text="example.org") == []
    assert queries.people(alice, text="Clive") == []
    inside = queries.people(alice, exclude_members_of=group)
    assert not {"Alice", "Bob", "Ann"} & {user.name for user in inside}
    assert {"Carol", "Rita"} <= {user.name for user in inside}


def test_browse_lists_public_groups_with_membership(
    alice, bob, open_group, pair, django_assert_num_queries
):
    actions.open_direct(alice, bob.pk)
    old = actions.create_conversation(alice, name="Old", access="open")
    actions.archive(alice, old.pk)
    with django_assert_num_queries(1):
        (found,) = queries.browse(bob)
    assert (found.pk, found.members_count, found.joined) == (open_group.pk, 1, False)
    actions.join(bob, open_group.pk)
    (found,) = queries.browse(bob)
    assert (found.members_count, found.joined) == (2, True)
    assert queries.browse(bob, text="mark") != []
    assert queries.browse(bob, text="mark nothing") == []


def test_browse_paging_handles_equal_names(alice):
    for name in ("Apples", "Apples", "Pears", "apples", "Äpfel", "bread"):
        actions.create_conversation(alice, name=name, access="open")
    rows = queries.browse(alice)
    assert [row.name for row in rows] == ["Äpfel", "Apples", "Apples", "apples", "bread", "Pears"]
    everything = [row.pk for row in rows]
    place, found = None, []
    while rows := queries.browse(alice, limit=2, after=place):
        found += [row.pk for row in rows]
        place = (rows[-1].folded_name, rows[-1].pk)
    assert found == everything


# --- for the engine --------------------------------------------------------------------------------


def test_epoch_is_created_once_and_can_be_renewed(db):
    first = queries.epoch()
    assert queries.epoch() == first
    assert Instance.objects.count() == 1
    assert actions.renew_epoch() != first
    assert queries.epoch() != first


def test_changed_versions_and_clocks_take_one_query(
    alice, bob, clive, group, pair, django_assert_num_queries
):
    versions = {each.pk: version_of(each) for each in (group, pair)}
    with django_assert_num_queries(1):
        assert queries.changed_versions({**versions, 2**40: 1}) == {2**40: None}
    say(alice, pair)
    actions.delete_conversation(alice, group.pk)
    assert queries.changed_versions(versions) == {group.pk: None, pair.pk: version_of(pair)}
    known = dict(User.objects.values_list("pk", "clock"))
    with django_assert_num_queries(1):
        assert queries.changed_clocks({**known, 2**40: 1}) == {clive.pk: None, 2**40: None}
    account_actions.bump_clock([alice.pk])
    assert queries.changed_clocks(known) == {alice.pk: known[alice.pk] + 1, clive.pk: None}
    assert queries.changed_versions({}) == queries.changed_clocks({}) == {}


def test_changed_versions_accepts_thousands_of_ids(alice, pair):
    versions = {pair.pk: version_of(pair)} | dict.fromkeys(range(2**40, 2**40 + 3_999), 1)
    assert len(queries.changed_versions(versions)) == 3_999
