"""Names that can't be mistaken for others, titles, and statuses that end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import actions
from accounts.actions import profiles
from accounts.actions.fields import clean_email, clean_name
from accounts.models import User
from accounts.wire import status_to_wire
from chatty.common.errors import ChatError
from chatty.common.look_alikes import look_alike, skeleton
from chatty.common.text import fold_loosely

SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize("name", ["\U000e0041", "\u180f", "\u200b", "\u2060 \ufeff", "\u00ad"])
def test_name_that_no_one_sees_is_empty(name):
    with pytest.raises(ChatError, match="empty"):
        clean_name(name)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Ann\u200b", "Ann"),
        ("\u200eAnn\u200f", "Ann"),
        ("An\u00adn", "Ann"),
        ("\ufeffAnn \U000e0041", "Ann"),
        ("مریم\u200cها", "مریم\u200cها"),  # the non-joiner is part of the spelling
        ("👩\u200d🚀 Ann", "👩\u200d🚀 Ann"),
        (f"{SCOTLAND} Ann\U000e0073", f"{SCOTLAND} Ann"),
    ],
)
def test_characters_that_no_one_sees_are_left_out(given, stored):
    assert clean_name(given) == stored


@pytest.mark.parametrize("name", ["Αnn", "Аnn", "Bоb", "Οmar Bob", "Ꭺlice", "Boհ", "ꓐob"])
def test_word_with_letters_of_several_alphabets_is_refused(name):
    with pytest.raises(ChatError, match="invalid"):
        clean_name(name)


@pytest.mark.parametrize("name", ["all", "ALL", " All\u200b"])
def test_name_that_would_be_everyone_is_refused(name):
    with pytest.raises(ChatError) as refused:
        clean_name(name)
    assert "@all" in str(refused.value.fields["name"][0])
    assert clean_name(f"{name} Saints")


@pytest.mark.parametrize(
    "name", ["Иван Smith", "李 Wei", "Ελένη-Marie", "Bob 2", "ʻOkina", "O’Hara"]
)
def test_names_with_words_of_several_alphabets_are_accepted(name):
    assert clean_name(name) == name


def test_name_that_only_looks_like_that_of_someone_else_is_refused(alice, bob):
    actions.update_profile(bob, name="Сору")  # all Cyrillic
    with pytest.raises(ChatError, match="invalid") as refused:
        actions.update_profile(alice, name="Copy")
    assert "name" in refused.value.fields
    alice.refresh_from_db()
    assert alice.name == "Alice"
    # The same name is no imitation, and letters of one alphabet can be told apart.
    actions.update_profile(alice, name="сору")
    actions.update_profile(alice, name="Bob")
    actions.update_profile(bob, name="B0b")


@pytest.mark.parametrize("name", ["Сору", "Cop\u3164y", "Copy\u115f", "Copy\u2800\u3164", "ᴄᴏᴘʏ"])
def test_names_that_differ_in_nothing_that_is_seen_look_alike(name):
    assert look_alike(name, "Copy")


@pytest.mark.parametrize(
    ("first", "second"), [("🐱", "🐶"), ("---", "🐶"), ("🐱", "Ann"), ("李", "王")]
)
def test_names_of_nothing_but_emoji_or_signs_are_told_apart(first, second):
    assert not look_alike(first, second)


def test_searchable_name_follows_every_change(alice):
    actions.update_profile(alice, name="Zoë Ünal")
    alice.refresh_from_db()
    assert (alice.folded_name, alice.skeleton) == ("zoe unal", skeleton("Zoë Ünal"))
    alice.name = "Łukasz"
    alice.save(update_fields=["name"])
    alice.refresh_from_db()
    assert (alice.folded_name, alice.skeleton) == (fold_loosely("Łukasz"), skeleton("Łukasz"))


def test_status_ends_by_itself(alice, monkeypatch):
    until = timezone.now() + timedelta(minutes=30)
    actions.set_status(alice, emoji="🏡", text="At home", until=until)
    alice.refresh_from_db()
    status = status_to_wire(alice)
    assert status is not None
    assert (status.emoji, status.text, status.until) == ("🏡", "At home", until)
    User.objects.filter(pk=alice.pk).update(status_until=timezone.now() - timedelta(seconds=1))
    alice.refresh_from_db()
    assert status_to_wire(alice) is None


@pytest.mark.parametrize("emoji", ["🏡", "🇩🇪", "👩\u200d🚀", "1\ufe0f\u20e3", "ℹ\ufe0f", ""])
def test_status_has_an_emoji_or_none(alice, emoji):
    actions.set_status(alice, emoji=emoji, text="Busy", until=None)
    assert alice.status_emoji == emoji


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"emoji": "no"}, "emoji"),
        ({"emoji": "7"}, "emoji"),
        ({"text": "x" * 81}, "text"),
        ({"text": "a\x00"}, "text"),
        ({"until": timezone.now() - timedelta(days=1)}, "until"),
    ],
)
def test_wrong_status_changes_nothing(alice, given, field):
    with pytest.raises(ChatError) as refused:
        actions.set_status(alice, **{"emoji": "", "text": "Busy", "until": None, **given})
    assert field in refused.value.fields
    alice.refresh_from_db()
    assert not alice.has_status


def test_change_by_a_program_is_announced(alice, monkeypatch):
    announced = []
    monkeypatch.setattr(profiles, "announce_profile", announced.append)
    actions.update_profile(alice, status={"emoji": "🏡", "text": "At home", "until": None})
    actions.update_profile(alice, status=None)
    actions.update_profile(alice, title="Gardener")  # no frame has it
    assert announced == [alice.pk, alice.pk]


def test_status_page_sets_and_removes_it(client, alice):
    client.force_login(alice)
    sent = {"emoji": "🌴", "text": "On holiday", "ends": "week"}
    assert client.post("/settings/status/", sent).status_code == 303
    alice.refresh_from_db()
    assert alice.has_status
    assert timedelta() < alice.status_until - timezone.now() <= timedelta(days=7)
    assert client.post("/settings/status/", {"remove": "1"}).status_code == 303
    alice.refresh_from_db()
    assert not alice.has_status


def test_administrators_find_names_without_accents(admin_client, alice):
    actions.update_profile(alice, name="Zoë Ünal")
    page = admin_client.get("/admin/accounts/user/", {"q": "unal ZOE"}).content.decode()
    assert "Zoë Ünal" in page
    assert (
        "Zoë Ünal"
        not in admin_client.get("/admin/accounts/user/", {"q": "unal q7"}).content.decode()
    )


@pytest.mark.parametrize("email", ["a@münchen.example", "a@xn--mnchen-3ya.example", "a@localhost"])
def test_address_at_any_real_domain_is_accepted(email):
    assert clean_email(email.upper()) == email


@pytest.mark.parametrize(
    "domain", ["b\u200b.de", "ｂ.de", "b\u00adc.de", "faß.de", "b\u3164.de", "💩.de"]
)
def test_address_whose_domain_is_another_spelling_of_one_is_refused(domain):
    with pytest.raises(ChatError, match="invalid"):
        clean_email(f"a@{domain}")
