"""Staff in the admin site: what they see, what stays hidden, and that every action is published."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import installation
from accounts.models import User
from conversations import actions, limits, publisher, queries
from conversations.events import ConversationChanged, Event
from conversations.models import Conversation, Membership, Message, Reveal
from conversations.queries import staff as staff_queries
from conversations.tests.helpers import purge_deleted
from tests.cast import create_extra
from tests.html import one, parse, values

pytestmark = pytest.mark.django_db

SECRET = "the vault opens at noon"
LISTED = "admin:conversations_message_changelist"


class RecordingSubscriber:
    """Records what sockets would get."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def offer(self, events: tuple[Event, ...]) -> None:
        self.events += events

    def actions(self) -> list[tuple[str, dict[str, Any]]]:
        """Return (action, message) of each change."""
        frames = [
            msgspec.json.decode(e.text) for e in self.events if isinstance(e, ConversationChanged)
        ]
        return [(frame["change"]["action"], frame["message"]) for frame in frames]


@pytest.fixture
def subscriber():
    heard = RecordingSubscriber()
    publisher.connect(heard)
    yield heard
    publisher.disconnect(heard)


@pytest.fixture
def closed(alice, bob) -> Conversation:
    return actions.create_conversation(alice, name="Board", member_ids=[bob.pk])


@pytest.fixture
def opened(alice) -> Conversation:
    return actions.create_conversation(alice, name="Kitchen", access="open")


@pytest.fixture
def direct(alice, bob) -> Conversation:
    return actions.open_direct(alice, bob.pk)


def say(user: User, conversation: Conversation, body: str, key: str = "k") -> Message:
    return actions.send_message(user, conversation.pk, key=key, body=body).message


def page(client: Client, name: str, *args: Any, **asked: Any) -> str:
    response = client.get(reverse(name, args=args), asked)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def listed(client: Client, **asked: Any) -> list[int]:
    response = client.get(reverse(LISTED), asked)
    assert response.status_code == 200, response.status_code
    return [message.pk for message in response.context["cl"].result_list]


def look(client: Client, conversation: Conversation, reason: str = "A complaint", **asked: Any):
    url = reverse("admin:conversations_conversation_reveal", args=[conversation.pk])
    return client.post(url, {"reason": reason}, query_params=asked)


# --- hidden text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["closed", "direct"])
def test_private_and_direct_messages_are_hidden_from_staff(kind, request, admin, alice):
    message = say(alice, request.getfixturevalue(kind), SECRET)
    one = "admin:conversations_message_change"
    for html in (
        page(admin, LISTED),
        page(admin, one, message.pk),
        page(admin, "admin:conversations_message_history", message.pk),
        page(admin, "admin:conversations_message_delete", message.pk),
        page(admin, "admin:conversations_conversation_change", message.conversation_id),
        page(admin, "admin:conversations_conversation_moderate", message.conversation_id),
        page(admin, "admin:conversations_conversation_reveal", message.conversation_id),
    ):
        assert "vault" not in html
    assert "hidden" in page(admin, one, message.pk)


def test_hidden_text_is_not_read_from_the_database(alice, root, closed):
    say(alice, closed, SECRET)
    (message,) = queries.messages_for_staff(root).filter(kind="text")
    assert message.words is None
    assert "body" not in message.__dict__
    assert "html" not in message.__dict__
    assert "excerpt" not in message.__dict__


def test_public_messages_are_shown(admin, alice, opened):
    message = say(alice, opened, SECRET)
    assert SECRET in page(admin, LISTED)
    assert SECRET in page(admin, "admin:conversations_message_change", message.pk)


def test_messages_are_hidden_when_a_group_becomes_private(admin, alice, opened):
    say(alice, opened, SECRET)
    actions.update_conversation(alice, opened.pk, access="closed")
    assert "vault" not in page(admin, LISTED)


def test_search_does_not_match_hidden_text(admin, alice, closed, opened):
    say(alice, closed, SECRET)
    said_openly = say(alice, opened, SECRET, key="k2")
    assert listed(admin, words="VAULT") == [said_openly.pk]


