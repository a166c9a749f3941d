"""The pages to invite people, and the page behind a link."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import actions as account_actions
from accounts.models import SignIn, User
from chatty.jobs.tests.helpers import send_waiting
from chatty.ops import logs
from conversations import actions as conversation_actions
from conversations import limits as conversation_limits
from conversations.invitations import actions, limits, links, queries
from conversations.invitations.models import Acceptance, Invitation
from conversations.invitations.tests.test_actions import NEWCOMER
from conversations.models import Membership, Message
from conversations.queries import forget_welcome
from conversations.tests.helpers import purge_deleted, role_of
from tests.cast import PASSWORD
from tests.html import one, parse, words

FORM = {
    "name": "Mina",
    "email": NEWCOMER["email"],
    "password": NEWCOMER["password"],
    "time_zone": "",
}


def path_of(created) -> str:
    return f"/invite/{created.token}/"


def text_of(response) -> str:
    return words(parse(response))


def heading(response) -> str:
    return one(response, "h1").get_text(" ", strip=True)


@pytest.fixture
def created(alice, pair, invite):
    return invite(alice, pair, note="Lunch is at noon")


# --- who opens a link -----------------------------------------------------------------------------


def test_get_changes_nothing(browser, created, carol):
    """Mail scanners open links, several times and with several programs."""

    def rows():
        models = (Invitation, Acceptance, Membership, Message, User, SignIn)
        return [list(model.objects.order_by("pk").values()) for model in models]

    clients = [browser(), browser(carol)]
    before = rows()
    for client in clients:
        for query in ("", "?sign-in", "?sign-up"):
            for method in (client.get, client.head):
                assert method(path_of(created) + query).status_code == 200
    assert rows() == before


def test_stranger_sees_who_invites_and_to_what(browser, created):
    response = browser().get(path_of(created))
    assert heading(response) == "Join Garden"
    shown = text_of(response)
    assert "Alice" in shown
    assert "invited you" in shown
    assert "Lunch is at noon" in shown
    assert not one(response, "input[name=email]").get("value")
    assert not parse(response).select(".invite img")


def test_signing_up_lands_in_the_conversation(browser, created, pair):
    client = browser()
    response = client.post(path_of(created), FORM)
    assert (response.status_code, response.headers["Location"]) == (303, f"/c/{pair.pk}/")
    page = client.get(f"/c/{pair.pk}/")
    assert "Welcome, Mina. Alice invited you." in text_of(page)
    assert "Mina joined with an invitation from Alice." in text_of(page)
    assert User.objects.get(email=FORM["email"]).sign_ins.count() == 1


def test_sign_up_form_keeps_what_was_entered(browser, created):
    response = browser().post(path_of(created), {**FORM, "password": "short"})
    assert response.status_code == 400
    assert one(response, "input[name=name]")["value"] == "Mina"
    assert one(response, "input[name=password]").get("value") is None
    assert not User.objects.filter(email=FORM["email"]).exists()


def test_person_with_an_account_signs_in_and_joins(browser, created, carol, pair):
    page = browser().get(path_of(created))
    assert one(page, '.card a[href="?sign-in"]')
    client = browser()
    data = {"email": " Carol@Example.org", "password": PASSWORD}
    response = client.post(f"{path_of(created)}?sign-in", data)
    assert (response.status_code, response.headers["Location"]) == (303, f"/c/{pair.pk}/")
    assert role_of(carol, pair) == "member"
    assert client.get(f"/c/{pair.pk}/").status_code == 200


def test_wrong_password_joins_nothing(browser, created, carol, pair):
    data = {"email": carol.email, "password": "wrong"}
    response = browser().post(f"{path_of(created)}?sign-in", data)
    assert response.status_code == 400
    assert "Wrong email address or password." in text_of(response)
    assert role_of(carol, pair) is None


def test_signed_in_person_joins_with_one_button(browser, created, carol, pair):
    client = browser(carol)
    response = client.get(path_of(created))
    assert one(response, "form[method=post] button").get_text(strip=True) == "Join"
    assert "signed in as Carol" in text_of(response)
    response = client.post(path_of(created))
    assert (response.status_code, response.headers["Location"]) == (303, f"/c/{pair.pk}/")
    assert role_of(carol, pair) == "member"


def test_other_account_can_be_used_while_signed_in(browser, created, bob, carol, pair):
    client = browser(bob)
    page = client.get(f"{path_of(created)}?sign-in")
    assert "signed in as Bob" in text_of(page)
    data = {"email": carol.email, "password": PASSWORD}
    assert client.post(f"{path_of(created)}?sign-in", data).status_code == 303
    assert role_of(carol, pair) == "member"
    assert "Carol" in one(client.get("/settings/profile/"), ".sidebar__me").get_text()
    assert not SignIn.objects.live().filter(user=bob).exists()


def test_new_account_can_be_created_while_signed_in(browser, created, bob, pair):
    client = browser(bob)
    assert client.post(f"{path_of(created)}?sign-up", FORM).status_code == 303
    assert role_of(User.objects.get(email=FORM["email"]), pair) == "member"


def test_member_is_sent_on_without_using_the_invitation(browser, created, bob, pair):
    response = browser(bob).get(path_of(created))
    assert "You’re already a member." in text_of(response)
    assert one(response, f'a[href="/c/{pair.pk}/"]')
    assert browser(bob).post(path_of(created)).status_code == 303
    created.invitation.refresh_from_db()
    assert created.invitation.uses == 0


def test_member_can_open_an_invitation_that_has_ended(browser, created, carol, pair):
    """The link in their email still leads to the conversation."""
    client = browser(carol)
    client.post(path_of(created))
    Invitation.objects.update(expires_at=timezone.now())
    assert one(client.get(path_of(created)), f'a[href="/c/{pair.pk}/"]')


def test_invitation_to_chatty_lands_on_the_first_page(browser, alice, invite):
    created = invite(alice)
    assert heading(browser().get(path_of(created))) == "Join Chatty"
    response = browser().post(path_of(created), FORM)
    assert (response.status_code, response.headers["Location"]) == (303, "/")


def test_invitation_in_german(browser, created):
    client = Client(headers={"Accept-Language": "de"})
    response = client.get(path_of(created))
    assert one(response, "html")["lang"] == "de"
    assert "Konto erstellen und beitreten" in text_of(response)


def test_choices_are_in_the_language_of_each_reader(alice, browser):
    client = browser(alice)
    assert "7 days" in text_of(client.get("/invitations/"))
    page = text_of(client.get("/invitations/", headers={"Accept-Language": "de"}))
    assert "7 Tage" in page
    assert "5 Personen" in page


def test_invitation_works_if_only_the_invited_can_sign_up(browser, created, pair, settings):
    settings.SIGN_UP = "invited"
    assert browser().get("/sign-up/").status_code == 403
    assert browser().post(path_of(created), FORM).status_code == 303


def test_closed_sign_up_offers_to_sign_in(browser, created, carol, pair, settings):
    settings.SIGN_UP = "closed"
    for query in ("", "?sign-up"):
        response = browser().get(path_of(created) + query)
        assert "New accounts can’t be created here." in text_of(response)
        assert not parse(response).select("input[name=again]")
    data = {"email": carol.email, "password": PASSWORD}
    assert browser().post(path_of(created), data).status_code == 303


# --- links that don't work ------------------------------------------------------------------------


def expire(created, alice, pair):
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def revoke(created, alice, pair):
    actions.revoke(alice, created.invitation.pk)


def use_up(created, alice, pair):
    Invitation.objects.update(uses_max=1, uses=1)


def delete(created, alice, pair):
    conversation_actions.delete_conversation(alice, pair.pk)


def delete_and_purge(created, alice, pair):
    delete(created, alice, pair)
    purge_deleted()


def archive(created, alice, pair):
    conversation_actions.archive(alice, pair.pk)


def deactivate(created, alice, pair):
    account_actions.close_account(alice)


def leave(created, alice, pair):
    bob = Membership.objects.exclude(user=alice).get(conversation=pair).user
    conversation_actions.change_role(alice, pair.pk, bob.pk, "owner")
    conversation_actions.leave(alice, pair.pk)


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        (expire, 410, "This invitation has expired."),
        (revoke, 410, "This invitation is no longer valid."),
        (use_up, 410, "This invitation has already been used."),
        (delete, 410, "The conversation it was for was deleted."),
        (delete_and_purge, 410, "The conversation it was for was deleted."),
        (archive, 409, "This conversation is archived, so no one can join it."),
        (deactivate, 410, "This invitation is no longer valid."),
        (leave, 410, "This invitation is no longer valid."),
    ],
)
def test_ended_invitation_says_why_and_names_no_one(
    end, status, told, browser, created, alice, carol, pair
):
    end(created, alice, pair)
    for client, data in ((browser(), FORM), (browser(carol), {})):
        for response in (client.get(path_of(created)), client.post(path_of(created), data)):
            assert response.status_code == status
            shown = text_of(response)
            assert told in shown
            assert "Alice" not in shown
            assert "Garden" not in shown
            assert "Lunch" not in shown
    assert not User.objects.filter(email=FORM["email"]).exists()
    assert role_of(carol, pair) is None


def test_full_conversation_has_a_page(browser, created, carol, monkeypatch):
    monkeypatch.setattr(conversation_limits, "MEMBERS_MAX", 2)
    for client, data in ((browser(), FORM), (browser(carol), {})):
        for response in (client.get(path_of(created)), client.post(path_of(created), data)):
            assert response.status_code == 409
            assert "This conversation is full." in text_of(response)
            assert "Garden" not in text_of(response)


def test_removed_person_has_a_page(browser, alice, bob, created, pair):
    conversation_actions.remove_member(alice, pair.pk, bob.pk)
    for response in (
        browser(bob).get(path_of(created)),
        browser(bob).post(path_of(created)),
        browser().post(f"{path_of(created)}?sign-in", {"email": bob.email, "password": PASSWORD}),
    ):
        assert response.status_code == 403
        assert "You were removed from this conversation." in text_of(response)
        assert "Garden" not in text_of(response)


def test_removed_person_who_signs_in_is_not_signed_in_without_joining(
    browser, alice, bob, created, pair
):
    conversation_actions.remove_member(alice, pair.pk, bob.pk)
    client = browser()
    client.post(f"{path_of(created)}?sign-in", {"email": bob.email, "password": PASSWORD})
    assert client.get("/settings/profile/").status_code == 302


def test_guess_is_not_found_and_limited(browser, created, settings):
    settings.LIMITS = {**settings.LIMITS, "invitation_guesses": "2/h"}
    for _ in range(2):
        response = browser().get("/invite/AAAAAAAAAAAAAAAAAAAAAAAA/")
        assert response.status_code == 404
        assert heading(response) == "Invitation not found"
    response = browser().get("/invite/AAAAAAAAAAAAAAAAAAAAAAAA/")
    assert response.status_code == 429
    assert response.headers["Retry-After"]


# --- secrecy --------------------------------------------------------------------------------------


def test_pages_with_a_secret_in_their_path_keep_it(browser, created, carol):
    for client in (browser(), browser(carol)):
        response = client.get(path_of(created))
        assert response.headers["Referrer-Policy"] == "strict-origin"
        assert response.headers["Cache-Control"] == "private, no-store"
        assert response.headers["X-Robots-Tag"] == "noindex"
        foreign = re.findall(r'(?:src|href)="(?:https?:)?//', response.content.decode())
        assert foreign == []
    assert logs.safe_path(path_of(created)) == "/invite/..."


def test_form_is_accepted_from_this_site_only(created, carol, pair):
    client = Client(enforce_csrf_checks=True)
    client.force_login(carol)
    assert client.post(path_of(created)).status_code == 403
    assert role_of(carol, pair) is None


# --- names ----------------------------------------------------------------------------------------


def test_imitated_name_is_marked(browser, alice, pair, invite):
    imitator = User.objects.create_user("x@example.org", name="Аlice")  # with a Cyrillic A
    conversation_actions.add_members(alice, pair.pk, [imitator.pk])
    conversation_actions.change_role(alice, pair.pk, imitator.pk, "admin")
    response = browser().get(path_of(invite(imitator, pair)))
    assert "Someone else here has a similar name." in text_of(response)


def test_newcomer_with_the_name_of_the_inviter_is_marked(browser, alice, created):
    browser().post(path_of(created), {**FORM, "name": "A1ice"})
    assert "Name looks like yours" in text_of(browser(alice).get("/invitations/"))


def test_administrators_are_marked(browser, alice, pair, created):
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    assert "Administrator" in text_of(browser().get(path_of(created)))


# --- inviting -------------------------------------------------------------------------------------


def fields_of(response) -> dict[str, str]:
    """Return what the form for a link has chosen at first."""
    form = one(response, "form[action='/invitations/']")
    fields = {"key": str(one(form, "input[name=key]")["value"])}
    for name in ("days", "uses"):
        chosen = form.select(f"select[name={name}] option[selected]")
        fields[name] = str(chosen[0]["value"]) if chosen else ""
    return fields


def test_creating_a_link_shows_it_with_a_qr_code(browser, alice, carol, pair):
    client = browser(alice)
    page = client.get(f"/invitations/?conversation={pair.pk}")
    assert one(page, "#link_conversations input[checked]")["value"] == str(pair.pk)
    fields = {**fields_of(page), "conversations": [pair.pk], "note": "Hi"}
    response = client.post("/invitations/", fields)
    assert response.status_code == 200
    link = one(response, "#new-link")["value"]
    assert link.startswith("http://testserver/invite/")
    assert one(response, "#new-link").has_attr("readonly")
    assert one(response, "svg.qr")
    # Reloading posts the form again.
    assert one(client.post("/invitations/", fields), "#new-link")["value"] == link
    assert Invitation.objects.count() == 1
    assert link not in client.get("/invitations/").content.decode()
    assert browser(carol).post(link.removeprefix("http://testserver")).status_code == 303


def test_changed_form_with_a_used_key_can_be_sent_again(browser, alice, pair):
    client = browser(alice)
    fields = {"key": "k", "days": "7", "uses": "", "conversations": [pair.pk]}
    client.post("/invitations/", fields)
    rejected = client.post("/invitations/", {**fields, "note": "Hello"})  # after going back
    assert rejected.status_code == 409
    assert one(rejected, "#link_note")["value"] == "Hello"
    again = {**fields, "note": "Hello", "key": fields_of(rejected)["key"]}
    assert one(client.post("/invitations/", again), "#new-link")


def test_page_offers_some_of_many_conversations(browser, alice, monkeypatch):
    monkeypatch.setattr(limits, "CHOICES_MAX", 2)
    made = [conversation_actions.create_conversation(alice, name=name) for name in "CAB"]
    client = browser(alice)

    def names(query: str = "") -> list[str]:
        labels = one(client.get(f"/invitations/{query}"), "#link_conversations").select("label")
        return [label.get_text(strip=True) for label in labels]

    assert names() == ["A", "B"]
    assert names(f"?conversation={made[0].pk}") == ["C", "A"]
    fields = {"key": "k", "days": "7", "uses": "", "conversations": [made[0].pk]}
    assert one(client.post("/invitations/", fields), "#new-link")
    assert Invitation.objects.get().targets.get().conversation == made[0]


def test_links_have_the_public_address(browser, alice, pair, settings):
    settings.PUBLIC_URL = "https://chat.example.org"
    fields = {"key": "k", "days": "7", "uses": "", "conversations": [pair.pk]}
    link = one(browser(alice).post("/invitations/", fields), "#new-link")["value"]
    assert link.startswith("https://chat.example.org/invite/")


@pytest.mark.parametrize(("address", "shown"), [("", True), ("https://chat.example.org", False)])
def test_new_link_that_others_cannot_open_says_so(browser, alice, pair, settings, address, shown):
    settings.PUBLIC_URL = address
    fields = {"key": "k", "days": "7", "uses": "", "conversations": [pair.pk]}
    page = browser(alice).post("/invitations/", fields)
    assert ("only works on this machine" in text_of(page)) is shown


def test_rejected_invitation_keeps_what_was_entered(browser, alice, pair):
    fields = {"key": "k", "days": "8", "uses": "", "note": "Hello"}
    response = browser(alice).post("/invitations/", fields)
    assert response.status_code == 400
    assert one(response, "#link_note")["value"] == "Hello"


def test_only_what_can_be_invited_to_is_offered(browser, group, alice, bob, carol, settings):
    shown = browser(alice).get("/invitations/")
    assert "Garden" in one(shown, "#link_conversations").get_text()
    assert not parse(browser(bob).get("/invitations/")).select("#link_conversations")
    settings.SIGN_UP = "closed"
    assert not parse(browser(bob).get("/invitations/")).select("form[action='/invitations/']")
    fields = {"key": "k", "days": "7", "uses": "", "conversations": [group.pk]}
    assert browser(bob).post("/invitations/", fields).status_code in (400, 403)
    assert not Invitation.objects.exists()


def test_group_without_a_name_is_titled_for_its_members_only(
    browser, alice, bob, carol, invite, settings, mailoutbox
):
    settings.MAIL_SET_UP = True
    unnamed = conversation_actions.open_with(alice, [bob.pk, carol.pk])
    created = invite(alice, unnamed)
    inviting = browser(alice).get("/invitations/")
    assert "Bob, Carol" in one(inviting, "#link_conversations").get_text()
    assert "Bob, Carol" in one(inviting, "section[aria-labelledby=mine]").get_text()
    assert queries.get_listed(alice, created.invitation.pk).conversations[0].name == "Bob, Carol"
    response = browser().get(path_of(created))
    assert heading(response) == "Join Unnamed group"
    assert "Bob" not in text_of(response)
    terms = {"key": "k", "site": "https://chat.example.org", "conversation_ids": [unnamed.pk]}
    actions.invite_by_email(alice, ["mina@example.org"], **terms)
    send_waiting()
    assert "You will join: Unnamed group\n" in mailoutbox[0].body


def test_list_shows_who_came_and_revokes(browser, alice, carol, created):
    browser(carol).post(path_of(created))
    client = browser(alice)
    page = client.get("/invitations/")
    assert "Carol" in one(page, ".invited").get_text()
    assert "1 joined" in text_of(page)
    path = f"/invitations/{created.invitation.pk}/revoke/"
    assert one(page, f'form[action="{path}"]')
    assert client.post(path).status_code == 303
    assert "Revoked" in text_of(client.get("/invitations/"))
    assert browser().get(path_of(created)).status_code == 410


def test_new_link_is_shown_once(browser, alice, created):
    client = browser(alice)
    path = f"/invitations/{created.invitation.pk}/link/"
    key = one(client.get("/invitations/"), f'form[action="{path}"] input[name=key]')["value"]
    link = one(client.post(path, {"key": key}), "#new-link")["value"]
    assert created.token not in link
    assert browser().get(path_of(created)).status_code == 404
    assert browser().get(link.removeprefix("http://testserver")).status_code == 200


def test_others_invitations_are_not_found(browser, bob, created):
    client = browser(bob)
    for action in ("revoke", "link"):
        path = f"/invitations/{created.invitation.pk}/{action}/"
        assert client.post(path, {"key": "k"}).status_code == 404
    assert "Lunch" not in text_of(client.get("/invitations/"))


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/invitations/", "GET POST"),
        ("/invitations/email/", "POST"),
        ("/invitations/1/link/", "POST"),
        ("/invitations/1/revoke/", "POST"),
    ],
)
def test_pages_require_signing_in_and_their_methods(path, methods, browser, alice):
    for method in methods.split():
        response = getattr(Client(), method.lower())(path)
        assert response.status_code == (302 if method == "GET" else 303)
        assert response.headers["Location"].startswith("/sign-in/?next=/")
    for method in {"GET", "POST", "PUT", "DELETE"} - set(methods.split()):
        assert getattr(browser(alice), method.lower())(path).status_code == 405


# --- where it is offered --------------------------------------------------------------------------


def test_people_pane_sidebar_and_new_message_offer_it(browser, group, alice, bob):
    path = f"/c/{group.pk}/members/"
    offer = f'#main a[href="/invitations/?conversation={group.pk}"]'
    assert one(browser(alice).get(path), offer)
    assert not parse(browser(bob).get(path)).select(offer)
    assert one(browser(bob).get(path), '.sidebar a[href="/invitations/"]')
    assert one(browser(bob).get("/c/direct/?q=Zoe"), '#main a[href="/invitations/"]')
    conversation_actions.archive(alice, group.pk)
    assert not parse(browser(alice).get(path)).select(offer)


def test_beginning_of_a_conversation_offers_it(browser, alice, bob, pair):
    offer = f'.intro a[href="/invitations/?conversation={pair.pk}"]'
    assert one(browser(alice).get(f"/c/{pair.pk}/"), offer)
    # It is hidden from people who can't: message_actions.css.
    assert "invite" not in str(one(browser(bob).get(f"/c/{pair.pk}/"), "#conversation")["data-can"])


def test_first_administrator_finds_a_link_that_is_ready(browser, root, bob):
    conversation = conversation_actions.create_conversation(root, name="Welcome", access="open")
    actions.create_setup_invitation(root, conversation.pk)
    conversation_actions.set_welcome(conversation.pk)
    forget_welcome()
    client = browser(root)
    link = one(client.get(f"/c/{conversation.pk}/"), "#setup-link")["value"]
    assert browser().get(link.removeprefix("http://testserver")).status_code == 200
    assert one(client.get(f"/c/{conversation.pk}/"), ".newcomer svg.qr")
    assert "only works on this machine" in text_of(client.get(f"/c/{conversation.pk}/"))
    saved = one(client.get("/settings/installation/?ready"), "[aria-labelledby=ready-title]")
    assert one(saved, "#setup-link")["value"] == link
    assert "only works on this machine" in str(saved)
    # The same on each visit, and nothing to create: GET changes nothing.
    assert one(client.get(f"/c/{conversation.pk}/"), "#setup-link")["value"] == link
    assert Invitation.objects.count() == 1
    conversation_actions.join(bob, conversation.pk)
    assert not parse(browser(bob).get(f"/c/{conversation.pk}/")).select("#setup-link")
    Invitation.objects.update(expires_at=timezone.now())
    assert not parse(client.get(f"/c/{conversation.pk}/")).select("#setup-link")


def test_qr_code_is_safe_svg():
    drawn = links.qr_code("https://chat.example.org/invite/x/?<script>")
    assert "script" not in drawn
    assert re.fullmatch(r"<svg [^<>]*>(<path [^<>]*/>)+</svg>", drawn)
    assert "style" not in drawn
