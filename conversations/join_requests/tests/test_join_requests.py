"""Asking to join a group that one has a link to, and deciding on it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.actions import close_account
from accounts.tests.helpers import raises_chat_error
from conversations import access, publisher
from conversations.actions import (
    add_members,
    create_conversation,
    join,
    leave,
    open_direct,
    open_with,
    remove_member,
)
from conversations.actions import update_conversation as change
from conversations.join_requests import actions, links, queries
from conversations.join_requests.models import NOTE_MAX, JoinLink, JoinRequest
from conversations.models import Membership, Message
from tests import cast
from tests.html import one, parse, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def group(alice, bob):
    """Alice owns it, Bob is a member, Carol is not."""
    return create_conversation(alice, name="Harbour", member_ids=[bob.pk])


@pytest.fixture
def token(alice, group) -> str:
    return links.token_of(actions.make_link(alice, group.pk)) or ""


@pytest.fixture
def published(monkeypatch, django_capture_on_commit_callbacks):
    """published(f) calls f and returns the frames for users: [(user, frame)]."""
    sent = []

    class Listener:
        def offer(self, events):
            sent.extend(
                (e.user, json.loads(e.text))
                for e in events
                if hasattr(e, "text") and hasattr(e, "user")
            )

    listener = Listener()
    publisher.connect(listener)

    def run(function):
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):
            function()
        return list(sent)

    yield run
    publisher.disconnect(listener)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def is_member(user, group) -> bool:
    return Membership.objects.filter(user=user, conversation=group).exists()


class TestLink:
    def test_is_made_and_ended_by_admins_only(self, alice, bob, carol, group):
        for user, code in ((bob, "not_allowed"), (carol, "not_found")):
            with raises_chat_error(code):
                actions.make_link(user, group.pk)
        link = actions.make_link(alice, group.pk)
        for user, code in ((bob, "not_allowed"), (carol, "not_found")):
            with raises_chat_error(code):
                actions.revoke_link(user, group.pk)
        actions.revoke_link(alice, group.pk)
        assert queries.link_by_token(links.token_of(link)) is None

    def test_new_one_replaces_the_former(self, alice, carol, group, token):
        second = links.token_of(actions.make_link(alice, group.pk))
        assert second != token
        with raises_chat_error("not_found"):
            actions.ask_to_join(carol, token)
        assert actions.ask_to_join(carol, second)

    def test_only_a_hash_and_a_nonce_are_stored(self, token):
        assert len(token) == 32
        row = JoinLink.objects.values().get()
        assert token not in str(row)

    def test_is_shown_to_members_while_its_key_is_known(self, bob, group, token, settings):
        settings.SECRET_KEY, former = "another secret key " * 3, settings.SECRET_KEY
        settings.SECRET_KEY_FALLBACKS = [former]
        assert links.token_of(queries.link_of(bob, group.pk)) == token
        settings.SECRET_KEY_FALLBACKS = []
        assert links.token_of(queries.link_of(bob, group.pk)) is None
        assert queries.link_by_token(token)  # it still works

    def test_direct_message_has_none(self, alice, bob):
        with raises_chat_error("direct_fixed"):
            actions.make_link(alice, open_direct(alice, bob.pk).pk)

    @pytest.mark.parametrize("guess", ["x", "a" * 32, "é", "x" * 5000, "\0"])
    def test_guesses_are_not_found_and_limited(self, carol, settings, token, guess):
        settings.LIMITS = {**settings.LIMITS, "join_links": "2/h"}
        codes = []
        for _ in range(3):
            with (
                raises_chat_error("not_found") if len(codes) < 2 else raises_chat_error("slow_down")
            ):
                actions.find_link(carol, guess)
            codes.append(1)
        with raises_chat_error("slow_down"):  # or going on would tell
            actions.find_link(carol, token)

    def test_id_of_the_conversation_still_reveals_nothing(self, carol, group, token):
        missing = signed_in(carol).get("/c/999999/")
        private = signed_in(carol).get(f"/c/{group.pk}/")
        assert (missing.status_code, private.status_code) == (404, 404)
        assert "Harbour" not in private.content.decode()

    def test_of_a_deleted_conversation_is_not_found(self, carol, group, token):
        type(group).objects.filter(pk=group.pk).update(deleted_at=timezone.now())
        with raises_chat_error("not_found"):
            actions.ask_to_join(carol, token)


class TestAsking:
    def test_adds_no_one_and_writes_nothing_into_the_conversation(self, carol, group, token):
        before = Message.objects.count()
        request = actions.ask_to_join(carol, token, " Let me in\nplease ")
        assert (request.state, request.note) == ("waiting", "Let me in\nplease")
        assert not is_member(carol, group)
        assert Message.objects.count() == before

    def test_again_changes_nothing_and_costs_nothing(self, carol, token, settings):
        settings.LIMITS = {**settings.LIMITS, "join_requests": "1/d"}
        first = actions.ask_to_join(carol, token, "one")
        assert actions.ask_to_join(carol, token, "two") == first
        assert JoinRequest.objects.get().note == "one"

    def test_is_limited_by_person(self, alice, carol, group, token, settings):
        settings.LIMITS = {**settings.LIMITS, "join_requests": "1/d"}
        actions.ask_to_join(carol, token)
        actions.withdraw(carol, group.pk)
        with raises_chat_error("slow_down"):
            actions.ask_to_join(carol, token)

    def test_members_and_archived_and_long_notes_are_rejected(
        self, alice, bob, carol, group, token
    ):
        with raises_chat_error("already_member"):
            actions.ask_to_join(bob, token)
        with raises_chat_error("too_long", field="note"):
            actions.ask_to_join(carol, token, "x" * (NOTE_MAX + 1))
        change(alice, group.pk, archived=True)
        with raises_chat_error("archived"):
            actions.ask_to_join(carol, token)

    def test_number_waiting_for_one_group_is_limited(self, carol, token, monkeypatch):
        monkeypatch.setattr(queries, "WAITING_MAX", 0)
        with raises_chat_error("too_many"):
            actions.ask_to_join(carol, token)

    def test_removed_person_may_ask(self, alice, bob, group, token):
        remove_member(alice, group.pk, bob.pk)
        actions.ask_to_join(bob, token)
        actions.accept(alice, group.pk, bob.pk)
        assert is_member(bob, group)

    def test_admins_see_the_number_and_the_asker_the_state_live(
        self, alice, bob, carol, token, group, published
    ):
        frames = published(lambda: actions.ask_to_join(carol, token))
        kinds = {(user, frame["type"]): frame for user, frame in frames}
        assert kinds[alice.pk, "join_requests"]["waiting"] == 1
        assert kinds[carol.pk, "join_request"]["state"] == "waiting"
        assert bob.pk not in {user for user, _frame in frames}


class TestDeciding:
    def test_only_admins_decide(self, bob, carol, mia, group, token):
        actions.ask_to_join(carol, token)
        for user, code in ((bob, "not_allowed"), (mia, "not_found"), (carol, "not_found")):
            for decide in (actions.accept, actions.decline, actions.unblock):
                with raises_chat_error(code):
                    decide(user, group.pk, carol.pk)
        assert JoinRequest.objects.get().state == "waiting"

    def test_accepted_person_is_a_member_and_hears_of_it(
        self, alice, carol, group, token, published
    ):
        actions.ask_to_join(carol, token)
        frames = published(lambda: actions.accept(alice, group.pk, carol.pk))
        assert is_member(carol, group)
        assert not JoinRequest.objects.exists()
        states = [frame["state"] for user, frame in frames if frame["type"] == "join_request"]
        assert states == ["accepted"]
        notice = Message.objects.latest("pk")
        assert (notice.kind, notice.author) == (Message.Kind.ADDED, alice)

    def test_is_made_once(self, alice, carol, group, token):
        actions.ask_to_join(carol, token)
        actions.accept(alice, group.pk, carol.pk)
        for decide in (actions.accept, actions.decline):
            with raises_chat_error("not_found"):
                decide(alice, group.pk, carol.pk)

    def test_declined_person_may_ask_again_after_a_day(self, alice, carol, group, token):
        actions.ask_to_join(carol, token)
        actions.decline(alice, group.pk, carol.pk)
        with raises_chat_error("slow_down") as caught:
            actions.ask_to_join(carol, token)
        assert caught.value.retry_after > 86_000
        JoinRequest.objects.update(decided_at=timezone.now() - timedelta(days=1, seconds=1))
        assert actions.ask_to_join(carol, token).state == "waiting"

    def test_blocked_person_may_not_until_unblocked(self, alice, carol, group, token, published):
        actions.ask_to_join(carol, token)
        frames = published(lambda: actions.decline(alice, group.pk, carol.pk, block=True))
        assert (carol.pk, "declined") in [(u, f.get("state")) for u, f in frames]
        JoinRequest.objects.update(decided_at=timezone.now() - timedelta(days=90))
        with raises_chat_error("not_allowed"):
            actions.ask_to_join(carol, token)
        actions.unblock(alice, group.pk, carol.pk)
        assert actions.ask_to_join(carol, token).state == "waiting"

    def test_declined_person_does_not_see_how_the_group_is_renamed(
        self, alice, carol, group, token
    ):
        actions.ask_to_join(carol, token)
        actions.decline(alice, group.pk, carol.pk)
        change(alice, group.pk, name="Closing down")
        client = Client()
        client.force_login(carol)
        (own,) = client.get("/api/join-requests/").json()["results"]
        assert own["name"] == "Harbour"
        page = client.get("/ask/").content.decode()
        assert "Harbour" in page
        assert "Closing down" not in page

    def test_request_that_a_process_of_the_previous_version_stored_has_the_present_name(
        self, carol, group, token
    ):
        actions.ask_to_join(carol, token)
        JoinRequest.objects.update(name="")
        (own,) = signed_in(carol).get("/api/join-requests/").json()["results"]
        assert own["name"] == "Harbour"
        assert "Harbour" in words(parse(signed_in(carol).get("/ask/")))

    def test_group_without_a_name_is_not_titled_by_its_members(self, alice, bob, carol, mia):
        unnamed = open_with(alice, [bob.pk, mia.pk])
        token = links.token_of(actions.make_link(alice, unnamed.pk))
        page = one(signed_in(carol).get(f"/ask/{token}/"), "#main").get_text()
        assert "Unnamed group" in page
        assert "Bob" not in page
        actions.ask_to_join(carol, token)
        change(alice, unnamed.pk, name="Surprise")
        assert "Unnamed group" in words(parse(signed_in(carol).get("/ask/")))

    def test_blocked_person_can_still_be_added(self, alice, carol, group, token):
        actions.ask_to_join(carol, token)
        actions.decline(alice, group.pk, carol.pk, block=True)
        add_members(alice, group.pk, [carol.pk])
        assert not JoinRequest.objects.exists()

    def test_request_does_not_outlive_a_membership(self, alice, carol, group, token):
        actions.ask_to_join(carol, token)
        change(alice, group.pk, access="open")
        join(carol, group.pk)
        leave(carol, group.pk)
        assert not JoinRequest.objects.exists()

    def test_withdrawn_request_cannot_be_accepted(self, alice, carol, group, token):
        actions.ask_to_join(carol, token)
        actions.withdraw(carol, group.pk)
        with raises_chat_error("not_found"):
            actions.accept(alice, group.pk, carol.pk)

    def test_deactivated_person_is_neither_shown_nor_added(self, alice, carol, group, token):
        actions.ask_to_join(carol, token)
        close_account(carol)
        assert queries.waiting_number(group.pk) == 0
        with raises_chat_error("not_found"):
            actions.accept(alice, group.pk, carol.pk)


class TestPages:
    def test_from_link_to_member(self, alice, carol, group):
        admin, asker = signed_in(alice), signed_in(carol)
        members = f"/c/{group.pk}/members/"
        admin.post(f"/c/{group.pk}/join-requests/link/")
        url = parse(admin.get(members)).select_one("#ask-url")["value"]
        assert url.startswith("http://testserver/ask/")
        path = url.removeprefix("http://testserver")

        assert "Harbour" in words(parse(asker.get(path)))
        assert not JoinRequest.objects.exists()
        assert asker.post(path, {"note": "I know the tides."}).status_code == 303
        assert "Your request was sent." in words(parse(asker.get(path)))
        assert "Harbour" in words(parse(asker.get("/ask/")))

        assert "1" in words(parse(admin.get(f"/c/{group.pk}/")).select_one("[data-join-requests]"))
        assert "I know the tides." in words(parse(admin.get(members)))
        accept = f"/c/{group.pk}/join-requests/{carol.pk}/accept/"
        assert admin.post(accept).url == members
        assert asker.get(path).url == f"/c/{group.pk}/"

    def test_declining_with_and_without_block(self, alice, carol, group, token):
        admin, asker = signed_in(alice), signed_in(carol)
        actions.ask_to_join(carol, token)
        admin.post(f"/c/{group.pk}/join-requests/{carol.pk}/decline/", {"block": "1"})
        page = words(parse(asker.get(f"/ask/{token}/")))
        assert "Your last request was declined." in page
        assert "You can ask again a day later." in page
        members = words(parse(admin.get(f"/c/{group.pk}/members/")))
        assert "Let ask again" in members
        admin.post(f"/c/{group.pk}/join-requests/{carol.pk}/unblock/")
        assert not JoinRequest.objects.exists()

    def test_members_see_the_link_and_no_requests(self, bob, carol, group, token):
        actions.ask_to_join(carol, token, "secret reason")
        page = signed_in(bob).get(f"/c/{group.pk}/members/")
        assert token in page.content.decode()
        assert "secret reason" not in page.content.decode()
        assert "Replace link" not in words(parse(page))

    def test_outsiders_decide_nothing(self, carol, mia, group, token):
        actions.ask_to_join(carol, token)
        for action in ("accept", "decline", "unblock"):
            path = f"/c/{group.pk}/join-requests/{carol.pk}/{action}/"
            assert signed_in(mia).post(path).status_code == 404
        for path in ("link/", "link/revoke/"):
            assert signed_in(mia).post(f"/c/{group.pk}/join-requests/{path}").status_code == 404

    def test_link_asks_to_sign_in_first_and_reveals_no_name(self, token):
        answer = Client().get(f"/ask/{token}/")
        assert answer.status_code == 302
        assert answer.url == f"/sign-in/?next=/ask/{token}/"

    def test_withdrawing_does_not_undo_a_block_of_the_same_moment(self, carol, group, token):
        asked = actions.ask_to_join(carol, token)

        def block_first(execute, sql, params, many, context):
            if sql.startswith("DELETE"):
                JoinRequest.objects.filter(pk=asked.pk).update(state="blocked")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(block_first), raises_chat_error("not_found"):
            actions.withdraw(carol, group.pk)
        JoinRequest.objects.get(pk=asked.pk)

    def test_those_who_wait_are_listed_however_many_were_declined(
        self, alice, bob, carol, mia, group, token, monkeypatch
    ):
        monkeypatch.setattr(queries, "WAITING_MAX", 2)
        for person in (carol, mia):
            actions.ask_to_join(person, token)
            actions.decline(alice, group.pk, person.pk)
        rita = cast.create_user("Rita")
        actions.ask_to_join(rita, token)
        assert [each.user for each in queries.requests_of(group.pk)] == [rita, carol]
        assert "Rita" in words(parse(signed_in(alice).get(f"/c/{group.pk}/members/")))

    def test_note_that_is_no_text_is_an_error_and_stays(self, carol, token):
        page = signed_in(carol).post(f"/ask/{token}/", {"note": "please\0"})
        assert page.status_code == 400
        assert "please" in page.content.decode()
        assert not JoinRequest.objects.exists()

    def test_no_one_who_can_join_a_public_group_has_to_ask(self, alice, bob, carol, group, token):
        change(alice, group.pk, access="open")
        answer = signed_in(carol).get(f"/ask/{token}/")
        assert (answer.status_code, answer.url) == (303, f"/c/{group.pk}/")
        remove_member(alice, group.pk, bob.pk)
        assert "Why would you like to join?" in words(parse(signed_in(bob).get(f"/ask/{token}/")))

    def test_withdrawing(self, carol, group, token):
        actions.ask_to_join(carol, token)
        assert signed_in(carol).post(f"/ask/withdraw/{group.pk}/").status_code == 303
        assert not JoinRequest.objects.exists()


class TestApi:
    def test_asking_and_deciding(self, alice, carol, group):
        admin, asker = signed_in(alice), signed_in(carol)
        base = f"/api/conversations/{group.pk}"
        assert admin.get(f"{base}/join-link/").json() == {"url": None}
        url = admin.post(f"{base}/join-link/", content_type="application/json").json()["url"]
        given = {"token": url.split("/")[-2], "note": "please"}
        made = asker.post("/api/join-requests/", given, content_type="application/json")
        assert (made.status_code, made.json()["state"]) == (201, "waiting")
        (mine,) = asker.get("/api/join-requests/").json()["results"]
        assert mine == made.json()
        (shown,) = admin.get(f"{base}/join-requests/").json()["results"]
        assert (shown["user"]["id"], shown["note"]) == (carol.pk, "please")
        decline = f"{base}/join-requests/{carol.pk}/decline/"
        body = {"block": True}
        assert admin.post(decline, body, content_type="application/json").status_code == 204
        assert asker.get("/api/join-requests/").json()["results"][0]["state"] == "declined"
        assert (
            admin.post(
                f"{base}/join-requests/{carol.pk}/unblock/", content_type="application/json"
            ).status_code
            == 204
        )
        asker.post("/api/join-requests/", given, content_type="application/json")
        assert (
            admin.post(
                f"{base}/join-requests/{carol.pk}/accept/", content_type="application/json"
            ).status_code
            == 204
        )
        assert access.member_of(carol, group.pk)
        assert admin.delete(f"{base}/join-link/").status_code == 204

    def test_others_have_no_access(self, bob, carol, group, token):
        base = f"/api/conversations/{group.pk}"
        assert signed_in(carol).get(f"{base}/join-link/").status_code == 404
        assert signed_in(carol).get(f"{base}/join-requests/").status_code == 404
        assert signed_in(bob).get(f"{base}/join-requests/").status_code == 403
        assert signed_in(bob).get(f"{base}/join-link/").json()["url"].endswith(f"/ask/{token}/")
