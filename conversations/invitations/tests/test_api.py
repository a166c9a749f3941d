"""Invitations over REST."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from chatty.common import link_tokens
from chatty.jobs.tests.helpers import send_waiting
from conversations.invitations.models import Invitation
from conversations.tests.helpers import person_json, role_of

ROOT = "/api/invitations/"
NEWCOMER = {"email": "mina@example.org", "password": "seven slow ferries", "name": "Mina"}
GUESS = "x" * link_tokens.LENGTH


def post(client: Client, path: str = "", **body: Any) -> Any:
    return client.post(ROOT + path, body, content_type="application/json")


def test_invitation_from_creation_to_revocation(api_of, alice, carol, pair):
    client = api_of(alice)
    body = {"key": "k", "conversations": [pair.pk], "note": "Hi", "days": 3, "uses": 2}
    response = post(client, **body)
    assert response.status_code == 201
    made = response.json()
    assert made["link"] == f"http://testserver/invite/{made['token']}/"
    shown = made["invitation"]
    assert shown["conversations"] == [{"id": pair.pk, "name": "Garden"}]
    assert (shown["note"], shown["uses"], shown["uses_max"]) == ("Hi", 0, 2)
    assert (shown["state"], shown["people"], shown["email"]) == ("live", [], "")
    again = post(client, **body)
    assert (again.status_code, again.json()) == (200, made)

    offer = post(Client(), "look-up/", token=made["token"]).json()
    assert offer == {
        "inviter": person_json(alice),
        "note": "Hi",
        "conversations": [{"id": pair.pk, "name": "Garden"}],
        "expires_at": shown["expires_at"],
        "can_register": True,
        "look_alike": False,
    }
    accepted = post(api_of(carol), "accept/", token=made["token"])
    assert (accepted.status_code, accepted.json()["conversations"]) == (200, [pair.pk])
    assert accepted.json()["inviter"] == person_json(alice)
    assert role_of(carol, pair) == "member"

    found = client.get(ROOT).json()
    assert found["next"] is None
    assert [each["people"] for each in found["results"]] == [[person_json(carol)]]
    path = f"{shown['id']}/"
    assert client.get(ROOT + path).json() == found["results"][0]
    assert client.delete(ROOT + path).status_code == 204
    assert client.delete(ROOT + path).status_code == 204
    assert client.get(ROOT + path).json()["state"] == "revoked"
    ended = post(Client(), "look-up/", token=made["token"])
    assert (ended.status_code, ended.json()["code"]) == (410, "invitation_ended")


def test_registering_with_an_invitation(api_of, alice, pair, settings):
    settings.SIGN_UP = "invited"
    token = post(api_of(alice), key="k", conversations=[pair.pk]).json()["token"]
    assert Client().post("/api/register/", NEWCOMER, "application/json").status_code == 403
    response = post(Client(), "register/", token=token, **NEWCOMER)
    assert response.status_code == 201
    mina = User.objects.get(email=NEWCOMER["email"])
    assert response.json()["user"] == person_json(mina)
    assert response.json()["conversations"] == [pair.pk]
    pair_of_tokens = {"email": NEWCOMER["email"], "password": NEWCOMER["password"]}
    assert Client().post("/api/token/", pair_of_tokens, "application/json").status_code == 200
    again = post(Client(), "register/", token=token, **NEWCOMER)
    assert (again.status_code, list(again.json()["fields"])) == (400, ["email"])


def test_new_link(api_of, alice, bob, pair):
    client = api_of(alice)
    made = post(client, key="k", conversations=[pair.pk]).json()
    path = f"{made['invitation']['id']}/link/"
    renewed = post(client, path, key="new")
    assert renewed.status_code == 201
    assert post(client, path, key="new").json() == renewed.json()
    assert post(Client(), "look-up/", token=made["token"]).status_code == 404
    assert post(Client(), "look-up/", token=renewed.json()["token"]).status_code == 200
    assert post(api_of(bob), path, key="other").status_code == 404


def test_inviting_by_email(api_of, alice, pair, mailoutbox, settings):
    settings.MAIL_SET_UP = True
    addresses = ["mina@example.org", "bob@example.org", "nobody"]
    body = {"key": "k", "conversations": [pair.pk], "addresses": addresses}
    for _ in range(2):
        response = post(api_of(alice), "email/", **body)
        assert response.status_code == 200
        outcomes = [each["outcome"] for each in response.json()["results"]]
        assert outcomes == ["invited", "member", "invalid"]
    send_waiting()
    assert len(mailoutbox) == 1


def test_list_has_pages(api_of, alice, pair):
    client = api_of(alice)
    ids = [
        post(client, key=f"k{n}", conversations=[pair.pk]).json()["invitation"]["id"]
        for n in range(3)
    ]
    first = client.get(f"{ROOT}?limit=2").json()
    rest = client.get(first["next"]).json()
    assert [each["id"] for each in first["results"] + rest["results"]] == ids[::-1]
    assert rest["next"] is None


def test_others_invitations_are_not_found(api_of, alice, bob, pair):
    made = post(api_of(alice), key="k", conversations=[pair.pk]).json()
    path = f"{ROOT}{made['invitation']['id']}/"
    client = api_of(bob)
    assert (client.get(path).status_code, client.delete(path).status_code) == (404, 404)
    assert client.get(ROOT).json()["results"] == []
    assert Invitation.objects.get().revoked_at is None


@pytest.mark.parametrize("path", ["look-up/", "accept/", "register/"])
def test_guesses_are_limited(path, api_of, alice, settings):
    settings.LIMITS = {**settings.LIMITS, "invitation_guesses": "2/h"}
    more = NEWCOMER if path == "register/" else {}
    answers = [post(api_of(alice), path, token=GUESS, **more).status_code for _ in range(3)]
    assert answers == [404, 404, 429]


def test_invite_is_a_permission(api_of, alice, browser, group, bob):
    """Pages and scripts get it with the other permissions of a conversation."""
    for user, has in ((alice, True), (bob, False)):
        page = browser(user).get(f"/c/{group.pk}/").content.decode()
        can = page.partition('data-can="')[2].partition('"')[0].split()
        assert ("invite" in can) is has
