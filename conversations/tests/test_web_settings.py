"""Forms for groups: creating, joining, members, settings, deleting, and personal settings."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from conversations import actions, limits
from conversations.models import Conversation, Membership
from conversations.tests.helpers import notices_of, role_of, say
from tests.cast import create_extra
from tests.html import one, parse, values, visible, words


def url(name: str, *args: object) -> str:
    return reverse(f"conversations:{name}", args=args)


def text_of(response) -> str:
    return response.content.decode()


@pytest.fixture
def group(alice, bob) -> Conversation:
    """Alice is the owner, Bob a member; Carol is not in it."""
    made = actions.create_conversation(alice, name="Harbour", topic="Boats", member_ids=[bob.pk])
    made.refresh_from_db()
    return made


@pytest.fixture
def browser():
    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


# --- creating conversations ----------------------------------------------------------------------


def test_new_group_has_its_creator_and_the_chosen_people(browser, alice, bob, carol):
    form = {"name": " New   place ", "topic": "Things", "access": "open", "people": [bob.pk]}
    response = browser(alice).post(url("new"), form)
    made = Conversation.objects.get(name="New place")
    assert response.status_code == 303
    assert response.headers["Location"] == url("conversation", made.pk)
    assert made.access == "open"
    assert role_of(alice, made) == "owner"
    assert role_of(bob, made) == "member"
    assert role_of(carol, made) is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "zero\x00byte", "over\u202eride"])
def test_invalid_name_keeps_the_other_fields(name, browser, alice, bob):
    form = {"name": name, "topic": "A topic", "access": "open", "people": [bob.pk]}
    response = browser(alice).post(url("new"), form)
    assert response.status_code == 400
    page = parse(response)
    assert one(page, "input[name=topic]")["value"] == "A topic"
    assert one(page, "input[name=name]")["aria-invalid"] == "true"
    assert values(page, "input[name=access][checked]") == ["open"]
    assert values(page, "input[name=people][checked]") == [str(bob.pk)]
    if name.strip():
        # Browsers turn U+0000 into the replacement character.
        assert one(page, "input[name=name]")["value"] == name.replace("\x00", "\ufffd")
    assert not Conversation.objects.exists()


def test_people_search_keeps_the_form(browser, alice, bob, carol):
    form = {
        "name": "Half typed", "topic": "", "access": "open", "people": [bob.pk],
        "q": "Caro", "find": "1",
    }  # fmt: skip
    response = browser(alice).post(url("new"), form)
    assert response.status_code == 200
    page = parse(response)
    assert one(page, "input[name=name]")["value"] == "Half typed"
    assert values(page, "input[name=people][checked]") == [str(bob.pk)]
    assert values(page, "input[name=people]:not([checked])") == [str(carol.pk)]
    assert not Conversation.objects.exists()


def test_rate_limited_people_search_keeps_the_form(browser, alice, bob, settings):
    settings.LIMITS = {**settings.LIMITS, "people": "1/m"}
    form = {
        "name": "Half typed", "topic": "", "access": "open", "people": [bob.pk],
        "q": "Caro", "find": "1",
    }  # fmt: skip
    client = browser(alice)
    client.post(url("new"), form)
    response = client.post(url("new"), form)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    page = text_of(response)
    assert "doing that too often" in page
    assert one(page, "input[name=name]")["value"] == "Half typed"
    assert values(page, "input[name=people][checked]") == [str(bob.pk)]


def test_people_search_ignores_emails(browser, alice, bob):
    for name in ("new", "direct"):
        page = parse(browser(alice).get(url(name), {"q": bob.email}))
        for box in page.select(f'input[value="{bob.email}"]'):
            box.decompose()
        assert "@example.org" not in str(page).replace(f"“{bob.email}”", "")


def test_direct_message_is_created_once(browser, alice, bob):
    first = browser(alice).post(url("direct"), {"user": bob.pk})
    again = browser(bob).post(url("direct"), {"user": alice.pk})
    assert first.status_code == again.status_code == 303
    assert first.headers["Location"] == again.headers["Location"]
    assert Conversation.objects.filter(kind="direct").count() == 1


def test_notes_to_yourself_are_a_direct_message(browser, alice):
    response = browser(alice).post(url("direct"), {"user": alice.pk})
    page = text_of(browser(alice).get(response.headers["Location"]))
    assert "Your private space" in page


@pytest.mark.parametrize("user", ["", "x", "0", "-1", "999999", "9" * 30])
def test_direct_message_with_an_invalid_user_is_an_error(user, browser, alice):
    response = browser(alice).post(url("direct"), {"user": user})
    assert response.status_code in (400, 404)
    assert words(one(visible(response), "[role=alert]"))
    assert not Conversation.objects.exists()


def test_browse_finds_only_public_groups(browser, alice, bob, group):
    actions.create_conversation(bob, name="Market square", topic="Fruit", access="open")
    gone = actions.create_conversation(bob, name="Market old", access="open")
    actions.archive(bob, gone.pk)
    client = browser(alice)
    for page in (client.get(url("browse")), client.get(url("browse"), {"q": "fruit"})):
        found = words(one(page, "#main"))
        assert "Market square" in found
        assert "Market old" not in found
        assert "Harbour" not in found
    assert "No results for" in text_of(client.get(url("browse"), {"q": "zzz"}))


def test_browse_is_paged(browser, alice, bob):
    for number in range(60):
        actions.create_conversation(bob, name=f"Place {number:03d} & co", access="open")
    client, page, seen = browser(alice), url("browse"), []
    for _ in range(3):
        shown = one(client.get(page), "#main")
        seen += [words(name) for name in shown.select(".people__name")]
        more = values(shown, "a[rel=next]", "href")
        if not more:
            break
        page = url("browse") + more[0]
    assert seen == [f"Place {number:03d} & co" for number in range(60)]


# --- joining and leaving -------------------------------------------------------------------------


def test_public_group_can_be_joined(browser, alice, carol):
    market = actions.create_conversation(alice, name="Market", access="open")
    assert url("join", market.pk) in text_of(browser(carol).get(url("conversation", market.pk)))
    response = browser(carol).post(url("join", market.pk))
    assert response.status_code == 303
    assert browser(carol).get(response.headers["Location"]).status_code == 200
    assert role_of(carol, market) == "member"


def test_former_member_cannot_open_a_private_group(browser, bob, group):
    client = browser(bob)
    response = client.post(url("leave", group.pk))
    assert response.headers["Location"] == url("home")
    assert role_of(bob, group) is None
    assert "You left" in text_of(client.get("/?list"))
    assert client.get(url("conversation", group.pk)).status_code == 404


def test_owner_can_choose_the_next_owner_when_leaving(browser, alice, bob, group):
    client = browser(alice)
    choice = one(client.get(url("settings", group.pk)), "select[name=owner]")
    assert str(bob.pk) in [option["value"] for option in choice.select("option")]
    response = client.post(url("leave", group.pk), {"owner": bob.pk})
    assert response.headers["Location"] == url("home")
    assert role_of(bob, group) == "owner"


def test_direct_message_has_no_members_page_and_cannot_be_left(browser, alice, bob):
    direct = actions.open_direct(alice, bob.pk)
    client = browser(alice)
    assert client.get(url("members", direct.pk)).status_code == 409
    assert client.post(url("leave", direct.pk)).status_code == 409
    assert client.post(url("archive", direct.pk)).status_code == 409
    page = text_of(client.get(url("settings", direct.pk)))
    assert "Leave conversation" not in page
    assert role_of(alice, direct) == "member"


# --- settings ------------------------------------------------------------------------------------


def changed(group: Conversation, **fields: str) -> dict[str, str]:
    was = {"name": group.name, "topic": group.topic, "access": group.access}
    return {**{f"was_{name}": value for name, value in was.items()}, **was, **fields}


def test_owner_can_change_name_topic_and_access(browser, alice, group):
    form = changed(group, name="Port", topic="Ships", access="open")
    assert browser(alice).post(url("settings", group.pk), form).status_code == 303
    group.refresh_from_db()
    assert (group.name, group.topic, group.access) == ("Port", "Ships", "open")
    assert [kind for kind, _a, _d in notices_of(group)][-3:] == ["renamed", "topic", "access"]


def test_unchanged_fields_do_not_overwrite_concurrent_changes(browser, alice, group):
    form = changed(group, topic="Ships")
    actions.update_conversation(alice, group.pk, name="Renamed meanwhile")
    browser(alice).post(url("settings", group.pk), form)
    group.refresh_from_db()
    assert (group.name, group.topic) == ("Renamed meanwhile", "Ships")


def test_member_can_see_but_not_change_settings(browser, bob, group):
    client = browser(bob)
    page = text_of(client.get(url("settings", group.pk)))
    assert "Leave conversation" in page
    assert not parse(page).select("[name=topic]")
    assert "Archive conversation" not in page
    assert url("delete", group.pk) not in page
    version = group.version
    answer = client.post(url("settings", group.pk), changed(group, name="Mine"))
    assert answer.status_code == 403
    assert client.post(url("archive", group.pk)).status_code == 403
    assert client.get(url("delete", group.pk)).status_code == 403
    assert client.post(url("delete", group.pk), {"name": "Harbour"}).status_code == 403
    group.refresh_from_db()
    assert (group.name, group.version) == ("Harbour", version)


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 81}, {"topic": "x" * 251}])
def test_invalid_settings_keep_the_input(fields, browser, alice, group):
    response = browser(alice).post(url("settings", group.pk), changed(group, **fields))
    assert response.status_code == 400
    page = parse(response)
    assert page.select(".field__errors")
    for name, value in fields.items():
        assert one(page, f"input[name={name}]").get("value", "") == value
    group.refresh_from_db()
    assert (group.name, group.topic) == ("Harbour", "Boats")


def test_resubmitted_settings_do_not_overwrite_concurrent_changes(browser, alice, group):
    client = browser(alice)
    actions.update_conversation(alice, group.pk, name="Renamed meanwhile")
    page = parse(client.post(url("settings", group.pk), changed(group, topic="x" * 251)))
    again = {field["name"]: field["value"] for field in page.select("input[name^=was_]")}
    assert set(again) == {"was_name", "was_topic", "was_access"}
    assert one(page, "input[name=name]")["value"] == "Harbour"
    client.post(url("settings", group.pk), {**changed(group, topic="Ships"), **again})
    group.refresh_from_db()
    assert (group.name, group.topic) == ("Renamed meanwhile", "Ships")


def test_settings_of_an_archived_group_keep_the_input_with_the_reason(browser, alice, group):
    actions.archive(alice, group.pk)
    response = browser(alice).post(url("settings", group.pk), changed(group, topic="Typed words"))
    assert response.status_code == 409
    assert one(response, "input[name=topic]")["value"] == "Typed words"
    assert "can’t be changed" in text_of(response)


def test_archived_group_can_be_read_and_unarchived(browser, alice, bob, group):
    say(bob, group, "Still here")
    client = browser(alice)
    assert client.post(url("archive", group.pk)).status_code == 303
    page = text_of(client.get(url("conversation", group.pk)))
    assert "Still here" in page
    assert "This conversation is archived" in page
    assert client.post(url("unarchive", group.pk)).status_code == 303
    assert one(client.get(url("conversation", group.pk)), "form#composer")


@pytest.mark.parametrize("typed", ["", "harbour", "Harbor", "Harbour\x00"])
def test_deleting_requires_the_name(typed, browser, alice, group):
    response = browser(alice).post(url("delete", group.pk), {"name": typed})
    assert response.status_code == 400
    assert Conversation.objects.filter(pk=group.pk, deleted_at=None).exists()


def test_deleted_group_is_gone_for_everyone(browser, alice, bob, group):
    say(bob, group, "Lost words")
    client = browser(alice)
    response = client.post(url("delete", group.pk), {"name": " Harbour "})
    assert response.status_code == 303
    assert browser(bob).get(url("conversation", group.pk)).status_code == 404
    assert "Deleted “" in text_of(client.get("/?list"))


# --- members -------------------------------------------------------------------------------------


def test_owner_can_add_people(browser, alice, carol, group):
    client = browser(alice)
    found = client.get(url("members", group.pk), {"q": "caro"})
    assert values(found, "input[name=people]") == [str(carol.pk)]
    response = client.post(url("members", group.pk), {"people": [carol.pk]})
    assert response.status_code == 303
    assert role_of(carol, group) == "member"
    assert "Added 1 person." in text_of(client.get(response.headers["Location"]))


@pytest.mark.parametrize("people", [[], ["x"], ["999999"], ["9" * 30]])
def test_adding_no_one_is_an_error(people, browser, alice, group):
    response = browser(alice).post(url("members", group.pk), {"people": people})
    assert response.status_code in (400, 404)
    assert words(one(visible(response), "[role=alert]"))
    assert Membership.objects.filter(conversation=group).count() == 2


def test_member_cannot_add_remove_or_promote(browser, alice, bob, carol, group):
    client = browser(bob)
    page = parse(client.get(url("members", group.pk)))
    assert page.select(f"#person-{bob.pk}")
    assert not page.select("[name=people], [name=role]")
    assert client.post(url("members", group.pk), {"people": [carol.pk]}).status_code == 403
    assert client.post(url("remove_member", group.pk, alice.pk)).status_code == 403
    promoted = client.post(url("change_role", group.pk, bob.pk), {"role": "owner"})
    assert promoted.status_code == 403
    assert role_of(bob, group) == "member"
    assert role_of(alice, group) == "owner"
    assert role_of(carol, group) is None


def test_owner_can_remove_and_promote(browser, alice, bob, group):
    client = browser(alice)
    response = client.post(url("change_role", group.pk, bob.pk), {"role": "admin"})
    assert response.headers["Location"] == url("members", group.pk)
    assert role_of(bob, group) == "admin"
    assert client.post(url("change_role", group.pk, bob.pk), {"role": "king"}).status_code == 400
    assert client.post(url("remove_member", group.pk, bob.pk)).status_code == 303
    assert role_of(bob, group) is None
    assert client.post(url("remove_member", group.pk, bob.pk)).status_code == 404


@pytest.mark.parametrize(("name", "status"), [("remove_member", 403), ("change_role", 409)])
def test_member_forms_work_on_the_error_page(name, status, browser, alice, carol, group):
    refused = browser(alice).post(url(name, group.pk, alice.pk), {"role": "member"})
    assert refused.status_code == status
    page = one(refused, "main#main")
    people = url("members", group.pk)
    assert one(page, f'form[method="get"][action="{people}"]')
    assert one(page, f'form[method="post"][action="{people}"]')
    assert not page.select('form:not([action^="/"])')


def test_emails_are_not_shown(browser, alice, bob, carol, group):
    client = browser(alice)
    for page in ("members", "conversation", "settings"):
        text = text_of(client.get(url(page, group.pk)))
        assert bob.email not in text
        assert carol.email not in text


def test_member_list_is_paged_with_a_constant_query_count(
    browser, alice, group, django_assert_max_num_queries
):
    crowd = [create_extra(f"Person{number:03d}") for number in range(60)]
    actions.add_members(alice, group.pk, [each.pk for each in crowd])
    client = browser(alice)
    first = text_of(client.get(url("members", group.pk)))  # also reads what each process keeps
    with django_assert_max_num_queries(15):
        second = text_of(client.get(url("members", group.pk), {"page": "2"}))
    rows = [*values(first, "li[id^=person-]", "id"), *values(second, "li[id^=person-]", "id")]
    assert len(rows) == len(set(rows)) == 62
    assert "62 members" in first
    assert (
        len(values(client.get(url("members", group.pk), {"page": "x"}), "[id^=person-]", "id"))
        == 50
    )


# --- personal settings ---------------------------------------------------------------------------


def unread_of(client: Client, group: Conversation) -> str | None:
    row = one(client.get("/?list"), f'li[data-conversation="{group.pk}"]')
    unread = one(row, '[data-slot="unread"]')
    if unread.has_attr("hidden"):
        return None
    number = words(one(unread, '[data-slot="unread-count"]'))
    assert re.fullmatch(r"\d+\+?", number)
    return number


def test_mark_read_and_unread(browser, alice, bob, group):
    first, _second = say(bob, group, "One"), say(bob, group, "Two")
    client = browser(alice)
    assert unread_of(client, group) == "2"
    client.get(url("conversation", group.pk))
    assert unread_of(client, group) == "2"  # without scripts, viewing does not mark it as read
    assert client.post(url("read", group.pk), {"seq": "99999"}).status_code == 303
    assert unread_of(client, group) is None
    assert client.post(url("unread", group.pk), {"seq": first.seq}).status_code == 303
    assert unread_of(client, group) == "2"


@pytest.mark.parametrize("seq", ["", "x", "-3", "1.5", "9" * 40])
@pytest.mark.parametrize("name", ["read", "unread"])
def test_mark_read_with_an_invalid_seq_is_rejected(name, seq, browser, alice, bob, group):
    say(bob, group, "One")
    client = browser(alice)
    assert client.post(url(name, group.pk), {"seq": seq}).status_code == 400
    assert unread_of(client, group) == "1"


def test_notification_level_is_per_member(browser, alice, bob, group):
    client = browser(bob)
    assert client.post(url("level", group.pk), {"level": "mentions"}).status_code == 303
    assert client.post(url("level", group.pk), {"level": "shouting"}).status_code == 400
    levels = dict(Membership.objects.values_list("user_id", "level"))
    assert levels == {alice.pk: "all", bob.pk: "mentions"}


def test_people_search_is_rate_limited(browser, alice, settings):
    settings.LIMITS = {**settings.LIMITS, "people": "2/m"}
    client = browser(alice)
    answers = [client.get(url("direct"), {"q": "bo"}).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


def test_topic_of_maximum_length_is_accepted(browser, alice):
    form = {"name": "Long", "topic": "x" * limits.TOPIC_MAX, "access": "closed"}
    assert browser(alice).post(url("new"), form).status_code == 303


# --- removed users, and leaving several at once ----------------------------------------------------


def test_removed_user_cannot_rejoin_until_allowed(browser, alice, bob):
    market = actions.create_conversation(alice, name="Market", access="open")
    actions.join(bob, market.pk)
    actions.remove_member(alice, market.pk, bob.pk)
    bobs, alices = browser(bob), browser(alice)
    page = text_of(bobs.get(url("browse")))
    assert "You were removed" in page
    assert url("join", market.pk) not in page
    response = bobs.post(url("join", market.pk))
    assert response.status_code == 403
    assert "has to allow you to join again" in text_of(response)
    assert url("allow_to_join", market.pk, bob.pk) in text_of(alices.get(url("members", market.pk)))
    assert bobs.post(url("allow_to_join", market.pk, bob.pk)).status_code == 404
    alices.post(url("allow_to_join", market.pk, bob.pk))
    assert url("allow_to_join", market.pk, bob.pk) not in text_of(
        alices.get(url("members", market.pk))
    )
    assert bobs.post(url("join", market.pk)).status_code == 303
    assert role_of(bob, market) == "member"
    # Only owners and admins see who was removed.
    actions.join(alice, market.pk)
    assert "Removed" not in text_of(bobs.get(url("members", market.pk)))


def test_several_conversations_can_be_left_at_once(browser, alice, bob, group):
    own = actions.create_conversation(bob, name="Own", member_ids=[alice.pk])
    added = [
        actions.create_conversation(alice, name=f"Group {n}", member_ids=[bob.pk]) for n in range(3)
    ]
    client = browser(bob)
    response = client.get(url("leave_many"))
    listed = [each.conversation.name for each in response.context["page"]]
    assert listed == ["Group 2", "Group 1", "Group 0", "Harbour", "Own"]
    assert text_of(response).count("Not opened yet") == 4
    ids = [group.pk, own.pk, *(each.pk for each in added), 2**40]
    response = client.post(url("leave_many"), {"conversations": ids}, follow=True)
    page = text_of(response)
    assert "You left 5 conversations." in page
    assert [role_of(bob, each) for each in (group, own, *added)] == [None] * 5
    assert role_of(alice, own) == "owner"
    response = client.post(url("leave_many"))
    assert response.status_code == 400
    assert "Choose the conversations" in text_of(response)


def test_leave_list_is_paged(browser, alice, bob, monkeypatch):
    monkeypatch.setattr("conversations.web.membership.LEAVE_PAGE", 2)
    for number in range(5):
        actions.create_conversation(alice, name=f"Group {number}", member_ids=[bob.pk])
    opened = actions.create_conversation(bob, name="Opened")
    client, seen, address = browser(bob), [], url("leave_many")
    for _ in range(3):
        page = client.get(address)
        seen += [each.conversation.name for each in page.context["page"]]
        address = url("leave_many") + f"?before={page.context['last'].pk}"
    assert seen == ["Group 4", "Group 3", "Group 2", "Group 1", "Group 0", opened.name]
    assert not page.context["more"]


def test_overlong_input_is_not_echoed(browser, alice):
    form = {"name": '"' * 400_000, "topic": "<" * 400_000, "q": '"' * 100_000, "access": "open"}
    response = browser(alice).post(url("new"), form)
    assert response.status_code == 400
    assert len(response.content) < 100_000


# --- who can do what -----------------------------------------------------------------------------


def test_form_for_permissions_saves_only_what_was_changed_in_it(browser, alice, group):
    client = browser(alice)
    form = one(client.get(url("settings", group.pk)), "form[action$='/permissions/']")
    fields = {str(hidden["name"]): hidden["value"] for hidden in form.select("input[type=hidden]")}
    for field in form.select("select"):
        fields[str(field["name"])] = one(field, "option[selected]")["value"]
    actions.update_conversation(alice, group.pk, posting="admins")  # on another page
    assert client.post(url("permissions", group.pk), {**fields, "slow_mode": 60}).status_code == 303
    group.refresh_from_db()
    assert (group.posting, group.slow_mode) == ("admins", 60)
