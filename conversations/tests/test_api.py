"""The REST API: responses, permissions and query counts."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse
from django.urls.resolvers import URLPattern

from accounts import actions as account_actions
from chatty.common import timestamps
from conversations import actions, bulk, limits, queries
from conversations.api import urls
from conversations.models import Conversation, Membership
from conversations.tests.helpers import (
    assert_consistent,
    draft,
    message_json,
    person_json,
    role_of,
    say,
    version_of,
)
from conversations.wire import timestamp as moment_to_wire


def at(name: str, *args: Any) -> str:
    return reverse(f"api:{name}", args=args)


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return client.generic(method, path, json.dumps(body), content_type="application/json")


def error_of(response: Any) -> tuple[int, str]:
    answer = response.json()
    assert set(answer) <= {"code", "detail", "fields", "retry", "retry_after"}
    assert answer["detail"]
    return response.status_code, answer["code"]


@pytest.fixture
def alices(alice, api_of) -> Client:
    return api_of(alice)


@pytest.fixture
def bobs(bob, api_of) -> Client:
    return api_of(bob)


@pytest.fixture
def carols(carol, api_of) -> Client:
    return api_of(carol)


# --- conversations ---------------------------------------------------------------------------------


def test_created_group_appears_in_the_list(alices, alice, bob, bobs):
    made = send(
        alices,
        "POST",
        at("conversations"),
        {"name": "Garden", "topic": "Apples", "access": "open", "members": [bob.pk]},
    )
    assert made.status_code == 201
    answer = made.json()
    assert made["Location"] == at("conversation", answer["id"])
    assert {name: answer[name] for name in ("name", "topic", "access", "kind", "role")} == {
        "name": "Garden",
        "topic": "Apples",
        "access": "open",
        "kind": "group",
        "role": "owner",
    }
    assert (answer["version"], answer["last_seq"], answer["unread"]) == (2, 2, 0)
    assert alices.get(made["Location"]).json() == answer
    assert alices.get(at("conversations")).json() == {"results": [answer], "next": None}
    (row,) = bobs.get(at("conversations")).json()["results"]
    assert (row["id"], row["role"]) == (answer["id"], "member")


def test_new_group_is_private_by_default(alices):
    made = send(alices, "POST", at("conversations"), {"name": "Garden"}).json()
    assert (made["access"], made["topic"]) == ("closed", "")


def test_list_is_paginated_latest_first(alices, alice):
    groups = [actions.create_conversation(alice, name=f"Group {n}") for n in range(7)]
    say(alice, groups[0])
    wanted = [groups[0].pk, *(group.pk for group in reversed(groups[1:]))]
    path: str | None = at("conversations") + "?limit=3"
    pages = []
    while path:
        answer = alices.get(path).json()
        pages.append([row["id"] for row in answer["results"]])
        path = answer["next"]
    assert pages == [wanted[:3], wanted[3:6], wanted[6:]]


def test_list_can_be_searched_by_name(alices, alice, bob, group, django_assert_max_num_queries):
    garden = actions.create_conversation(alice, name="Łódź Garden")
    actions.create_conversation(bob, name="Garden without Alice")
    direct = actions.open_direct(alice, bob.pk)
    say(alice, direct)

    def found(text: str) -> list[int]:
        answer = alices.get(at("conversations"), {"q": text})
        assert answer.status_code == 200
        return [row["id"] for row in answer.json()["results"]]

    assert found("lodz") == [garden.pk]
    assert found("GARD łó") == [garden.pk]
    assert found("garden 50%_") == []
    assert found(bob.name[:2].upper()) == [direct.pk]
    assert found("  ") == [direct.pk, garden.pk, group.pk]
    with django_assert_max_num_queries(6):
        found("garden")


def test_search_of_the_list_is_paginated(alices, alice):
    groups = [actions.create_conversation(alice, name=f"Group {n}").pk for n in range(3)]
    actions.create_conversation(alice, name="Other")
    first = alices.get(at("conversations"), {"q": "group", "limit": 2}).json()
    second = alices.get(first["next"]).json()
    assert [row["id"] for row in first["results"] + second["results"]] == groups[::-1]
    assert second["next"] is None


def test_browse_search_is_paginated(alices, bobs, alice, bob):
    for name in ("Apple trees", "Apple pie", "apples", "Pears", "Apple juice"):
        actions.create_conversation(alice, name=name, access="open")
    actions.create_conversation(alice, name="Apple secrets")
    old = actions.create_conversation(alice, name="Apple of old", access="open")
    actions.archive(alice, old.pk)
    path: str | None = at("browse") + "?q=apple&limit=3"
    found = []
    while path:
        answer = bobs.get(path).json()
        assert len(answer["results"]) <= 3
        found += answer["results"]
        path = answer["next"]
    names = [row["name"] for row in found]
    assert sorted(names) == ["Apple juice", "Apple pie", "Apple trees", "apples"]
    assert len(set(names)) == len(names)
    assert {(row["members_count"], row["joined"]) for row in found} == {(1, False)}
    (pears,) = alices.get(at("browse") + "?q=pea").json()["results"]
    assert pears["joined"] is True


def test_direct_message_is_the_same_for_both_people(alices, bobs, alice, bob):
    one = send(alices, "POST", at("direct"), {"user": bob.pk})
    two = send(bobs, "POST", at("direct"), {"user": alice.pk})
    assert (one.status_code, two.status_code) == (200, 200)
    assert one.json()["id"] == two.json()["id"]
    assert one.json()["other"] == person_json(bob)
    assert two.json()["name"] == "Alice"
    # There are no messages yet: only the person who created it sees it in the list.
    assert len(alices.get(at("conversations")).json()["results"]) == 1
    assert bobs.get(at("conversations")).json()["results"] == []


def test_conversation_update_is_all_or_nothing(alices, pair):
    path = at("conversation", pair.pk)
    changed = send(alices, "PATCH", path, {"name": "Orchard", "topic": "Pears", "access": "open"})
    assert changed.status_code == 200
    assert {changed.json()[name] for name in ("name", "topic", "access")} == {
        *("Orchard", "Pears", "open")
    }
    before = version_of(pair)
    refused = send(alices, "PATCH", path, {"name": "Field", "topic": "x" * 300})
    assert error_of(refused) == (400, "too_long")
    assert list(refused.json()["fields"]) == ["topic"]
    assert version_of(pair) == before
    assert send(alices, "PATCH", path, {"archived": True}).json()["archived"] is True
    assert error_of(send(alices, "PATCH", path, {"name": "Field"})) == (409, "archived")
    both = send(alices, "PATCH", path, {"archived": False, "name": "Field"}).json()
    assert (both["archived"], both["name"]) == (False, "Field")


def test_conversation_can_be_deleted_by_its_owner(alices, bobs, pair):
    assert error_of(bobs.delete(at("conversation", pair.pk))) == (403, "not_allowed")
    gone = alices.delete(at("conversation", pair.pk))
    assert (gone.status_code, gone.content) == (204, b"")
    assert error_of(alices.get(at("conversation", pair.pk))) == (404, "not_found")


# --- members ---------------------------------------------------------------------------------------


def test_join_and_leave(bobs, bob, open_group):
    joined = send(bobs, "POST", at("join", open_group.pk))
    assert (joined.status_code, joined.json()["role"]) == (200, "member")
    assert send(bobs, "POST", at("join", open_group.pk)).status_code == 200
    assert error_of(send(bobs, "POST", at("leave", open_group.pk), None)) == (400, "invalid")
    assert bobs.generic("POST", at("leave", open_group.pk)).status_code == 204  # without a body
    assert role_of(bob, open_group) is None
    assert error_of(send(bobs, "POST", at("leave", open_group.pk), {})) == (404, "not_found")


def test_members_can_be_listed_added_promoted_and_removed(alices, bobs, alice, bob, carol, pair):
    added = send(alices, "POST", at("members", pair.pk), {"users": [carol.pk, bob.pk]})
    assert added.status_code == 200
    assert [row["user"] for row in added.json()["results"]] == [person_json(carol)]
    promoted = send(alices, "PATCH", at("member", pair.pk, carol.pk), {"role": "admin"})
    assert (promoted.status_code, promoted.json()["role"]) == (200, "admin")
    listed = bobs.get(at("members", pair.pk)).json()["results"]
    assert [(row["user"]["name"], row["role"]) for row in listed] == [
        ("Alice", "owner"),
        ("Carol", "admin"),
        ("Bob", "member"),
    ]
    assert "@" not in json.dumps(listed)
    assert error_of(bobs.delete(at("member", pair.pk, carol.pk))) == (403, "not_allowed")
    assert alices.delete(at("member", pair.pk, carol.pk)).status_code == 204
    assert role_of(carol, pair) is None
    assert error_of(alices.delete(at("member", pair.pk, carol.pk))) == (404, "not_found")
    last = send(alices, "PATCH", at("member", pair.pk, alice.pk), {"role": "member"})
    assert error_of(last) == (409, "last_owner")


# --- personal settings -----------------------------------------------------------------------------


def test_read_unread_and_level(alices, bobs, alice, bob, pair):
    messages = [say(alice, pair, f"{n}") for n in range(4)]
    path = at("conversation", pair.pk)
    assert bobs.get(path).json()["unread"] == 4
    read = send(bobs, "POST", at("read", pair.pk), {"seq": messages[2].seq}).json()
    assert (read["last_read_seq"], read["unread"]) == (messages[2].seq, 1)
    assert send(bobs, "POST", at("read", pair.pk), {"seq": 1}).json()["unread"] == 1
    unread = send(bobs, "POST", at("unread", pair.pk), {"seq": messages[1].seq}).json()
    assert unread["unread"] == 3
    level = send(bobs, "PATCH", at("level", pair.pk), {"level": "nothing"}).json()
    assert level["level"] == "nothing"
    assert alices.get(path).json()["level"] == "all"


# --- messages --------------------------------------------------------------------------------------


def test_posting_a_message_is_idempotent(bobs, bob, pair, published):
    text = {"key": "k", "body": "Hello *you*"}
    with published() as events:
        first = send(bobs, "POST", at("messages", pair.pk), text)
        again = send(bobs, "POST", at("messages", pair.pk), text)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first["Location"] == at("message", first.json()["id"])
    assert len(events) == 1
    answer = first.json()
    assert answer == {
        "id": answer["id"],
        "conversation": pair.pk,
        "seq": 3,
        "version": 3,
        "kind": "text",
        "author": person_json(bob),
        "key": "k",
        "body": "Hello *you*",
        "html": "<p>Hello <em>you</em></p>",
        "excerpt": "Hello you",
        "notice": None,
        "mentions": [],
        "reply_to": None,
        "created_at": answer["created_at"],
        "edited_at": None,
        "deleted_at": None,
        "reactions": [],
    }
    other = send(bobs, "POST", at("messages", pair.pk), {**text, "body": "Else"})
    assert error_of(other) == (409, "key_reused")


def test_body_is_as_written_but_for_blank_lines_before_and_space_after(bobs, pair):
    """As docs/protocol.md and the description of the field say."""
    for sent, kept in (
        ("\n \n    indented\n\nend \n\t", "    indented\n\nend"),
        (" a  b ", " a  b"),
    ):
        body = {"key": f"k{len(sent)}", "body": sent}
        assert send(bobs, "POST", at("messages", pair.pk), body).json()["body"] == kept


def test_reply_contains_the_quoted_message(alices, alice, pair, hello, bob):
    text = {"key": "k", "body": "Yes?", "reply_to": hello.pk}
    answer = send(alices, "POST", at("messages", pair.pk), text).json()
    assert answer["reply_to"] == {
        "id": hello.pk,
        "seq": hello.seq,
        "version": hello.version,
        "author": person_json(bob),
        "excerpt": "Hello",
        "deleted": False,
    }


def test_message_can_be_read_edited_reacted_to_and_deleted(alices, bobs, alice, hello):
    path = at("message", hello.pk)
    assert alices.get(path).json()["body"] == "Hello"
    assert error_of(send(alices, "PATCH", path, {"body": "Mine"})) == (403, "not_allowed")
    edited = send(bobs, "PATCH", path, {"body": "Hello again"})
    assert (edited.status_code, edited.json()["body"]) == (200, "Hello again")
    assert edited.json()["edited_at"]
    reaction = f"{path}reactions/{quote('👍🏽')}/"
    for _ in range(2):
        reacted = alices.put(reaction)
        assert reacted.status_code == 200
        assert reacted.json()["reactions"] == [
            {"emoji": "👍🏽", "count": 1, "users": [alice.pk], "names": ["Alice"]}
        ]
    assert alices.delete(reaction).json()["reactions"] == []
    gone = bobs.delete(path)
    assert gone.status_code == 200
    assert (gone.json()["body"], gone.json()["html"]) == ("", "")
    assert gone.json()["deleted_at"]
    assert bobs.delete(path).json() == gone.json() == alices.get(path).json()
    assert error_of(alices.put(reaction)) == (409, "deleted")


def test_history_is_paged_before_after_and_around(bobs, bob, pair):
    actions.send_messages([draft(bob.pk, pair.pk, f"k{n}", f"{n}") for n in range(3, 101)])
    path = at("messages", pair.pk)

    def page(query: str) -> tuple[int, int, bool, bool]:
        answer = bobs.get(f"{path}{query}").json()
        assert answer["position"] == 100
        seqs = [message["seq"] for message in answer["messages"]]
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
        return seqs[0], seqs[-1], answer["has_older"], answer["has_newer"]

    assert page("") == (51, 100, True, False)
    assert page("?before=51") == (1, 50, False, True)
    assert page("?before=51&limit=10") == (41, 50, True, True)
    assert page("?after=0&limit=100") == (1, 100, False, False)
    assert page("?after=95") == (96, 100, True, False)
    assert page("?around=50&limit=11") == (45, 55, True, True)
    for beyond in ("?after=100", "?around=500", "?before=1"):
        answer = bobs.get(f"{path}{beyond}").json()
        assert answer["messages"] == []
    assert bobs.get(f"{path}?before=1").json()["has_older"] is False


def test_since_version_returns_changed_messages(alices, bobs, bob, pair, hello):
    path = at("messages", pair.pk)
    position = bobs.get(path).json()["position"]
    quiet = bobs.get(f"{path}?since_version={position}").json()
    assert quiet == {
        "type": "changes",
        "messages": [],
        "version": position,
        "more": False,
        "reset": False,
    }
    say(bob, pair, "More")
    actions.edit_message(bob, hello.pk, "Changed")
    since = bobs.get(f"{path}?since_version={position}").json()
    assert [message["body"] for message in since["messages"]] == ["More", "Changed"]
    assert (since["version"], since["more"]) == (position + 2, False)
    one = bobs.get(f"{path}?since_version={position}&limit=1").json()
    assert (len(one["messages"]), one["version"], one["more"]) == (1, position + 1, True)
    ahead = bobs.get(f"{path}?since_version={position + 1000}").json()
    assert (ahead["messages"], ahead["reset"]) == ([], True)


def test_get_requests_write_nothing(bobs, bob, pair, hello, django_assert_max_num_queries):
    paths = [
        at("conversations"),
        at("browse"),
        at("conversation", pair.pk),
        at("members", pair.pk),
        at("messages", pair.pk),
        at("messages", pair.pk) + "?since_version=0",
        at("message", hello.pk),
    ]
    for path in paths:
        with django_assert_max_num_queries(8) as made:
            assert bobs.get(path).status_code == 200
        assert all(query["sql"].startswith("SELECT") for query in made.captured_queries), path


# --- query counts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conversations", "browse", "messages", "members"])
def test_query_count_of_a_page_is_constant(
    name, alices, alice, bob, carol, pair, django_assert_num_queries
):
    path = at(name) if name in ("conversations", "browse") else at(name, pair.pk)
    quoted = say(bob, pair, "Quote me")
    say(alice, pair, "Yes", reply_to=quoted.pk)
    actions.react(alice, quoted.pk, "👍")
    actions.open_direct(alice, bob.pk)
    actions.create_conversation(bob, name="Open", access="open")
    with django_assert_num_queries(10, exact=False) as few:
        assert alices.get(path).status_code == 200
    for number in range(30):
        message = say(bob, pair, f"{number}", reply_to=quoted.pk)
        actions.react(alice, message.pk, "🎉")
        actions.create_conversation(alice, name=f"Open {number}", access="open")
    actions.open_direct(alice, carol.pk)
    actions.add_members(alice, pair.pk, [carol.pk])
    with django_assert_num_queries(len(few)):
        assert alices.get(path).status_code == 200


# --- permissions -----------------------------------------------------------------------------------

EMOJI = quote("👍")
ENDPOINTS = [
    ("GET", "conversations/", None),
    ("POST", "conversations/", {"name": "New"}),
    ("GET", "conversations/browse/", None),
    ("POST", "conversations/direct/", {"user": "{bob}"}),
    ("GET", "conversations/{c}/", None),
    ("PATCH", "conversations/{c}/", {"topic": "New"}),
    ("DELETE", "conversations/{c}/", None),
    ("POST", "conversations/{c}/join/", None),
    ("POST", "conversations/{c}/leave/", {}),
    ("GET", "conversations/{c}/members/", None),
    ("POST", "conversations/{c}/members/", {"users": ["{bob}"]}),
    ("PATCH", "conversations/{c}/members/{bob}/", {"role": "admin"}),
    ("DELETE", "conversations/{c}/members/{bob}/", None),
    ("GET", "conversations/{c}/removals/", None),
    ("DELETE", "conversations/{c}/removals/{bob}/", None),
    ("POST", "conversations/{c}/read/", {"seq": 1}),
    ("POST", "conversations/{c}/unread/", {"seq": 1}),
    ("PATCH", "conversations/{c}/level/", {"level": "all"}),
    ("PUT", "conversations/{c}/favourite/", None),
    ("DELETE", "conversations/{c}/favourite/", None),
    ("GET", "conversations/{c}/messages/", None),
    ("GET", "conversations/{c}/messages/?since_version=0", None),
    ("POST", "conversations/{c}/messages/", {"key": "new", "body": "Hi"}),
    ("GET", "messages/{m}/", None),
    ("PATCH", "messages/{m}/", {"body": "Changed"}),
    ("DELETE", "messages/{m}/", None),
    ("PUT", f"messages/{{m}}/reactions/{EMOJI}/", None),
    ("DELETE", f"messages/{{m}}/reactions/{EMOJI}/", None),
]
INSIDE = [endpoint for endpoint in ENDPOINTS if "{c}" in endpoint[1] or "{m}" in endpoint[1]]


def request_endpoint(client: Client, endpoint: tuple[str, str, Any], **ids: int) -> Any:
    method, path, body = endpoint
    if isinstance(body, dict):
        body = {
            name: ids["bob"] if value == "{bob}" else [ids["bob"]] if value == ["{bob}"] else value
            for name, value in body.items()
        }
    return send(client, method, "/api/" + path.format(**ids), body)


def test_every_api_path_is_among_the_endpoints():
    def paths(patterns: Any, before: str = "") -> Any:
        for pattern in patterns:
            path = before + str(pattern.pattern)
            if isinstance(pattern, URLPattern):
                yield path
            else:
                yield from paths(pattern.url_patterns, path)

    known = {
        path.partition("?")[0]
        .replace("{c}", "<int:conversation>")
        .replace("{m}", "<int:message>")
        .replace("{bob}", "<int:user>")
        .replace(EMOJI, "<str:emoji>")
        for _method, path, _body in ENDPOINTS
    }
    assert known == set(paths(urls.urlpatterns))


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")
def test_endpoints_require_authentication(endpoint, bob, pair, hello):
    before = version_of(pair)
    answer = request_endpoint(Client(), endpoint, c=pair.pk, m=hello.pk, bob=bob.pk)
    assert error_of(answer) == (401, "unauthenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert version_of(pair) == before


@pytest.mark.parametrize("endpoint", INSIDE, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")
@pytest.mark.parametrize("who", ["carol", "rita"])
def test_outsiders_get_the_same_404_for_existing_and_missing(
    endpoint, who, request, api_of, bob, group
):
    client = api_of(request.getfixturevalue(who))
    message = say(bob, group)
    group.refresh_from_db()
    before = group.version
    there = request_endpoint(client, endpoint, c=group.pk, m=message.pk, bob=bob.pk)
    missing = request_endpoint(client, endpoint, c=2**40, m=2**40, bob=bob.pk)
    assert error_of(there) == error_of(missing) == (404, "not_found")
    assert there.content == missing.content
    assert version_of(group) == before


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")
def test_deactivated_account_is_rejected_by_every_endpoint(endpoint, bob, bobs, pair, hello):
    account_actions.close_account(bob)
    answer = request_endpoint(bobs, endpoint, c=pair.pk, m=hello.pk, bob=bob.pk)
    assert error_of(answer)[0] in (401, 403)
    assert error_of(answer)[1] in ("account_closed", "token_invalid")
    assert_consistent(pair)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint[0]} {endpoint[1]}")
def test_session_requests_require_a_csrf_token_to_write(endpoint, alice, bob, group):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    message = say(alice, group)
    ids = {"c": group.pk, "m": message.pk, "bob": bob.pk}
    if endpoint[0] == "GET":
        assert request_endpoint(browser, endpoint, **ids).status_code == 200
        return
    before = version_of(group)
    assert error_of(request_endpoint(browser, endpoint, **ids)) == (403, "csrf")
    assert version_of(group) == before


def test_session_request_with_a_csrf_token_can_write(alice, pair):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    token = browser.get(reverse("accounts:profile")).cookies["chatty-csrf"].value
    sent = browser.post(
        at("messages", pair.pk),
        {"key": "k", "body": "Hello"},
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    assert sent.status_code == 201


# --- bad input -------------------------------------------------------------------------------------

BAD_BODIES = [
    ({}, "invalid"),
    ({"key": "k"}, "invalid"),
    ({"body": "Hello"}, "invalid"),
    ({"key": "k", "body": None}, "invalid"),
    ({"key": "k", "body": 7}, "invalid"),
    ({"key": "k", "body": True}, "invalid"),
    ({"key": "k", "body": ["Hello"]}, "invalid"),
    ({"key": 7, "body": "Hello"}, "invalid"),
    ({"key": "a b", "body": "Hello"}, "invalid"),
    ({"key": "", "body": "Hello"}, "invalid"),
    ({"key": "k" * 65, "body": "Hello"}, "invalid"),
    ({"key": "k", "body": "Hello", "colour": "red"}, "invalid"),
    ({"key": "k", "body": "Hello", "reply_to": "1"}, "invalid"),
    ({"key": "k", "body": "Hello", "reply_to": 1.0}, "invalid"),
    ({"key": "k", "body": "Hello", "reply_to": True}, "invalid"),
    ({"key": "k", "body": "Hello", "reply_to": 0}, "invalid"),
    ({"key": "k", "body": "Hello", "reply_to": 2**63}, "invalid"),
    ({"key": "k", "body": ""}, "empty"),
    ({"key": "k", "body": " \n "}, "empty"),
    ({"key": "k", "body": "x" * (limits.BODY_MAX + 1)}, "too_long"),
    ({"key": "k", "body": "a\x00b"}, "bad_text"),
    ({"key": "k", "body": "a\x1bb"}, "bad_text"),
    ({"key": "k", "body": "a\ud800b"}, "bad_frame"),
    ([], "invalid"),
    ("text", "invalid"),
    (None, "invalid"),
]


@pytest.mark.parametrize(("body", "code"), BAD_BODIES)
def test_invalid_message_is_rejected_with_a_code(body, code, bobs, pair):
    before = version_of(pair)
    assert error_of(send(bobs, "POST", at("messages", pair.pk), body)) == (400, code)
    assert version_of(pair) == before


@pytest.mark.parametrize(
    ("raw", "content_type", "answer"),
    [
        (b"", "application/json", (400, "invalid")),
        (b"{", "application/json", (400, "bad_frame")),
        (b"\xff\xfe", "application/json", (400, "bad_frame")),
        (b'{"key":"k","body":NaN}', "application/json", (400, "bad_frame")),
        (b"[" * 100_000, "application/json", (400, "bad_frame")),
        (b'{"key":"k","body":' + b"[" * 40 + b"]" * 40 + b"}", "application/json", (400, "bad_frame")),
        (b'{"key":"k","body":"\\ud800"}', "application/json", (400, "bad_frame")),
        (b"key=k&body=Hello", "application/x-www-form-urlencoded", (415, "unsupported_media")),
        (b"Hello", "text/plain", (415, "unsupported_media")),
    ],
)  # fmt: skip
def test_malformed_json_is_rejected(raw, content_type, answer, bobs, pair):
    path = at("messages", pair.pk)
    assert error_of(bobs.generic("POST", path, raw, content_type=content_type)) == answer


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("before=0", "before"),
        ("before=-1", "before"),
        ("before=x", "before"),
        ("before=", "before"),
        ("before=1.0", "before"),
        ("before=%C2%B2", "before"),
        ("before=99999999999999999999", "before"),
        ("before=9007199254740992", "before"),
        ("before=1&before=2", "before"),
        ("before=1&after=2", "after"),
        ("around=1&since_version=2", "since_version"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("since_version=-1", "since_version"),
        ("befor=5", "befor"),
    ],
)
def test_invalid_parameter_is_named(query, field, bobs, pair):
    answer = bobs.get(f"{at('messages', pair.pk)}?{query}")
    assert error_of(answer) == (400, "invalid")
    assert field in answer.json()["fields"]


@pytest.mark.parametrize("name", ["conversations", "browse"])
@pytest.mark.parametrize(
    "cursor",
    [
        *("x", "%00", "W10", "WzEsMl0x", "W251bGwsMV0", "ÿ", "=", "WzEsLTFd", "WyJcdTAwMDAiLDFd"),
        "WzkyMjMzNzIwMzY4NTQ3NzU4MDcsMV0",
    ],
)
def test_invalid_cursor_is_rejected(name, cursor, bobs):
    answer = bobs.get(f"{at(name)}?cursor={cursor}")
    assert error_of(answer) == (400, "invalid")
    assert list(answer.json()["fields"]) == ["cursor"]


@pytest.mark.parametrize("query", ["q=%00", "q=" + "x" * 81, "limit=1000", "page=2"])
def test_browse_rejects_invalid_parameters(query, bobs):
    assert error_of(bobs.get(f"{at('browse')}?{query}")) == (400, "invalid")


@pytest.mark.parametrize(
    ("method", "name", "body", "field"),
    [
        ("POST", "members", {"users": []}, "users"),
        ("POST", "members", {"users": ["1"]}, "users"),
        ("POST", "members", {"users": 1}, "users"),
        ("POST", "members", {}, "users"),
        ("POST", "read", {"seq": -1}, "seq"),
        ("POST", "read", {"seq": "1"}, "seq"),
        ("POST", "unread", {"seq": 0}, "seq"),
        ("PATCH", "level", {"level": "loud"}, "level"),
        ("PATCH", "conversation", {"archived": "yes"}, "archived"),
        ("PATCH", "conversation", {"archived": None}, "archived"),
        ("PATCH", "conversation", {"name": None}, "name"),
        ("PATCH", "conversation", {"kind": "direct"}, "kind"),
        ("PATCH", "conversation", {"access": "secret"}, "access"),
    ],
)
def test_invalid_field_is_named(method, name, body, field, alices, pair):
    before = version_of(pair)
    answer = send(alices, method, at(name, pair.pk), body)
    assert error_of(answer) == (400, "invalid")
    assert field in answer.json()["fields"]
    assert version_of(pair) == before


@pytest.mark.parametrize(
    ("written", "other", "stored"),
    [
        ("❤", "❤\ufe0f", "❤\ufe0f"),
        ("1\u20e3", "1\ufe0f\u20e3", "1\ufe0f\u20e3"),
        ("👍\ufe0f", "👍", "👍"),
    ],
)
def test_reactions_that_look_the_same_are_one(written, other, stored, alices, bobs, hello):
    def react(member, method, emoji):
        address = f"/api/messages/{hello.pk}/reactions/{quote(emoji)}/"
        return member.generic(method, address).json()["reactions"]

    react(alices, "PUT", written)
    (chip,) = react(bobs, "PUT", other)
    assert (chip["emoji"], chip["count"]) == (stored, 2)
    (chip,) = react(bobs, "DELETE", written)
    assert (chip["emoji"], chip["count"]) == (stored, 1)


_NO_EMOJI = ["🏽", "👍\U000e0067\U000e0062\U000e007f", "👍👍"]


@pytest.mark.parametrize("emoji", ["a", "1", *map(quote, _NO_EMOJI), "%00", "%F0%9F", "x" * 200])
def test_reaction_must_be_a_single_emoji(emoji, alices, hello):
    answer = alices.put(f"/api/messages/{hello.pk}/reactions/{emoji}/")
    assert error_of(answer) == (400, "invalid")


@pytest.mark.parametrize("number", [0, 2**53, 2**63, 10**30])
def test_impossible_ids_are_not_found(number, alices):
    for path in (f"conversations/{number}/", f"messages/{number}/"):
        assert error_of(alices.get(f"/api/{path}")) == (404, "not_found")


def test_unsupported_method_returns_405_with_allow(alices, pair):
    answer = alices.put(at("conversation", pair.pk))
    assert error_of(answer) == (405, "method_not_allowed")
    assert {"GET", "PATCH", "DELETE"} <= set(answer["Allow"].split(", "))


def test_message_json_matches_the_wire_format(bobs, hello, pair):
    wire = message_json(queries.with_details(hello))
    assert bobs.get(at("message", hello.pk)).json() == wire
    assert bobs.get(at("messages", pair.pk)).json()["messages"][-1] == wire


def test_database_error_returns_a_retryable_503(bobs, bob, pair, monkeypatch):
    from django.db import OperationalError

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("secret table is locked up")

    monkeypatch.setattr(bulk, "store", fail)
    answer = send(bobs, "POST", at("messages", pair.pk), {"key": "k", "body": "Hello"})
    assert error_of(answer) == (503, "unavailable")
    assert (answer.json()["retry"], "secret" in answer.text) == (True, False)
    assert answer["Retry-After"]


def test_requests_are_rate_limited_per_user(alices, bobs, pair, settings):
    settings.LIMITS = {**settings.LIMITS, "requests": "3/m"}
    path = at("conversation", pair.pk)
    assert [alices.get(path).status_code for _ in range(3)] == [200] * 3
    slow = alices.get(path)
    assert error_of(slow) == (429, "slow_down")
    assert slow.json()["retry"] is True
    assert int(slow["Retry-After"]) >= 1
    assert bobs.get(path).status_code == 200


def test_every_response_says_how_many_requests_are_left(alices, bobs, pair, hello, settings):
    settings.LIMITS = {**settings.LIMITS, "requests": "5/m"}
    told = [
        alices.get(at("conversation", pair.pk)),  # 200
        alices.head("/api/me/"),
        send(alices, "POST", at("messages", pair.pk), {"body": 5}),  # 400
        alices.get("/api/users/"),
        alices.options(at("message", hello.pk)),
        alices.get(at("conversation", pair.pk)),  # 429
    ]
    assert [answer["RateLimit-Policy"] for answer in told] == ['"requests";q=5;w=60'] * 6
    left = [answer["RateLimit"] for answer in told]
    assert [each.partition(";t=")[0] for each in left] == [
        *(f'"requests";r={number}' for number in (4, 3, 2, 1, 0)),
        '"requests";r=0',
    ]
    assert 1 <= int(left[0].partition(";t=")[2]) <= 12
    assert 58 <= int(left[-1].partition(";t=")[2]) <= 60
    assert told[-1].status_code == 429
    assert "r=4" in bobs.get("/api/me/")["RateLimit"]


def test_requests_without_a_user_and_pictures_are_not_counted(alices, client, alice, settings):
    settings.LIMITS = {**settings.LIMITS, "requests": "1/h"}
    assert "RateLimit" not in client.get("/api/me/")
    for _ in range(3):
        answer = alices.get(f"/api/users/{alice.pk}/picture/x/")
        assert (answer.status_code, "RateLimit" in answer) == (404, False)
    assert alices.get("/api/me/").status_code == 200


def test_lists_do_not_create_conversations(alices, bob):
    for path in (at("conversations"), at("browse")):
        alices.get(path)
    assert not Conversation.objects.exists()


# --- presence and read marks -------------------------------------------------------------------------


def test_member_list_includes_presence_read_marks_and_closed_accounts(
    alices, bob, clive, group, monkeypatch, settings
):
    monkeypatch.setattr("conversations.api.views.online_users", lambda ids: {bob.pk} & set(ids))
    actions.mark_read(bob, group.pk, 2)
    path = f"/api/conversations/{group.pk}/members/"
    rows = {row["user"]["id"]: row for row in alices.get(path).json()["results"]}
    assert rows[bob.pk]["online"] is True
    assert [row["online"] for pk, row in rows.items() if pk != bob.pk] == [False] * (len(rows) - 1)
    bobs = Membership.objects.get(user=bob, conversation=group)
    assert rows[bob.pk]["last_read_seq"] == bobs.last_read_seq
    assert [pk for pk, row in rows.items() if not row["active"]] == [clive.pk]
    settings.PRESENCE_MEMBERS = len(rows) - 1
    large = alices.get(path).json()["results"]
    assert {(row["online"], row["last_read_seq"]) for row in large} == {(None, None)}


def test_member_list_is_not_found_for_outsiders(carols, bob, group):
    assert carols.get(f"/api/conversations/{group.pk}/members/").status_code == 404


# --- edit conflicts ---------------------------------------------------------------------------------


def test_conflicting_edit_is_rejected_with_the_current_message(bobs, hello):
    path = at("message", hello.pk)
    assert send(bobs, "PATCH", path, {"body": "First", "edited_at": None}).status_code == 200
    answer = send(bobs, "PATCH", path, {"body": "Second", "edited_at": None})
    assert (answer.status_code, answer.json()["code"]) == (409, "edit_conflict")
    current = answer.json()["message"]
    assert current == bobs.get(path).json()
    assert current["body"] == "First"
    again = {"body": "Second", "edited_at": current["edited_at"]}
    saved = send(bobs, "PATCH", path, again)
    assert (saved.status_code, saved.json()["body"]) == (200, "Second")


def test_repeated_edit_is_not_a_conflict(bobs, hello):
    path = at("message", hello.pk)
    edit = {"body": "First", "edited_at": None}
    first = send(bobs, "PATCH", path, edit).json()
    answer = send(bobs, "PATCH", path, edit)
    assert (answer.status_code, answer.json()) == (200, first)


def test_reaction_is_not_an_edit_conflict(alice, bobs, hello):
    actions.react(alice, hello.pk, "👍")
    edit = {"body": "First", "edited_at": None}
    assert send(bobs, "PATCH", at("message", hello.pk), edit).status_code == 200


def test_edit_without_edited_at_overwrites(bobs, hello):
    path = at("message", hello.pk)
    send(bobs, "PATCH", path, {"body": "First"})
    assert send(bobs, "PATCH", path, {"body": "Second"}).json()["body"] == "Second"


def test_edits_at_the_same_time_get_different_timestamps(bob, bobs, hello):
    moment = hello.created_at
    with timestamps.use_clock(lambda: moment):
        first = actions.edit_message(bob, hello.pk, "First")
        second = actions.edit_message(bob, hello.pk, "Second")
    assert moment_to_wire(first.edited_at) < moment_to_wire(second.edited_at)
    stale = {"body": "Third", "edited_at": moment_to_wire(first.edited_at)}
    assert send(bobs, "PATCH", at("message", hello.pk), stale).status_code == 409


@pytest.mark.parametrize("edited_at", ["yesterday", 5, True, [], {}, "0001-01-01T00:00:00+23:59"])
def test_invalid_edited_at_is_rejected(edited_at, bobs, hello):
    edit = {"body": "First", "edited_at": edited_at}
    answer = send(bobs, "PATCH", at("message", hello.pk), edit)
    assert answer.status_code in {400, 409}
    hello.refresh_from_db()
    assert hello.body == "Hello"