@pytest.mark.parametrize(
    "lookup",
    [
        *("body__startswith", "body", "html__contains", "words", "fingerprint__isnull"),
        *("reply_to__body__contains", "conversation__messages__body__contains"),
    ],
)
def test_url_lookups_cannot_probe_hidden_text(lookup, admin, alice, closed):
    """A matching filter gives another result than one that does not match: an oracle."""
    say(alice, closed, SECRET)
    if lookup == "words":
        assert listed(admin, words="the") == listed(admin, words="xyz") == []
    else:
        assert listed(admin, **{lookup: "the"}) == listed(admin, **{lookup: "xyz"}) == listed(admin)


@pytest.mark.parametrize("model", ["conversation", "reveal"])
def test_other_changelists_reject_lookups_on_text(model, admin, alice, closed):
    say(alice, closed, SECRET)
    look(admin, closed)
    Reveal.objects.update(at=timezone.now() - timedelta(days=1))
    prefix = "" if model == "conversation" else "conversation__"
    for text in ("the", "xyz"):
        response = admin.get(
            reverse(f"admin:conversations_{model}_changelist"),
            {f"{prefix}messages__body__contains": text},
        )
        assert response.status_code in (302, 400)


def test_changelist_cannot_be_sorted_by_text(admin, alice, closed):
    say(alice, closed, "b")
    say(alice, closed, "a", key="k2")
    assert listed(admin, o="6") == listed(admin, o="-6") == listed(admin)


# --- reveals -------------------------------------------------------------------------------------


def test_reveal_with_a_reason_shows_the_conversation_and_is_recorded(admin, root, alice, closed):
    message = say(alice, closed, SECRET)
    response = look(admin, closed, "Complaint 12", message=message.pk)
    assert response.status_code == 303
    assert response["Location"] == reverse("admin:conversations_message_change", args=[message.pk])
    assert SECRET in admin.get(response["Location"]).content.decode()
    assert SECRET in page(admin, LISTED)
    assert listed(admin, words="vault") == [message.pk]
    (reveal,) = Reveal.objects.all()
    assert (reveal.staff, reveal.conversation_id) == (root, closed.pk)
    assert (reveal.title, reveal.reason) == ("Board", "Complaint 12")
    assert "Complaint 12" in page(admin, "admin:conversations_reveal_changelist")
    assert "Complaint 12" in LogEntry.objects.get().change_message


@pytest.mark.parametrize("reason", ["", "   ", "\u200b", "x" * (limits.REASON_MAX + 1)])
def test_reveal_without_a_valid_reason_is_rejected(reason, admin, alice, closed):
    say(alice, closed, SECRET)
    response = look(admin, closed, reason)
    assert response.status_code == 400
    assert "errorlist" in response.content.decode()
    assert not Reveal.objects.exists()
    assert "vault" not in page(admin, LISTED)


def test_rejected_reason_stays_in_the_form(admin, closed):
    assert "y" * 600 in look(admin, closed, "y" * 600).content.decode()


def test_reveal_applies_to_one_conversation_and_one_user(admin, alice, closed, direct):
    say(alice, closed, SECRET)
    say(alice, direct, "a word between two", key="k2")
    look(admin, closed)
    assert "between two" not in page(admin, LISTED)
    other = Client()
    other.force_login(User.objects.create_superuser("rita@example.org", "-", name="Rita"))
    assert "vault" not in page(other, LISTED)


def test_reveal_expires_after_an_hour(admin, alice, closed):
    say(alice, closed, SECRET)
    look(admin, closed)
    soon = timezone.now() - timedelta(seconds=limits.REVEAL_SECONDS - 60)
    Reveal.objects.update(at=soon)
    assert SECRET in page(admin, LISTED)
    Reveal.objects.update(at=soon - timedelta(seconds=120))
    assert "vault" not in page(admin, LISTED)
    assert Reveal.objects.count() == 1


def test_reveal_page_records_nothing(admin, closed):
    page(admin, "admin:conversations_conversation_reveal", closed.pk)
    assert not Reveal.objects.exists()


def test_reveal_requires_a_csrf_token(root, closed):
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    assert look(client, closed).status_code == 403
    assert not Reveal.objects.exists()


def test_reveal_cannot_be_changed_or_deleted(admin, root, closed):
    reveal = actions.reveal(root, closed.pk, "Complaint 12")
    reveal.reason = "none"
    with pytest.raises(TypeError):
        reveal.save()
    with pytest.raises(TypeError):
        reveal.delete()
    change = reverse("admin:conversations_reveal_change", args=[reveal.pk])
    delete = reverse("admin:conversations_reveal_delete", args=[reveal.pk])
    assert admin.post(change, {"reason": "none"}).status_code == 403
    assert admin.post(delete, {"post": "yes"}).status_code == 403
    assert admin.get(reverse("admin:conversations_reveal_add")).status_code == 403
    assert Reveal.objects.get().reason == "Complaint 12"


