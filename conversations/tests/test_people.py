"""Finding people and conversations, the card of a person, and groups of the same people."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.urls import reverse

from accounts.models import User
from chatty.common.errors import ChatError
from conversations import actions, queries
from conversations.models import Conversation, Membership, Message
from conversations.tests.helpers import say
from tests.cast import create_extra
from tests.html import one, parse, words


def members_of(conversation: Conversation) -> set[int]:
    rows = Membership.objects.filter(conversation=conversation)
    return set(rows.values_list("user_id", flat=True))


# --- the same people ------------------------------------------------------------------------------


def test_same_people_get_the_same_group_whoever_asks(alice, bob, carol):
    made = actions.open_with(alice, [bob.pk, carol.pk])
    assert members_of(made) == {alice.pk, bob.pk, carol.pk}
    assert (made.kind, made.access, made.name) == ("group", "closed", "")
    again = [
        actions.open_with(alice, [carol.pk, bob.pk, alice.pk]),
        actions.open_with(bob, [alice.pk, carol.pk]),
        actions.open_with(carol, [bob.pk, alice.pk, bob.pk]),
    ]
    assert {each.pk for each in again} == {made.pk}


def test_one_other_person_gets_the_direct_message(alice, bob):
    assert actions.open_with(alice, [bob.pk]).pk == actions.open_direct(bob, alice.pk).pk
    assert actions.open_with(alice, [alice.pk]).pk == actions.open_direct(alice, alice.pk).pk


def test_group_without_a_name_is_titled_by_the_others(alice, bob, carol):
    made = actions.open_with(alice, [bob.pk, carol.pk])
    titles = {person.name: queries.title(made, person) for person in (alice, bob, carol)}
    assert titles == {"Alice": "Bob, Carol", "Bob": "Alice, Carol", "Carol": "Alice, Bob"}
    for person in (alice, bob, carol):
        row = queries.sidebar_row(person, made.pk)
        assert row is not None
        assert (row.name, row.unnamed) == (titles[person.name], True)


def test_large_group_without_a_name_has_the_same_title_everywhere(alice):
    people = [create_extra(f"Person{number:02d}") for number in reversed(range(30))]
    made = actions.open_with(alice, [each.pk for each in people])
    row = queries.sidebar_row(alice, made.pk)
    assert row is not None
    assert row.name == ", ".join(f"Person{number:02d}" for number in range(20))
    assert queries.title(made, alice) == row.name


def test_group_can_be_named_by_everyone_and_stays_the_same(alice, bob, carol):
    made = actions.open_with(alice, [bob.pk, carol.pk])
    actions.update_conversation(bob, made.pk, name="Trip")
    row = queries.sidebar_row(carol, made.pk)
    assert row is not None
    assert (row.name, row.unnamed) == ("Trip", False)
    assert actions.open_with(carol, [alice.pk, bob.pk]).pk == made.pk


@pytest.mark.parametrize("change", ["add", "leave", "remove"])
def test_others_never_read_what_is_written_to_the_same_people_later(change, alice, bob, carol, mia):
    made = actions.open_with(alice, [bob.pk, carol.pk])
    match change:
        case "add":
            actions.add_members(bob, made.pk, [mia.pk])
        case "leave":
            actions.leave(carol, made.pk)
        case "remove":
            actions.remove_member(alice, made.pk, carol.pk)
    other = actions.open_with(alice, [bob.pk, carol.pk])
    assert other.pk != made.pk
    assert members_of(other) == {alice.pk, bob.pk, carol.pk}


def test_group_without_a_name_can_only_become_public_with_one(alice, bob, carol):
    made = actions.open_with(alice, [bob.pk, carol.pk])
    with pytest.raises(ChatError, match="empty"):
        actions.update_conversation(alice, made.pk, access="open")
    actions.update_conversation(alice, made.pk, access="open", name="Everyone")
    assert actions.open_with(alice, [bob.pk, carol.pk]).pk != made.pk


def test_unknown_people_create_nothing(alice, bob):
    with pytest.raises(ChatError, match="not_found"):
        actions.open_with(alice, [bob.pk, 10**6])
    assert not Conversation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_group_is_created_once_by_simultaneous_requests(alice, bob, carol):
    found: list[int] = []
    barrier = threading.Barrier(3)

    def ask(user: User, *others: User) -> None:
        barrier.wait()
        try:
            found.append(actions.open_with(user, [each.pk for each in others]).pk)
        finally:
            connection.close()

    everyone = [(alice, bob, carol), (bob, carol, alice), (carol, alice, bob)]
    threads = [threading.Thread(target=ask, args=people) for people in everyone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


def test_page_messages_all_who_are_ticked(client, alice, bob, carol):
    client.force_login(alice)
    path = reverse("conversations:direct")
    found = client.post(path, {"find": "1", "q": "caro", "people": [bob.pk]})
    page = found.content.decode()
    assert one(page, f'input[value="{bob.pk}"]').has_attr("checked")  # still ticked
    assert not one(page, f'input[value="{carol.pk}"]').has_attr("checked")
    answer = client.post(path, {"q": "caro", "people": [bob.pk, carol.pk]})
    made = actions.open_with(alice, [bob.pk, carol.pk])
    assert (answer.status_code, answer["Location"]) == (303, f"/c/{made.pk}/")
    page = client.get(f"/c/{made.pk}/").content.decode()
    assert words(one(page, "#conversation-name")) == "Bob, Carol"
    section = one(page, '[data-section="direct"]')
    assert section.select(f'[data-conversation="{made.pk}"]')


def test_api_takes_one_person_or_several(client, alice, bob, carol):
    client.force_login(alice)
    path = reverse("api:direct")

    def post(**body: object):
        return client.post(path, body, content_type="application/json")

    made = post(users=[bob.pk, carol.pk])
    assert (made.status_code, made.json()["name"]) == (200, "Bob, Carol")
    assert post(user=bob.pk).json()["kind"] == "direct"
    assert post().status_code == post(user=bob.pk, users=[bob.pk]).status_code == 400


# --- finding --------------------------------------------------------------------------------------

NAMES = ["Иван Петров", "Ömer Ünal", "Ελένη Σάββας", "Zoë Łódź", "Straße", "İpek", "Éclair"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("иван", "Иван Петров"),
        ("ПЕТРОВ", "Иван Петров"),
        ("ömer", "Ömer Ünal"),
        ("omer unal", "Ömer Ünal"),
        ("ελένη", "Ελένη Σάββας"),
        ("σαββας", "Ελένη Σάββας"),
        ("zoe", "Zoë Łódź"),
        ("LODZ zoë", "Zoë Łódź"),
        ("strasse", "Straße"),
        ("ipek", "İpek"),
        ("e\u0301clair", "Éclair"),
    ],
)
def test_names_are_found_in_any_case_with_or_without_accents(text, name, alice):
    for each in NAMES:
        person = User.objects.create_user(f"{NAMES.index(each)}@example.org", None, name=each)
        say(alice, actions.open_direct(alice, person.pk))
        actions.create_conversation(alice, name=f"Of {each}", topic=f"About {each}", access="open")
    assert [each.name for each in queries.people(alice, text=text)] == [name]
    found = {row.name for row in queries.sidebar(alice, text=text)}
    assert found == {name, f"Of {name}"}
    assert [each.name for each in queries.browse(alice, text=text)] == [f"Of {name}"]
    assert [each.name for each in queries.browse(alice, text=f"about {text}")] == [f"Of {name}"]


def test_people_messaged_last_are_found_first_after_the_best_matches(alice, bob, carol, mia):
    small, late = (create_extra(name) for name in ("ann", "Zoe Bobek"))
    assert [each.name for each in queries.people(alice)][:4] == ["Alice", "ann", "Bob", "Carol"]
    say(bob, actions.open_direct(bob, carol.pk))  # nothing of alice
    for person in (mia, late, carol):
        say(alice, actions.open_direct(alice, person.pk))
    say(late, actions.open_direct(late, alice.pk))
    actions.open_direct(alice, alice.pk)
    everyone = [late.pk, carol.pk, mia.pk, alice.pk, small.pk, bob.pk]
    assert [each.pk for each in queries.people(alice, limit=6)] == everyone
    assert [each.pk for each in queries.people(alice, limit=2)] == everyone[:2]
    assert [each.pk for each in queries.people(alice, text="BO")] == [late.pk, bob.pk]
    robob = create_extra("Robob")
    say(alice, actions.open_direct(alice, robob.pk))
    assert [each.pk for each in queries.people(alice, text="bo")] == [late.pk, bob.pk, robob.pk]
    assert queries.people(alice, text="\0 bo")[0] == late


def test_conversation_without_a_name_is_found_by_its_people(alice, bob, carol):
    made = actions.open_with(alice, [bob.pk, carol.pk])
    assert [row.id for row in queries.sidebar(alice, text="carol bob")] == [made.pk]
    assert queries.sidebar(alice, text="alice") == []
    assert [row.id for row in queries.sidebar(bob, text="ALICE")] == [made.pk]


def test_new_name_is_found_and_the_former_one_is_not(alice, bob, pair):
    actions.update_conversation(alice, pair.pk, name="Über uns")
    assert [row.id for row in queries.sidebar(alice, text="uber")] == [pair.pk]
    assert queries.sidebar(alice, text="lunch") == []


def test_name_of_an_earlier_version_is_found(alice, bob, pair):
    User.objects.filter(pk=bob.pk).update(folded_name="")
    Conversation.objects.filter(pk=pair.pk).update(folded_name="", folded_topic="")
    assert [each.pk for each in queries.people(alice, text="bo")] == [bob.pk]
    assert [row.id for row in queries.sidebar(alice, text=pair.name.lower())] == [pair.pk]


# --- the card -------------------------------------------------------------------------------------


def test_card_has_what_is_shared_but_no_private_conversations_of_others(
    client, alice, bob, carol, pair
):
    secret = actions.create_conversation(bob, name="Secret", member_ids=[carol.pk])
    bob.title, bob.time_zone, bob.status_text = "Designer", "Asia/Tokyo", "At lunch"
    bob.save()
    client.force_login(alice)
    page = client.get(reverse("conversations:person", args=[bob.pk])).content.decode()
    main = one(page, "#main")
    assert "Designer" in words(main)
    assert "At lunch" in words(main)
    assert "Asia/Tokyo" in words(main)
    assert bob.email not in page
    assert main.select(f'a[href="/c/{pair.pk}/"]')
    assert secret.name not in page
    assert words(one(page, "#main button[name=user]")) == "Message"


def test_card_of_an_unknown_person_is_not_found(client, alice):
    client.force_login(alice)
    assert client.get(reverse("conversations:person", args=[10**6])).status_code == 404


def test_options_of_a_conversation_work_without_scripts(client, alice, bob, pair):
    say(bob, pair)
    client.force_login(alice)
    page = client.get(reverse("conversations:options", args=[pair.pk])).content.decode()
    for form in parse(page).select(".options form"):
        fields = {field["name"]: field["value"] for field in form.select("input")}
        assert client.post(form["action"], fields)["Location"] == "/?list"
    row = queries.sidebar_row(alice, pair.pk)
    assert row is not None
    assert (row.favourite, row.level, row.unread) == (True, "nothing", 0)
    assert Message.objects.filter(conversation=pair, kind="text").count() == 1
