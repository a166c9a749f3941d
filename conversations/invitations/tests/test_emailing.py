"""Invitations by email: what happens with each address, and the email itself."""

from __future__ import annotations

import re
from functools import partial

import pytest
from django.test import Client

from accounts import actions as account_actions
from accounts.models import User
from chatty.jobs.models import Delivery
from chatty.jobs.tests.helpers import send_waiting
from conversations import actions as conversation_actions
from conversations.invitations import actions, addresses, limits
from conversations.invitations.models import Invitation
from conversations.invitations.web.forms import addresses_in
from conversations.tests.helpers import raises_chat_error, role_of
from tests.html import one, parse, words

SITE = "https://chat.example.org"


@pytest.fixture(autouse=True)
def mail_set_up(settings):
    settings.MAIL_SET_UP = True


@pytest.fixture
def send(alice, pair):
    """send(addresses, ...) invites to the conversation, and returns [(address, outcome)]."""

    def send(given, **more):
        terms = {"key": "k", "site": SITE, "conversation_ids": [pair.pk], **more}
        answers = actions.invite_by_email(alice, given, **terms)
        return [(each.address, str(each.outcome)) for each in answers]

    return send


def link_in(mail) -> str:
    (link,) = re.findall(rf"^{SITE}(/invite/\S+)$", mail.body, re.MULTILINE)
    return link


def test_each_address_has_an_answer(send, alice, bob, carol, mailoutbox):
    given = [
        "Mina@Example.org",
        "mina@example.org ",
        "bob@example.org",
        carol.email,
        "nobody",
        "a@b",
    ]
    assert send(given) == [
        ("mina@example.org", "invited"),
        ("bob@example.org", "member"),
        ("carol@example.org", "invited"),
        ("nobody", "invalid"),
        ("a@b", "invalid"),
    ]
    send_waiting()
    assert sorted(mail.to[0] for mail in mailoutbox) == ["carol@example.org", "mina@example.org"]


def test_email_has_a_link_for_one_person(send, alice, pair, mailoutbox):
    send(["mina@example.org"], note="Lunch is at noon")
    (row,) = Delivery.objects.values_list("data", flat=True)
    assert "mina" not in str(row)
    send_waiting()
    (mail,) = mailoutbox
    assert mail.subject == "Alice invited you to Chatty at chat.example.org"
    assert "Alice writes: Lunch is at noon" in mail.body
    assert "You will join: Garden" in mail.body
    assert "for 7 days" in mail.body
    page = Client().get(link_in(mail))
    assert one(page, "input[name=email]")["value"] == "mina@example.org"
    form = {"name": "Mina", "email": "mina@example.org"}
    form |= {"password": "seven slow ferries"}
    assert Client().post(link_in(mail), form).status_code == 303
    assert role_of(User.objects.get(email="mina@example.org"), pair) == "member"
    assert Client().get(link_in(mail)).status_code == 410


def test_link_is_not_in_the_database(send, mailoutbox):
    send(["mina@example.org"])
    stored = str([*Delivery.objects.values(), *Invitation.objects.values()])
    send_waiting()
    (token,) = re.findall("/invite/(.+)/", link_in(mailoutbox[0]))
    assert token not in stored


def test_email_that_is_sent_again_has_the_same_link(send, mailoutbox):
    send(["mina@example.org"])
    (row,) = list(Delivery.objects.values())
    send_waiting()
    Delivery.objects.create(**row)
    send_waiting()
    first, again = mailoutbox
    assert link_in(first) == link_in(again)


def test_email_keeps_its_link_after_a_change_of_the_secret(send, settings, mailoutbox):
    send(["mina@example.org"])
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another" * 10
    send_waiting()
    assert Client().get(link_in(mailoutbox[0])).status_code == 200


def test_same_key_sends_nothing_twice(send, mailoutbox):
    for _ in range(2):
        assert send(["mina@example.org"]) == [("mina@example.org", "invited")]
    send_waiting()
    assert len(mailoutbox) == 1
    with raises_chat_error("key_reused"):
        send(["mina@example.org"], note="Something else")


@pytest.mark.parametrize(
    "end",
    [
        lambda alice, pair, pk: actions.revoke(alice, pk),
        lambda alice, pair, pk: account_actions.close_account(alice),
        lambda alice, pair, pk: conversation_actions.archive(alice, pair.pk),
        lambda alice, pair, pk: actions.renew_link(alice, pk, key="new"),
    ],
    ids=["revoked", "deactivated", "archived", "renewed"],
)
def test_nothing_is_sent_if_the_invitation_has_ended(end, send, alice, pair, mailoutbox):
    send(["mina@example.org"])
    end(alice, pair, Invitation.objects.get().pk)
    send_waiting()
    assert mailoutbox == []
    assert not Delivery.objects.exists()


def test_email_is_in_the_language_of_the_recipient(send, carol, mailoutbox):
    User.objects.filter(pk=carol.pk).update(language="de")
    send([carol.email])
    send_waiting()
    assert mailoutbox[0].subject == "Alice hat dich zu Chatty auf chat.example.org eingeladen"