def test_reveal_outlives_the_conversation(admin, root, alice, closed):
    reveal = actions.reveal(root, closed.pk, "Complaint 12")
    actions.delete_conversation(alice, closed.pk)
    purge_deleted()
    assert not Conversation.objects.exists()
    html = page(admin, "admin:conversations_reveal_change", reveal.pk)
    assert "Board" in html
    assert "Complaint 12" in html


def test_reveal_is_for_staff_only(alice, closed):
    with pytest.raises(Exception, match="not_allowed"):
        actions.reveal(alice, closed.pk, "Curious")
    assert not Reveal.objects.exists()


def test_reveal_requires_the_permission(alice, closed):
    client = Client()
    client.force_login(staff_with("view_message", "view_conversation"))
    say(alice, closed, SECRET)
    assert "vault" not in page(client, LISTED)
    assert look(client, closed).status_code == 403
    assert not Reveal.objects.exists()


@pytest.mark.parametrize("who", ["alice", None])
def test_non_staff_cannot_open_the_administration(who, request, alice, closed):
    client = Client()
    if who:
        client.force_login(request.getfixturevalue(who))
    for name, args in ((LISTED, []), ("admin:conversations_conversation_reveal", [closed.pk])):
        assert client.get(reverse(name, args=args)).status_code != 200


def staff_with(*rights: str) -> User:
    person = User.objects.create_user("sam@example.org", "-", name="Sam", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return person


# --- finding messages ----------------------------------------------------------------------------


def test_messages_can_be_filtered_by_conversation_author_and_date(
    admin, alice, bob, closed, opened
):
    first = say(alice, closed, "one")
    second = say(bob, closed, "two")
    third = say(alice, opened, "three", key="k3")
    Message.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(days=9))
    texts = {first.pk, second.pk, third.pk}

    def found(**asked: Any) -> set[int]:
        return set(listed(admin, **asked)) & texts

    assert found() == texts
    assert found(conversation="boar") == {first.pk, second.pk}
    assert found(conversation=f"#{opened.pk}") == {third.pk}
    assert found(author="alice@") == {first.pk, third.pk}
    assert found(author=f"#{bob.pk}") == {second.pk}
    week_ago = timezone.localdate() - timedelta(days=7)
    assert found(since=week_ago) == {second.pk, third.pk}
    assert found(until=week_ago) == {first.pk}
    assert found(conversation="Board", author="Alice", until=week_ago) == {first.pk}
    assert found(conversation="nowhere") == set()


def test_direct_message_is_found_by_its_members(admin, alice, direct):
    message = say(alice, direct, SECRET)
    assert listed(admin, conversation="bob") == [message.pk]
    html = page(admin, "admin:conversations_conversation_changelist", q="bob@example")
    assert "Alice, Bob" in html


def test_invalid_search_shows_errors(admin, alice, opened):
    say(alice, opened, SECRET)
    html = page(admin, LISTED, since="yesterday", conversation="a\0b")
    assert "Enter a valid date" in html
    assert "Null characters" in html
    assert SECRET not in html


def test_messages_are_paged_without_counting(admin, alice, opened, monkeypatch):
    monkeypatch.setattr(staff_queries, "LOOK_STEP", 4)
    monkeypatch.setattr("conversations.admin.messages.MessageAdmin.list_per_page", 3)
    expected = [say(alice, opened, "x", key=f"k{n}").pk for n in range(8)]
    expected = [Message.objects.get(kind="created").pk, *expected][::-1]
    seen: list[int] = []
    asked: dict[str, Any] = {}
    for _page in range(5):
        with CaptureQueriesContext(connection) as captured:
            response = admin.get(reverse(LISTED), asked)
        assert not [q for q in captured.captured_queries if "COUNT(" in q["sql"].upper()]
        shown = response.context["cl"]
        seen += [message.pk for message in shown.result_list]
        if not shown.older:
            break
        asked = {"before": shown.older.removeprefix("?before=")}
    assert seen == expected


