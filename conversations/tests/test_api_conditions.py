"""ETag and If-Match: a change that was made elsewhere is not overwritten."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import actions as account_actions
from accounts.models import User
from chatty.api.views import SharedSchemaGenerator
from conversations import actions, permissions
from conversations.models import Message
from conversations.tests.helpers import say

pytestmark = pytest.mark.django_db


def send(client: Any, method: str, path: str, body: Any = None, **headers: str) -> Any:
    more = {} if body is None else {"data": body, "content_type": "application/json"}
    return getattr(client, method.lower())(path, **more, headers=headers)


@pytest.fixture
def own(alice: Any, pair: Any) -> Message:
    return say(alice, pair, "My own message")


@pytest.fixture
def edited(alice: Any, pair: Any, own: Message) -> dict[str, tuple[str, dict[str, Any], Any]]:
    """Everything that is edited: its path, a change, and the same kind of change made elsewhere."""

    def rename() -> None:
        actions.update_conversation(alice, pair.pk, name="Elsewhere")

    def reword() -> None:
        actions.edit_message(alice, own.pk, "Elsewhere")

    def become() -> None:
        account_actions.update_profile(alice, name="Elsewhere")

    return {
        "conversation": (f"/api/conversations/{pair.pk}/", {"name": "Mine"}, rename),
        "message": (f"/api/messages/{own.pk}/", {"body": "Mine"}, reword),
        "account": ("/api/me/", {"name": "Mine"}, become),
    }


KINDS = ("conversation", "message", "account")


@pytest.mark.parametrize("kind", KINDS)
def test_edit_with_the_current_tag_is_saved(kind, edited, api_of, alice):
    path, change, _elsewhere = edited[kind]
    client = api_of(alice)
    tag = client.get(path).headers["ETag"]
    answer = send(client, "PATCH", path, change, if_match=tag)
    assert (answer.status_code, answer.headers["ETag"] == tag) == (200, False)
    # The tag in the response is the one of the next edit.
    assert client.get(path).headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("kind", KINDS)
def test_edit_with_a_former_tag_is_rejected(kind, edited, api_of, alice):
    path, change, elsewhere = edited[kind]
    client = api_of(alice)
    tag = client.get(path).headers["ETag"]
    elsewhere()
    answer = send(client, "PATCH", path, change, if_match=tag)
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    now = client.get(path)
    assert "Elsewhere" in now.content.decode()
    assert send(client, "PATCH", path, change, if_match=now.headers["ETag"]).status_code == 200


@pytest.mark.parametrize("setting", [*permissions.settings(), "slow_mode"])
def test_tag_of_a_conversation_changes_with_each_setting(setting, api_of, alice, pair):
    client, path = api_of(alice), f"/api/conversations/{pair.pk}/"
    seen = client.get(path)
    new = 30 if setting == "slow_mode" else "admins"
    if seen.json()[setting] == new:
        new = "everyone"
    actions.update_conversation(alice, pair.pk, **{setting: new})
    answer = send(client, "PATCH", path, {"name": "Mine"}, if_match=seen.headers["ETag"])
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")


@pytest.mark.parametrize("kind", KINDS)
def test_tags_are_also_matched_in_a_list_weak_or_any(kind, edited, api_of, alice):
    path, change, _elsewhere = edited[kind]
    client = api_of(alice)
    for form in ('"other", {}', "W/{}", "*"):
        tag = client.get(path).headers["ETag"]
        assert send(client, "PATCH", path, change, if_match=form.format(tag)).status_code == 200
    for wrong in ('"other"', 'W/"other", "x"', '""'):
        answer = send(client, "PATCH", path, change, if_match=wrong)
        # An edit that is there already is not made again, so nothing can be overwritten.
        assert answer.status_code == (200 if kind == "message" else 412)


@pytest.mark.parametrize("wrong", ["", "abc", '"open', '"a" "b"', "1, 2"])
def test_malformed_if_match_is_rejected(wrong, edited, api_of, alice):
    path, change, _elsewhere = edited["message"]
    answer = send(api_of(alice), "PATCH", path, change, if_match=wrong)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["If-Match"])


@pytest.mark.parametrize("kind", ["conversation", "message"])
def test_deleting_with_a_former_tag_is_rejected(kind, edited, api_of, alice, pair):
    path, _change, elsewhere = edited[kind]
    client = api_of(alice)
    tag = client.get(path).headers["ETag"]
    elsewhere()
    assert send(client, "DELETE", path, if_match=tag).status_code == 412
    tag = client.get(path).headers["ETag"]
    assert send(client, "DELETE", path, if_match=tag).status_code in (200, 204)


def test_picture_is_part_of_the_account(api_of, alice):
    client = api_of(alice)
    tag = client.get("/api/me/").headers["ETag"]
    account_actions.update_profile(alice, name="Elsewhere")
    assert send(client, "DELETE", "/api/me/picture/", if_match=tag).status_code == 412
    assert send(client, "DELETE", "/api/me/picture/", if_match="*").status_code == 204


@pytest.mark.parametrize(
    "change", [{"title": "Gardener"}, {"status": {"emoji": "🏡", "text": ""}}, {"language": "de"}]
)
def test_tag_of_an_account_changes_with_each_field(change, api_of, alice):
    client = api_of(alice)
    tag = client.get("/api/me/").headers["ETag"]
    assert send(client, "PATCH", "/api/me/", change, if_match=tag).headers["ETag"] != tag
    assert send(client, "PATCH", "/api/me/", change, if_match=tag).status_code == 412


def test_tag_stays_the_same_when_a_status_ends(api_of, alice, monkeypatch):
    end = timezone.now() + timedelta(minutes=1)
    account_actions.set_status(alice, emoji="🏡", text="", until=end)
    client = api_of(alice)
    before = client.get("/api/me/")
    monkeypatch.setattr(User, "has_status", False)
    after = client.get("/api/me/")
    assert (before.json()["status"]["emoji"], after.json()["status"]) == ("🏡", None)
    assert before.headers["ETag"] == after.headers["ETag"]


def test_tag_changes_with_what_can_be_edited_only(edited, api_of, alice, bob, pair, own):
    """A reaction or a new message must not make an edit fail."""
    client = api_of(alice)
    tags = {kind: client.get(edited[kind][0]).headers["ETag"] for kind in KINDS}
    actions.react(bob, own.pk, "👍")
    actions.send_message(bob, pair.pk, key="k", body="Another one")
    actions.set_level(alice, pair.pk, "nothing")
    assert tags == {kind: client.get(edited[kind][0]).headers["ETag"] for kind in KINDS}
    # It is the same for everyone.
    path = edited["conversation"][0]
    assert api_of(bob).get(path).headers["ETag"] == tags["conversation"]
    for setting in ({"topic": "New"}, {"access": "open"}, {"archived": True}):
        before = client.get(path).headers["ETag"]
        actions.update_conversation(alice, pair.pk, **setting)
        assert client.get(path).headers["ETag"] != before


def test_repeated_edit_succeeds_although_its_tag_is_former(edited, api_of, alice):
    """The response was lost: what was asked for is already there."""
    path, change, _elsewhere = edited["message"]
    client = api_of(alice)
    tag = client.get(path).headers["ETag"]
    first = send(client, "PATCH", path, change, if_match=tag)
    again = send(client, "PATCH", path, change, if_match=tag)
    assert (again.status_code, again.json()) == (200, first.json())


def test_condition_is_rejected_where_it_would_be_ignored(api_of, alice, bob, pair, own):
    """By every endpoint that writes, apart from those with If-Match in their description."""
    values = {"conversation": pair.pk, "message": own.pk, "user": bob.pk}
    values |= {"invitation": 1, "custom_emoji": 1}
    client = api_of(alice)
    supporting, ignoring = [], []
    for path, methods in SharedSchemaGenerator().get_schema()["paths"].items():
        for method in methods.keys() - {"get"}:
            operation = f"{method.upper()} {path}"
            if any(each["name"] == "If-Match" for each in methods[method].get("parameters", [])):
                supporting.append(operation)
                continue
            address = re.sub(r"{(\w+)}", lambda name: str(values.get(name[1], "x")), path)
            answer = send(client, method, address, {}, if_match='"former"')
            if "If-Match" not in answer.json().get("fields", {}):
                ignoring.append(f"{operation}: {answer.status_code}")
    assert ignoring == []
    assert sorted(supporting) == [
        "DELETE /api/conversations/{conversation}/",
        "DELETE /api/me/picture/",
        "DELETE /api/messages/{message}/",
        "PATCH /api/conversations/{conversation}/",
        "PATCH /api/me/",
        "PATCH /api/messages/{message}/",
        "PUT /api/me/picture/",
    ]


def test_direct_message_has_the_same_tag_for_both(api_of, alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    path = f"/api/conversations/{direct.pk}/"
    tags = {api_of(user).get(path).headers["ETag"] for user in (alice, bob)}
    assert len(tags) == 1
    (tag,) = tags
    answer = send(api_of(alice), "DELETE", path, if_match=tag)
    assert answer.json()["code"] in ("direct_fixed", "not_allowed")