@pytest.mark.parametrize(
    ("address", "stored"),
    [
        ("MINA@EXAMPLE.ORG", "mina@example.org"),
        ("mina+chat@example.org", "mina+chat@example.org"),
        ("mina@xn--mnchen-3ya.example", "mina@xn--mnchen-3ya.example"),
        ("mina@münchen.example", "mina@münchen.example"),
    ],
)
def test_unusual_addresses_are_invited(address, stored, send, mailoutbox):
    assert send([address]) == [(stored, "invited")]
    send_waiting()
    assert mailoutbox[0].to == [stored]
    assert b"xn--mnchen-3ya" in mailoutbox[0].message().as_bytes() or "nchen" not in stored


@pytest.mark.parametrize(
    ("known", "entered"),
    [
        ("mina@xn--mnchen-3ya.example", "Mina@München.example"),
        ("mina@münchen.example", "mina@xn--mnchen-3ya.example"),
    ],
)
def test_member_is_found_by_either_form_of_the_domain(known, entered, send, alice, pair):
    mina = User.objects.create_user(known, name="Mina")
    conversation_actions.add_members(alice, pair.pk, [mina.pk])
    ((_address, outcome),) = send([entered])
    assert outcome == "member"


def test_forms_of_an_address():
    assert addresses.forms_of("a@example.org") == ["a@example.org"]
    assert addresses.forms_of("a@xn--.") == ["a@xn--."]


def test_plus_addresses_are_accounts_of_their_own(send, bob):
    assert send(["bob+work@example.org"]) == [("bob+work@example.org", "invited")]


def test_emails_are_limited_by_person_and_by_address(send, settings, mailoutbox):
    settings.LIMITS = {**settings.LIMITS, "invitations": "5/d", "invitation_emails": "2/d"}
    for number in range(2):
        assert send(["mina@example.org"], key=f"k{number}")[0][1] == "invited"
    assert send(["mina@example.org"], key="k3") == [("mina@example.org", "too_many")]
    with raises_chat_error("slow_down"):
        send([f"p{number}@example.org" for number in range(4)], key="k4")
    send([f"p{number}@example.org" for number in range(3)], key="k5")
    send_waiting()
    assert len(mailoutbox) == 5


def test_emails_of_everyone_together_are_limited(send, settings):
    """Otherwise, many new accounts could use this server to send many emails."""
    settings.LIMITS = {**settings.LIMITS, "invitation_emails_all": "3/h", "invitations": "9/d"}
    send(["mina@example.org", "bob@example.org", "nobody"])
    with raises_chat_error("slow_down"):
        send([f"{number}@example.org" for number in range(3)], key="more")
    assert Invitation.objects.count() == 1
    assert send(["noa@example.org", "zoe@example.org"], key="fewer")[1][1] == "invited"
    assert send(["noa@example.org", "zoe@example.org"], key="fewer")[1][1] == "invited"


def test_asking_who_has_an_account_is_limited(send, settings):
    settings.LIMITS = {**settings.LIMITS, "invitations": "2/d"}
    for number in range(2):
        assert send(["bob@example.org"], key=f"k{number}") == [("bob@example.org", "member")]
    with raises_chat_error("slow_down"):
        send(["bob@example.org"], key="k3")


def test_many_addresses_at_once_are_rejected(send):
    with raises_chat_error("too_many"):
        send([f"p{number}@example.org" for number in range(limits.EMAILS_MAX + 1)])
    assert not Invitation.objects.exists()


def test_only_who_can_invite_can_send(group, bob, carol):
    invite = partial(actions.invite_by_email, key="k", site=SITE, conversation_ids=[group.pk])
    with raises_chat_error("not_allowed"):
        invite(bob, ["alice@example.org"])
    with raises_chat_error("not_found"):
        invite(carol, ["alice@example.org"])


def test_without_a_mail_server_it_is_not_offered(browser, alice, send, settings):
    assert parse(browser(alice).get("/invitations/")).select("#emails_addresses")
    settings.MAIL_SET_UP = False
    assert not parse(browser(alice).get("/invitations/")).select("#emails_addresses")
    with raises_chat_error("not_allowed"):
        send(["mina@example.org"])


def test_form_sends_to_all_addresses(browser, alice, pair, mailoutbox):
    text = "Mina Park <mina@example.org>, bob@example.org\nnobody; p@example.org q@example.org"
    fields = {"key": "k", "days": "7", "addresses": text, "conversations": [pair.pk]}
    response = browser(alice).post("/invitations/email/", fields)
    assert response.status_code == 200
    shown = words(one(response, "[aria-labelledby=answers]"))
    assert re.findall("Invited|Already a member|Not an email address", shown) == [
        *("Invited", "Already a member", "Not an email address", "Invited", "Invited")
    ]
    send_waiting()
    assert len(mailoutbox) == 3


def test_invitation_for_someone_else_says_so(browser, send, carol, mailoutbox):
    send(["mina@example.org"])
    send_waiting()
    page = words(parse(browser(carol).get(link_in(mailoutbox[0]))))
    assert "was sent to mina@example.org" in page
    assert "Use another account" in page


def test_addresses_in_a_text():
    text = 'A <a@x.org>; "B, C" <b@x.org>\n c@x.org,d@x.org  e@x.org\r\n'
    assert addresses_in(text)[0] == "a@x.org"
    assert {"b@x.org", "c@x.org", "d@x.org", "e@x.org"} <= set(addresses_in(text))