def test_slow_search_stops_and_can_be_continued(admin, alice, opened, monkeypatch):
    monkeypatch.setattr(staff_queries, "LOOK_STEP", 2)
    monkeypatch.setattr(staff_queries, "LOOK_SECONDS", -1)
    rare = say(alice, opened, "rare")
    for n in range(4):
        say(alice, opened, "x", key=f"k{n}")
    asked: dict[str, Any] = {"words": "rare"}
    pages = []
    for _page in range(9):
        shown = admin.get(reverse(LISTED), asked).context["cl"]
        pages.append([message.pk for message in shown.result_list])
        if not shown.older:
            break
        asked["before"] = shown.older.partition("before=")[2].partition("&")[0]
    assert [rare.pk] in pages
    assert [pk for found in pages for pk in found] == [rare.pk]
    assert len(pages) > 1


def test_query_count_of_the_changelist_is_constant(admin, alice, bob, opened, direct):
    def cost() -> int:
        installation.forget()  # its name is kept for a second, and is in the title
        with CaptureQueriesContext(connection) as captured:
            admin.get(reverse(LISTED))
        return len(captured)

    say(alice, opened, "x")
    say(alice, direct, "x", key="d")
    few = cost()
    for n in range(30):
        say(alice, opened, "x", key=f"k{n}")
        say(alice, direct, "x", key=f"d{n}")
    assert cost() == few


# --- deleting ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_delete_leaves_a_tombstone_and_is_published(admin, root, alice, closed, subscriber):
    message = say(alice, closed, SECRET)
    subscriber.events.clear()
    url = reverse("admin:conversations_message_delete", args=[message.pk])
    assert "Delete this message?" in admin.get(url).content.decode()
    assert subscriber.events == []
    assert admin.post(url).status_code == 303
    ((action, told),) = subscriber.actions()
    assert (action, told["id"], told["body"]) == ("deleted", message.pk, "")
    message.refresh_from_db()
    assert message.is_deleted
    assert message.body == message.html == ""
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.is_deletion()) == (root, str(message.pk), True)
    assert SECRET not in entry.object_repr + entry.change_message


@pytest.mark.django_db(transaction=True)
def test_bulk_delete_asks_for_confirmation(admin, alice, opened, subscriber):
    doomed = [say(alice, opened, "x", key=f"k{n}").pk for n in range(2)]
    spared = say(alice, opened, "y", key="y")
    notice = Message.objects.get(kind="created")
    subscriber.events.clear()
    chosen = {"action": "delete_selected", "_selected_action": [*doomed, notice.pk]}
    html = admin.post(reverse(LISTED), chosen).content.decode()
    assert "Delete these 2 messages?" in html
    assert subscriber.events == []
    admin.post(reverse(LISTED), {**chosen, "confirm": "yes", "select_across": "1"})
    assert {told["id"] for action, told in subscriber.actions() if action == "deleted"} == set(
        doomed
    )
    spared.refresh_from_db()
    assert not spared.is_deleted
    assert Message.objects.count() == 4
    assert LogEntry.objects.count() == 2


def test_tombstones_and_system_messages_cannot_be_deleted(admin, root, alice, opened):
    message = say(alice, opened, "x")
    actions.moderate_delete_message(root, message.pk)
    for each in (message, Message.objects.get(kind="created")):
        url = reverse("admin:conversations_message_delete", args=[each.pk])
        assert admin.post(url).status_code == 403
    html = admin.post(
        reverse(LISTED),
        {"action": "delete_selected", "_selected_action": [message.pk], "confirm": "yes"},
        follow=True,
    ).content.decode()
    assert "Nothing to delete." in html
    assert not LogEntry.objects.exists()


def test_delete_requires_the_permission(alice, opened):
    client = Client()
    client.force_login(staff_with("view_message"))
    message = say(alice, opened, "x")
    url = reverse("admin:conversations_message_delete", args=[message.pk])
    assert client.post(url).status_code == 403
    client.post(
        reverse(LISTED),
        {"action": "delete_selected", "_selected_action": [message.pk], "confirm": "yes"},
    )
    message.refresh_from_db()
    assert not message.is_deleted


@pytest.mark.parametrize("model", ["conversation", "message"])
def test_rows_cannot_be_added_changed_or_deleted_directly(model, admin, alice, opened):
    say(alice, opened, "x")
    row = {"conversation": opened.pk, "message": Message.objects.get(kind="text").pk}[model]
    assert admin.get(reverse(f"admin:conversations_{model}_add")).status_code == 403
    change = reverse(f"admin:conversations_{model}_change", args=[row])
    assert admin.post(change, {"name": "Hijacked", "body": "Hijacked"}).status_code == 403
    if model == "conversation":
        delete = reverse("admin:conversations_conversation_delete", args=[row])
        assert admin.post(delete, {"post": "yes"}).status_code == 403
    assert Conversation.objects.get().name == "Kitchen"
    assert Message.objects.get(kind="text").body == "x"


# --- conversations -------------------------------------------------------------------------------


def moderate(client: Client, conversation: Conversation, **form: Any):
    url = reverse("admin:conversations_conversation_moderate", args=[conversation.pk])
    return client.post(url, form, follow=True)


def test_list_names_conversations_by_their_people_and_says_who_can_join(
    admin, alice, bob, carol, closed, opened
):
    several = actions.open_with(alice, [bob.pk, carol.pk])
    listed = parse(page(admin, "admin:conversations_conversation_changelist"))
    rows = {
        one(row, ".field-title").get_text(): one(row, ".field-access_value").get_text()
        for row in listed.select("#result_list tbody tr")
    }
    assert rows == {"Alice, Bob, Carol": "private", closed.name: "private", opened.name: "public"}
    for number in range(20):
        actions.add_members(alice, several.pk, [create_extra(f"Person {number} of a long name").pk])
    assert len(queries.title_for_staff(several)) == limits.REVEAL_TITLE_MAX


def test_conversations_can_be_searched_and_filtered(admin, alice, closed, opened):
    actions.archive(alice, opened.pk)

    def found(**asked: Any) -> set[int]:
        url = reverse("admin:conversations_conversation_changelist")
        return {c.pk for c in admin.get(url, asked).context["cl"].result_list}

    assert found() == {closed.pk, opened.pk}
    assert found(q="kitch") == {opened.pk}
    assert found(q=f"#{closed.pk}") == {closed.pk}
    assert found(access__exact="closed") == {closed.pk}
    assert found(archived="yes") == {opened.pk}
    assert found(archived="no") == {closed.pk}
    assert found(kind__exact="direct") == set()


@pytest.mark.django_db(transaction=True)
def test_bulk_archive_adds_system_messages_and_is_published(
    admin, root, closed, opened, subscriber
):
    url = reverse("admin:conversations_conversation_changelist")
    ids = [closed.pk, opened.pk]
    subscriber.events.clear()
    admin.post(url, {"action": "archive_selected", "_selected_action": ids})
    assert all(c.is_archived for c in Conversation.objects.all())
    assert [told["kind"] for _action, told in subscriber.actions()] == ["archived", "archived"]
    assert LogEntry.objects.filter(user=root).count() == 2
    admin.post(url, {"action": "unarchive_selected", "_selected_action": ids})
    assert not any(c.is_archived for c in Conversation.objects.all())


def test_direct_message_cannot_be_archived(admin, direct):
    url = reverse("admin:conversations_conversation_changelist")
    response = admin.post(
        url, {"action": "archive_selected", "_selected_action": [direct.pk]}, follow=True
    )
    assert "can’t do that in a direct message" in response.content.decode()
    direct.refresh_from_db()
    assert not direct.is_archived
    assert not LogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_members_can_be_added_promoted_and_removed(admin, root, bob, carol, closed, subscriber):
    actions.reveal(root, closed.pk, "A complaint")
    subscriber.events.clear()
    moderate(admin, closed, action="add", person="carol@example.org")
    moderate(admin, closed, action="role", user=carol.pk, role="owner")
    moderate(admin, closed, action="remove", user=bob.pk)
    roles = dict(Membership.objects.filter(conversation=closed).values_list("user__name", "role"))
    assert roles == {"Alice": "owner", "Carol": "owner"}
    assert [told["kind"] for _action, told in subscriber.actions()] == ["added", "role", "removed"]
    assert LogEntry.objects.count() == 3


@pytest.mark.parametrize(
    ("who", "form"),
    [
        ("outside", {"action": "add", "person": "sam@example.org"}),
        ("outside", {"action": "add", "person": "carol@example.org"}),
        ("inside", {"action": "role", "role": "owner"}),
    ],
)
def test_adding_to_a_private_conversation_requires_a_reveal(who, form, alice, carol, closed):
    """Otherwise staff could read unnoticed by adding themselves, or an account whose password they set."""
    staff = staff_with("view_conversation", "change_conversation", "view_message", "add_reveal")
    if who == "inside":
        actions.add_members(alice, closed.pk, [staff.pk])
        form = {**form, "user": staff.pk}
    client = Client()
    client.force_login(staff)
    before = sorted(Membership.objects.values_list("user_id", "role"))
    reveal = reverse("admin:conversations_conversation_reveal", args=[closed.pk]) + "?members"
    moderate_url = reverse("admin:conversations_conversation_moderate", args=[closed.pk])
    response = client.post(moderate_url, form)
    assert (response.status_code, response["Location"]) == (303, reveal)
    assert sorted(Membership.objects.values_list("user_id", "role")) == before
    response = client.post(reveal, {"reason": "A complaint"})
    assert response["Location"] == moderate_url
    client.post(moderate_url, form)
    assert sorted(Membership.objects.values_list("user_id", "role")) != before
    assert Reveal.objects.get().staff == staff


def test_adding_to_a_private_conversation_requires_the_reveal_permission(closed, carol):
    client = Client()
    client.force_login(staff_with("view_conversation", "change_conversation"))
    response = moderate(client, closed, action="add", person="carol@example.org")
    assert "Give a reason" in response.content.decode()
    assert Membership.objects.filter(conversation=closed).count() == 2


def test_adding_to_a_public_conversation_requires_no_reveal(admin, carol, opened):
    moderate(admin, opened, action="add", person="carol@example.org")
    assert Membership.objects.filter(conversation=opened, user=carol).exists()


def test_add_member_errors_are_shown_on_the_form(admin, root, closed):
    actions.reveal(root, closed.pk, "A complaint")
    for person, sentence in [
        ("nobody@example.org", "No account has this email address"),
        ("bob@example.org", "already a member"),
        ("#99999999999999999999999", "No account has this email address"),
    ]:
        html = moderate(admin, closed, action="add", person=person).content.decode()
        assert sentence in html
        assert values(html, "input[name=person]") == [person]
    assert Membership.objects.filter(conversation=closed).count() == 2
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    "form",
    [
        {"action": "remove", "user": "999"},
        {"action": "remove"},
        {"action": "role", "user": "x"},
        {"action": "burn"},
        {},
    ],
)
def test_invalid_moderation_form_changes_nothing(form, admin, closed):
    response = moderate(admin, closed, **form)
    assert response.status_code == 200
    assert "errornote" in response.content.decode() or "error" in response.content.decode()
    assert Membership.objects.filter(conversation=closed).count() == 2
    assert not LogEntry.objects.exists()


def test_view_permission_does_not_allow_moderation(closed):
    client = Client()
    client.force_login(staff_with("view_conversation"))
    assert page(client, "admin:conversations_conversation_change", closed.pk)
    assert moderate(client, closed, action="archive").status_code == 403
    closed.refresh_from_db()
    assert not closed.is_archived


def test_deleted_conversation_is_not_found_for_staff(admin, closed):
    Conversation.objects.update(deleted_at=timezone.now())
    assert listed(admin) == []
    url = reverse("admin:conversations_conversation_moderate", args=[closed.pk])
    assert admin.get(url).status_code == 404


def test_admin_pages_have_no_inline_scripts_or_styles(admin, alice, closed, opened):
    message = say(alice, opened, "x")
    for html in (
        page(admin, LISTED),
        page(admin, "admin:conversations_message_change", message.pk),
        page(admin, "admin:conversations_message_delete", message.pk),
        page(admin, "admin:conversations_conversation_changelist"),
        page(admin, "admin:conversations_conversation_change", closed.pk),
        page(admin, "admin:conversations_conversation_moderate", closed.pk),
        page(admin, "admin:conversations_conversation_reveal", closed.pk),
        page(admin, "admin:conversations_reveal_changelist"),
    ):
        soup = parse(html)
        assert not soup.select('style, [style], script:not([src], [type="application/json"])')
        assert not [name for tag in soup.find_all() for name in tag.attrs if name.startswith("on")]


def test_reveal_reason_is_normalized_and_validated(root, closed):
    reveal = actions.reveal(root, closed.pk, "  Complaint \n 12 ")
    assert reveal.reason == "Complaint 12"
    with pytest.raises(ValidationError):
        Reveal(staff=root, conversation=closed, title="Board", reason="", at=reveal.at).full_clean()
