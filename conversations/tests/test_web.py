"""The pages as the server renders them: permissions, contents and forms."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.installation import installation_settings
from accounts.models import User
from conversations import actions, limits, queries
from conversations.models import Conversation, Membership, Message, Reaction
from conversations.tests import helpers
from conversations.web import layout, script_templates
from tests.cast import create_extra
from tests.html import one, parse, values, visible, words

KEY = "a-key-of-the-form"


def url(name: str, *args: object) -> str:
    return reverse(f"conversations:{name}", args=args)


def text_of(response) -> str:
    return response.content.decode()


def row_of(conversation: Conversation) -> str:
    """Return the selector of its row in the list."""
    return f'li.row[data-conversation="{conversation.pk}"]'


def typed(response, name: str = "textarea[name=body]") -> str:
    """Return the content of a text box, which must not be parsed as markup."""
    box = one(visible(response), name)
    assert not box.find_all()
    return box.get_text()


def post(client: Client, conversation: Conversation, body: str, key: str = KEY, **fields: object):
    return client.post(
        url("send", conversation.pk), {"body": body, "key": key, "reply_to": "", **fields}
    )


def bodies(conversation: Conversation) -> list[str]:
    texts = Message.objects.filter(conversation=conversation, kind="text").order_by("seq")
    return [message.body for message in texts]


@pytest.fixture
def group(alice, bob) -> Conversation:
    """Alice is the owner, Bob a member; Carol is not in it."""
    made = actions.create_conversation(alice, name="Harbour", member_ids=[bob.pk])
    made.refresh_from_db()
    return made


@pytest.fixture
def say():
    return helpers.say


@pytest.fixture
def browser():
    """browser(user): a browser in which this user is signed in."""

    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


# --- permissions ---------------------------------------------------------------------------------


@pytest.fixture
def bobs_message(say, bob, group) -> Message:
    return say(bob, group, "Words of Bob")


def every_page(group: Conversation, message: Message, user_id: int) -> dict[str, str]:
    """Return every view with its methods. A route that is missing here fails a test."""
    return {
        "home": "GET",
        "browse": "GET",
        "new": "GET POST",
        "direct": "GET POST",
        "leave_many": "GET POST",
        "hide_newcomer": "POST",
        "share": "GET",
        "notifications": "GET POST",
        "installation": "GET POST",
        "test_mail": "POST",
        "conversation": "GET",
        "send": "POST",
        "join": "POST",
        "leave": "POST",
        "settings": "GET POST",
        "permissions": "POST",
        "archive": "POST",
        "unarchive": "POST",
        "delete": "GET POST",
        "members": "GET POST",
        "dates": "GET",
        "remove_member": "POST",
        "change_role": "POST",
        "allow_to_join": "POST",
        "read": "POST",
        "unread": "POST",
        "level": "POST",
        "favourite": "POST",
        "options": "GET",
        "person": "GET",
        "message": "GET",
        "edit": "GET POST",
        "delete_message": "GET POST",
        "react": "GET POST",
    }


OF_A_MESSAGE = {"message", "edit", "delete_message", "react"}
OF_NOBODY = {
    *("home", "browse", "new", "direct", "leave_many", "share", "notifications", "person"),
    *("installation", "test_mail", "hide_newcomer"),
}
# See test_web_pwa.py and test_help_page.py.
FOR_EVERYBODY = {"manifest", "service_worker", "offline", "help", "script_templates"}
OF_A_PERSON = {"remove_member", "change_role", "allow_to_join"}
ALL = sorted(every_page(None, None, 0).items())  # type: ignore[arg-type]


def address(name: str, group: Conversation, message: Message, user_id: int) -> str:
    if name == "person":
        return url(name, user_id)
    if name in OF_NOBODY:
        return url(name)
    if name in OF_A_MESSAGE:
        return url(name, message.pk)
    return url(name, group.pk, user_id) if name in OF_A_PERSON else url(name, group.pk)


def test_every_route_is_in_the_table():
    from conversations.web import urls

    names = {each.name for each in [*urls.conversation, *urls.message]}
    names |= {route.name for route in urls.urlpatterns if hasattr(route, "name")}
    assert names == {name for name, _methods in ALL} | FOR_EVERYBODY


@pytest.mark.parametrize(("name", "methods"), ALL)
def test_anonymous_users_are_redirected_to_sign_in(name, methods, group, bobs_message, bob):
    before = Message.objects.count()
    for method in methods.split():
        response = getattr(Client(), method.lower())(address(name, group, bobs_message, bob.pk))
        assert response.status_code == (302 if method == "GET" else 303)
        assert response.headers["Location"].startswith("/sign-in/?next=/")
    assert Message.objects.count() == before


@pytest.mark.parametrize("refused", [False, True])
def test_page_is_not_shown_to_a_member_removed_while_reading(
    refused, browser, group, alice, bob, monkeypatch
):
    read = queries.history

    def removed_meanwhile(conversation, **place):
        if Membership.objects.filter(conversation=group, user=bob).exists():
            actions.remove_member(alice, group.pk, bob.pk)
            actions.send_message(alice, group.pk, key="after", body="Now that Bob is gone")
        return read(conversation, **place)

    monkeypatch.setattr(queries, "history", removed_meanwhile)
    client = browser(bob)
    if refused:
        response = client.post(url("send", group.pk), {"body": " ", "key": KEY})
    else:
        response = client.get(url("conversation", group.pk))
    assert response.status_code == (400 if refused else 404)
    assert "Now that Bob is gone" not in response.text


@pytest.mark.parametrize("name", ["send", "edit"])
def test_signed_out_user_gets_the_typed_text_back(name, browser, group, bobs_message, alice):
    client = browser(alice)
    client.logout()
    before = Message.objects.count()
    response = client.post(
        address(name, group, bobs_message, 0), {"body": "Long <thoughts>", "key": KEY}
    )
    assert response.status_code == 401
    assert "Long &lt;thoughts&gt;" in response.text
    assert "/sign-in/?next=/" in response.text
    assert Message.objects.count() == before


@pytest.mark.parametrize(("name", "methods"), ALL)
def test_unsupported_methods_return_405_with_allow(
    name, methods, browser, group, bobs_message, alice
):
    client = browser(alice)
    for method in {"GET", "POST", "PUT", "DELETE"} - set(methods.split()):
        response = getattr(client, method.lower())(address(name, group, bobs_message, alice.pk))
        assert response.status_code == 405
        allowed = set(response.headers["Allow"].split(", "))
        assert allowed - {"HEAD"} == set(methods.split())
        assert "Method not allowed" in text_of(response)


FORMS = {
    "send": {"body": "Words of Carol", "key": KEY},
    "edit": {"body": "Changed by Carol"},
    "react": {"emoji": "👍", "on": "1"},
    "members": {"people": "1"},
    "settings": {"name": "Hers", "topic": "", "access": "open"},
    "delete": {"name": "Harbour"},
    "read": {"seq": "3"},
    "unread": {"seq": "3"},
    "level": {"level": "nothing"},
    "change_role": {"role": "owner"},
}
CLOSED_TO_OUTSIDERS = [(name, methods) for name, methods in ALL if name not in OF_NOBODY]


@pytest.mark.parametrize(("name", "methods"), CLOSED_TO_OUTSIDERS)
def test_outsiders_get_the_same_page_for_private_and_missing(
    name, methods, browser, group, bobs_message, carol, bob
):
    client = browser(carol)
    before = (group.version, Membership.objects.count(), Reaction.objects.count())
    for method in methods.split():
        send = getattr(client, method.lower())
        data = FORMS.get(name, {})
        theirs = send(address(name, group, bobs_message, bob.pk), data)
        group.pk, bobs_message.pk, kept = 10**9, 10**9, (group.pk, bobs_message.pk)
        missing = send(address(name, group, bobs_message, bob.pk), data)
        group.pk, bobs_message.pk = kept
        assert theirs.status_code == missing.status_code == 404
        assert without_noise(theirs) == without_noise(missing)
        assert "Harbour" not in text_of(theirs)
        assert "Words of Bob" not in text_of(theirs)
    group.refresh_from_db()
    after = (group.version, Membership.objects.count(), Reaction.objects.count())
    assert after[1:] == before[1:]
    assert group.name == "Harbour"


@pytest.fixture
def harbour(alice, bob) -> Conversation:
    """A public group of Alice and Bob; Carol is not in it."""
    return actions.create_conversation(
        alice, name="Harbour", topic="Boats", access="open", member_ids=[bob.pk]
    )


def test_link_to_a_public_conversation_offers_to_join(browser, harbour, carol, bob, say):
    client = browser(carol)
    message = say(bob, harbour, "Words of Bob")
    for link in (url("conversation", harbour.pk), url("message", message.pk)):
        response = client.get(link)
        page = visible(response)
        assert response.status_code == 200
        for shown_of_it in ("Harbour", "Boats", "2 people", url("join", harbour.pk)):
            assert shown_of_it in page
        assert values(page, "form input[name=next]") == [link]
        assert "Words of Bob" not in page
    joined = client.post(url("join", harbour.pk), {"next": url("message", message.pk)})
    assert joined.headers["Location"] == url("message", message.pk)
    assert "Words of Bob" in text_of(client.get(url("message", message.pk), follow=True))


def test_error_pages_keep_the_list_of_conversations_around_them_and_name_what_is_missing(
    browser, harbour, alice, bob, carol
):
    closed = actions.create_conversation(alice, name="Closed")
    member = browser(bob)
    pages = [
        (browser(carol).get, url("conversation", closed.pk), 404, "Conversation not found"),
        (member.get, url("message", 99999), 404, "Message not found"),
        (member.get, "/people/99999/", 404, "Person not found"),
        (member.get, "/nowhere/", 404, "Page not found"),
        (member.get, "/files/none/letter.pdf", 404, "Page not found"),
        (member.get, "/settings/installation/", 403, "Not allowed"),
        (member.get, url("archive", harbour.pk), 405, "That didn’t work"),
    ]
    for send, address, status, title in pages:
        response = send(address, headers={"Accept": "text/html"})
        shown = one(response, "main h1").get_text()
        assert (response.status_code, shown) == (status, title), address
        assert one(response, "#sidebar"), address
        assert "Closed" not in text_of(response)


def test_link_to_a_public_conversation_asks_anonymous_users_to_sign_in(harbour):
    response = Client().get(url("conversation", harbour.pk))
    assert response.status_code == 302
    assert response.headers["Location"].startswith(reverse("accounts:sign_in"))


def test_removed_user_is_informed_and_cannot_join(browser, harbour, alice, bob):
    actions.remove_member(alice, harbour.pk, bob.pk)
    page = visible(browser(bob).get(url("conversation", harbour.pk)))
    assert "You were removed" in page
    assert url("join", harbour.pk) not in page


def test_link_to_an_archived_conversation_cannot_be_joined(browser, harbour, alice, carol):
    actions.archive(alice, harbour.pk)
    page = visible(browser(carol).get(url("conversation", harbour.pk)))
    assert "archived" in page
    assert url("join", harbour.pk) not in page


def test_deleted_public_conversation_is_not_found(browser, harbour, alice, carol, say):
    message = say(alice, harbour, "Gone")
    actions.delete_conversation(alice, harbour.pk)
    for link in (url("conversation", harbour.pk), url("message", message.pk)):
        assert browser(carol).get(link).status_code == 404


def without_noise(response) -> str:
    """Return the page without what differs between requests."""
    page = parse(response)
    for element in page.select("[nonce]"):
        del element["nonce"]
    for token in page.select("input[name=csrfmiddlewaretoken]"):
        token.decompose()
    for code in page.select("code"):
        assert re.fullmatch("[0-9a-f]+", code.get_text())
        code.decompose()
    return str(page)


def test_removed_member_cannot_read_or_post_and_gets_the_text_back(browser, group, alice, bob, say):
    say(alice, group, "Secret")
    client = browser(bob)
    assert "Secret" in text_of(client.get(url("conversation", group.pk)))
    actions.remove_member(alice, group.pk, bob.pk)
    assert client.get(url("conversation", group.pk)).status_code == 404
    answer = post(client, group, "I was <still> typing")
    assert answer.status_code == 404
    assert typed(answer, "#unsent") == "I was <still> typing"
    assert bodies(group) == ["Secret"]


@pytest.mark.parametrize("name", ["send", "edit", "join", "archive", "read", "react", "leave"])
def test_form_without_csrf_token_changes_nothing(name, group, bobs_message, alice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    version = Conversation.objects.get(pk=group.pk).version
    response = client.post(address(name, group, bobs_message, alice.pk), FORMS.get(name, {}))
    assert response.status_code == 403
    assert Conversation.objects.get(pk=group.pk).version == version


def test_get_requests_never_write(browser, group, bobs_message, alice):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = browser(alice)
    client.get("/?list")  # creates the session and the Instance row
    for name, methods in ALL:
        if "GET" not in methods:
            continue
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert (
                client.get(address(name, group, bobs_message, alice.pk)).status_code < 400
                or name in ("edit", "installation")  # someone else’s, staff only
            )
        written = [q["sql"] for q in queries if not q["sql"].startswith(("SELECT", "PRAGMA"))]
        assert written == [], name


def test_pages_are_not_cached(browser, group, alice):
    response = browser(alice).get(url("conversation", group.pk))
    assert response.headers["Cache-Control"] == "private, no-store"


# --- the home page -------------------------------------------------------------------------------


def test_home_redirects_to_the_latest_conversation(browser, group, alice, say):
    other = actions.create_conversation(alice, name="Later")
    say(alice, other, "Later words")
    assert browser(alice).get("/").headers["Location"] == url("conversation", other.pk)
    say(alice, group, "Even later")
    assert browser(alice).get("/").headers["Location"] == url("conversation", group.pk)


def test_home_is_the_list_on_phones(browser, group, open_group, alice):
    phone = "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148 Mobi"
    response = browser(alice).get("/", headers={"user-agent": phone})
    assert response.status_code == 200
    assert "shell--list" in text_of(response)


def test_home_without_conversations_shows_how_to_start(browser, carol):
    page = text_of(browser(carol).get("/"))
    assert "Welcome, Carol" in page
    assert url("browse") in page
    assert url("new") in page


def test_list_is_ordered_by_last_message_with_unread_counts(browser, group, alice, bob, say):
    quiet = actions.create_conversation(alice, name="Quiet")
    for number in range(3):
        say(bob, group, f"Words {number}")
    page = visible(browser(alice).get(url("conversation", quiet.pk)))
    rows = values(page, "#conversations li.row", "data-conversation")
    assert rows[:2] == [str(group.pk), str(quiet.pk)]
    number = '[data-slot="unread"]:not([hidden]) [data-slot="unread-count"]'
    assert [words(each) for each in parse(page).select(number)] == ["3"]
    assert words(one(page, f"{row_of(group)} {number}")) == "3"
    # Your own messages are never unread.
    page = visible(browser(bob).get(url("conversation", group.pk)))
    assert parse(page).select(row_of(group))
    assert not parse(page).select(f"{row_of(group)} {number}")


def test_direct_message_appears_in_the_list_with_its_first_message(browser, alice, bob, say):
    direct = actions.open_direct(alice, bob.pk)
    row = row_of(direct)
    assert one(browser(alice).get("/?list"), row)
    assert not parse(browser(bob).get("/?list")).select(row)
    say(alice, direct, "Hello")
    page = browser(bob).get("/?list")
    assert words(one(page, f"{row} .row__name")) == "Alice"


# --- a conversation ------------------------------------------------------------------------------


def seqs(response) -> list[int]:
    return [int(seq) for seq in values(visible(response), "#messages [data-seq]", "data-seq")]


def test_history_is_paged_by_fifty_without_gaps(browser, group, alice, bob, say):
    for number in range(120):
        say(bob, group, f"Message {number}")
    client = browser(alice)
    page = client.get(url("conversation", group.pk))
    last = Conversation.objects.get(pk=group.pk).last_seq
    assert seqs(page) == list(range(last - 49, last + 1))
    assert "Newer messages" not in visible(page)
    seen = seqs(page)
    for _ in range(3):
        older = values(visible(page), "a[rel=prev]", "href")
        if not older:
            break
        address = older[0].removesuffix("#newest")
        assert re.fullmatch(r"[^?]*\?before=\d+", address)
        page = client.get(address)
        seen = seqs(page) + seen
    assert seen == list(range(1, last + 1))
    newer = str(one(visible(page), "a[rel=next]")["href"]).removesuffix("#older")
    assert re.fullmatch(r"[^?]*\?after=\d+", newer)
    assert seqs(client.get(newer))[0] == seqs(page)[-1] + 1


def test_permalink_opens_the_conversation_around_the_message(browser, group, alice, bob, say):
    first = say(bob, group, "The first")
    client = browser(alice)
    assert client.get(url("message", first.pk)).headers["Location"] == (
        f"/c/{group.pk}/#m{first.pk}"
    )
    for number in range(120):
        say(bob, group, f"Message {number}")
    location = client.get(url("message", first.pk)).headers["Location"]
    assert location == f"/c/{group.pk}/?around={first.seq}#m{first.pk}"
    page = client.get(location)
    assert first.seq in seqs(page)
    assert one(page, f"#m{first.pk}")


@pytest.mark.parametrize(
    "query", ["before=x", "after=-1", "around=", "before=" + "9" * 40, "before=٣"]
)
def test_invalid_position_shows_the_latest_messages(query, browser, group, bobs_message, alice):
    response = browser(alice).get(url("conversation", group.pk) + "?" + query)
    assert response.status_code == 200
    assert seqs(response)[-1] == bobs_message.seq


@pytest.mark.parametrize("number", ["99999999999999999999999", "9223372036854775807"])
def test_impossible_id_is_not_found(number, browser, alice):
    assert browser(alice).get(f"/c/{number}/").status_code == 404
    assert browser(alice).get(f"/m/{number}/").status_code == 404


def test_new_line_precedes_the_first_unread_message(browser, group, alice, bob, say):
    say(bob, group, "Read")
    actions.mark_read(alice, group.pk, 10**6)
    say(alice, group, "My own")
    unread = say(bob, group, "Unread")
    page = parse(visible(browser(alice).get(url("conversation", group.pk))))
    line = one(page, "#new")
    assert line.find_next(class_="message")["id"] == f"m{unread.pk}"
    assert words(one(line.find_previous(class_="message"), ".message__body")) == "My own"
    assert words(one(page, "#unread-bar:not([hidden]) [data-slot=unread]")) == "1 new message"


def test_no_new_line_or_bar_without_unread_messages(browser, group, bobs_message, alice):
    actions.mark_read(alice, group.pk, 10**6)
    page = visible(browser(alice).get(url("conversation", group.pk)))
    assert not parse(page).select("#new")
    assert one(page, "#unread-bar").has_attr("hidden")


def test_days_follow_the_users_time_zone(browser, group, alice, bob, say):
    late = say(bob, group, "Late in Lisbon, early in Tokyo")
    at = datetime(2024, 3, 9, 23, 30, tzinfo=UTC)
    Message.objects.filter(pk=late.pk).update(created_at=at)

    def said_in(zone: str) -> tuple[str, str, str, str]:
        alice.time_zone = zone
        alice.save(update_fields=["time_zone"])
        page = parse(visible(browser(alice).get(url("conversation", group.pk))))
        time = one(page, f"#m{late.pk} time")
        day = time.find_previous(attrs={"data-day": True})
        assert day
        return str(day["data-day"]), words(day), words(time), str(time["datetime"])

    at_utc = "2024-03-09T23:30:00.000Z"
    assert said_in("Asia/Tokyo") == ("2024-03-10", "Sunday 10 March 2024", "08:30", at_utc)
    assert said_in("Europe/Lisbon") == ("2024-03-09", "Saturday 9 March 2024", "23:30", at_utc)


def test_messages_of_one_author_within_five_minutes_are_grouped(browser, group, alice, bob, say):
    one, two, three, mine, four = (
        say(bob, group, "one"), say(bob, group, "two"), say(bob, group, "three"),
        say(alice, group, "mine"), say(bob, group, "four"),
    )  # fmt: skip
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
    for message, minutes in ((one, 0), (two, 5), (three, 10.1), (mine, 10.2), (four, 10.3)):
        Message.objects.filter(pk=message.pk).update(created_at=noon + timedelta(minutes=minutes))
    actions.mark_read(alice, group.pk, 10**6)
    page = visible(browser(alice).get(url("conversation", group.pk)))
    assert len(parse(page).select("article.message")) == 5
    assert values(page, "article.message--continued", "id") == [f"m{two.pk}"]


def test_own_messages_are_marked(browser, group, alice, bob, say):
    mine, theirs = say(alice, group, "Mine"), say(bob, group, "Theirs")
    page = visible(browser(alice).get(url("conversation", group.pk)))
    assert one(page, f"article#m{mine.pk}").has_attr("data-own")
    assert not one(page, f"article#m{theirs.pk}").has_attr("data-own")


def test_deleted_message_is_shown_as_a_tombstone(browser, group, alice, bob, say):
    gone = say(bob, group, "Regretted")
    say(alice, group, "An answer", reply_to=gone.pk)
    actions.react(alice, gone.pk, "👍")
    actions.delete_message(bob, gone.pk)
    page = visible(browser(alice).get(url("conversation", group.pk)))
    assert "Regretted" not in page
    article = one(page, f"article#m{gone.pk}")
    assert words(one(article, ".message__body")) == "Message deleted"
    assert "👍" not in str(article)
    assert not article.select(".message__more, .chip")


def test_reply_shows_the_quoted_message(browser, group, alice, bob, say):
    asked = say(bob, group, "When is lunch?")
    page = visible(browser(alice).get(url("conversation", group.pk) + f"?reply_to={asked.pk}"))
    composer = one(page, "form#composer")
    assert values(composer, "input[name=reply_to]") == [str(asked.pk)]
    assert (
        words(one(composer, '[data-slot="reply"]:not([hidden]) .quote__text')) == "When is lunch?"
    )
    post(browser(alice), group, "At noon", reply_to=asked.pk)
    page = visible(browser(bob).get(url("conversation", group.pk)))
    answer = Message.objects.get(body="At noon")
    quote = one(page, f'article#m{answer.pk} a.quote[href="/m/{asked.pk}/"]')
    assert "When is lunch?" in words(quote)


def test_reply_to_a_message_of_another_conversation_is_ignored(browser, group, alice, carol, say):
    theirs = actions.create_conversation(carol, name="Hers")
    secret = say(carol, theirs, "Secret plan")
    page = visible(browser(alice).get(url("conversation", group.pk) + f"?reply_to={secret.pk}"))
    assert "Secret plan" not in page


def test_system_messages_are_shown_as_sentences(browser, group, alice, bob):
    actions.update_conversation(alice, group.pk, topic="Boats & <ropes>")
    page = visible(browser(bob).get(url("conversation", group.pk)))
    assert "Alice added Bob." in page
    assert "Alice set the topic: Boats &amp; &lt;ropes&gt;" in page


def test_page_data_describes_the_conversation(browser, group, bobs_message, alice):
    response = browser(alice).get(url("conversation", group.pk))
    data = json.loads(one(response, 'script#app-data[type="application/json"]').string)
    group.refresh_from_db()
    assert data["user"]["id"] == alice.pk
    assert data["epoch"]
    assert data["build"] == response.headers["Chatty-Build"]
    assert data["conversation"]["id"] == group.pk
    assert data["conversation"]["last_seq"] == group.last_seq
    assert data["limits"]["body"] == limits.BODY_MAX


def test_page_carries_its_messages_and_conversations_as_rest_returns_them(
    browser, group, bobs_message, alice
):
    actions.react(alice, bobs_message.pk, "👍")
    actions.open_direct(alice, alice.pk)
    client = browser(alice)
    for query in ({}, {"before": group.last_seq}, {"around": 1}):
        page = client.get(url("conversation", group.pk), query)
        data = json.loads(one(page, "script#app-data").string)
        history = client.get(f"/api/conversations/{group.pk}/messages/", query).json()
        assert data["conversation"]["history"] == history
    assert data["conversations"] == client.get("/api/conversations/").json()["results"]
    assert len(data["conversations"]) == 2


def test_part_of_a_page_is_the_same_without_what_the_open_page_has(
    browser, group, bobs_message, alice, say, bob, django_assert_max_num_queries
):
    elsewhere = actions.create_conversation(alice, name="Elsewhere")
    direct = actions.open_direct(alice, bob.pk)
    say(bob, direct, "Just you")
    client = browser(alice)
    for each, title in ((group, "Harbour"), (direct, "Bob")):
        whole = client.get(url("conversation", each.pk))
        with django_assert_max_num_queries(12):
            part = client.get(url("conversation", each.pk), headers={layout.PART_HEADER: "main"})
        assert {layout.PART_HEADER} <= set(whole.headers["Vary"].split(", "))
        assert whole.headers["Vary"] == part.headers["Vary"]
        assert "no-store" in part.headers["Cache-Control"]
        tokens = re.compile(r'value="[\w-]{20,}"')  # against forgery, and the key of the message
        ours, theirs = (tokens.sub("", str(one(page, "#main"))) for page in (part, whole))
        assert ours == theirs
        assert one(part, "title").text == one(whole, "title").text == f"{title} · Chatty"
        data, same = (json.loads(one(page, "script#app-data").string) for page in (part, whole))
        assert [row["id"] for row in data.pop("conversations")] == [each.pk]
        assert len(same.pop("conversations")) == 3
        assert data == same
        assert f"/c/{elsewhere.pk}/" not in text_of(part)
        assert "importmap" not in text_of(part)


def test_list_as_a_part_of_a_page_leaves_the_list_out(browser, group, alice):
    page = browser(alice).get(url("home"), {"list": ""}, headers={layout.PART_HEADER: "main"})
    assert one(page, ".shell--list > #sidebar").decode_contents() == ""
    assert "Choose a conversation" in text_of(page)
    redirect = browser(alice).get(url("home"), headers={layout.PART_HEADER: "main"})
    assert redirect.headers["Location"] == url("conversation", group.pk)


def test_request_in_the_background_leaves_flashes_for_the_next_page(browser, alice, bob, pair):
    """The page of who leaves looks whether it can be joined, while it goes to the next one."""
    client = browser(bob)
    assert client.post(url("leave", pair.pk)).status_code == 303
    background = {layout.PART_HEADER: "background"}
    assert client.get(url("conversation", pair.pk), headers=background).status_code == 404
    page = client.get(url("home"), follow=True)
    assert "left" in words(one(page, ".flashes"))
    assert not parse(client.get(url("home"), follow=True)).select(".flashes")


def test_pages_that_are_never_shown_in_place_are_whole(browser, group, alice):
    for name in ("settings", "members"):
        page = browser(alice).get(url(name, group.pk), headers={layout.PART_HEADER: "main"})
        one(page, row_of(group))


def test_text_in_page_data_cannot_end_the_script(browser, group, alice):
    mean = "</script><script>alert(1)</script><!-- & \u2028\u2029"
    actions.update_conversation(alice, group.pk, topic=mean)
    message = helpers.say(alice, group, mean)
    response = browser(alice).get(url("conversation", group.pk))
    script = one(response, "script#app-data").string
    assert "<" not in script
    data = json.loads(script)
    assert data["conversation"]["history"]["messages"][-1]["body"] == message.body
    assert data["conversations"][0]["topic"] == message.body
    assert not [each for each in parse(response).select("script") if each.string == "alert(1)"]


def test_writer_of_identifies_the_user_by_more_than_the_id(alice, bob):
    def marks(user):
        return set(layout.writer_of(user).split())

    mine = marks(alice)
    assert len(mine) == 2
    assert not mine & marks(bob)
    # After a restore: a new account with the old id, and the same person with changed data.
    other = User(pk=alice.pk, email="dora@example.org", date_joined=bob.date_joined)
    assert not mine & marks(other)
    moved = User(pk=alice.pk, email="alice@example.com", date_joined=alice.date_joined)
    again = User(pk=alice.pk + 100, email=alice.email, date_joined=bob.date_joined)
    assert mine & marks(moved)
    assert mine & marks(again)


def test_pages_in_the_side_pane_share_no_ids_with_the_conversation(browser, group, alice):
    """Labels, headings and scripts would find the element of the other page."""
    client = browser(alice)

    def ids(path, selector):
        page = parse(client.get(path))
        return {each["id"] for each in page.select(selector) if each.name != "template"}

    ours = ids(url("conversation", group.pk), "body [id]")
    assert "timeline" in ours
    for path in (
        *(url(name, group.pk) for name in ("members", "settings", "delete")),
        *(reverse(f"accounts:{name}") for name in ("profile", "password_change", "sign_ins")),
        url("notifications"),
        f"{reverse('search:search')}?q=bread",
        url("help"),
    ):
        assert ids(path, "#main > .page [id]") & ours == set(), path


def test_import_map_has_the_nonce(browser, group, alice):
    response = browser(alice).get(url("conversation", group.pk))
    nonce = re.search(r"'nonce-([^']+)'", response.headers["Content-Security-Policy"])
    assert nonce
    page = text_of(response)
    nonces = set(values(page, 'script:not([type="application/json"])', "nonce"))
    assert nonces == {nonce[1]}
    assert re.search(
        r'"chatty/main.js":"/static/js/main[^"]*\.js"', one(page, "script[type=importmap]").string
    )


def test_browsers_keep_the_templates_of_scripts_under_the_address_in_pages(browser, alice):
    current = script_templates.url()
    response = browser(alice).get(current)
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    former = url("script_templates", "en", "0" * 16)
    assert former != current
    requested = [former]
    while again := re.fullmatch(
        r'export \* from "(.+)";\n', text_of(browser(alice).get(requested[-1]))
    ):
        requested.append(again[1])
    assert requested == [former, *(f"{former}?retry={n}" for n in range(1, 5))]
    response = browser(alice).get(requested[-1])
    assert response.content == browser(alice).get(current).content
    assert response.headers["Cache-Control"] == "no-cache"
    # Another process may have it: then browsers keep it.
    response = browser(alice).get(f"{current}?retry=2")
    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"


# --- sending -------------------------------------------------------------------------------------


def test_posted_message_is_shown_after_the_redirect(browser, group, alice, bob):
    client = browser(bob)
    response = post(client, group, "Hello\nworld & co")
    assert response.status_code == 303
    assert response.headers["Location"] == url("conversation", group.pk)
    page = visible(browser(alice).get(url("conversation", group.pk)))
    assert "world &amp; co" in page
    assert bodies(group) == ["Hello\nworld & co"]


def test_posting_marks_the_conversation_as_read(browser, group, alice, bob, say):
    say(alice, group, "Unread until now")
    post(browser(bob), group, "An answer")
    membership = Membership.objects.get(conversation=group, user=bob)
    group.refresh_from_db()
    assert membership.last_read_seq == group.last_seq


def test_submitting_a_form_twice_sends_one_message(browser, group, bob):
    client = browser(bob)
    assert post(client, group, "Once").status_code == 303
    assert post(client, group, "Once").status_code == 303
    assert bodies(group) == ["Once"]


def test_every_page_has_its_own_key(browser, group, bob):
    client = browser(bob)
    keys = {
        one(client.get(url("conversation", group.pk)), "input[name=key]")["value"] for _ in range(3)
    }
    assert len(keys) == 3
    assert all(limits.KEY.fullmatch(key) for key in keys)


def test_reused_key_keeps_the_text_and_brings_a_new_key(browser, group, bob):
    client = browser(bob)
    post(client, group, "First words")
    response = post(client, group, "Other words")
    assert response.status_code == 409
    assert typed(response) == "Other words"
    key = one(response, "input[name=key]")["value"]
    assert key != KEY
    assert bodies(group) == ["First words"]
    assert post(client, group, "Other words", key=key).status_code == 303
    assert bodies(group) == ["First words", "Other words"]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ("", 400, "Write a message first."),
        ("  \n\t ", 400, "Write a message first."),
        ("x" * 10_001, 400, "That’s too long: 10,001 characters (max 10,000)."),
        ("zero\x00byte", 400, "characters that can’t be stored"),
    ],
)
def test_rejected_text_is_kept_with_the_reason(body, status, sentence, browser, group, bob):
    response = post(browser(bob), group, body)
    assert response.status_code == status
    page = text_of(response)
    assert sentence in page
    assert sentence in words(one(page, "[role=alert]:not(template *)"))
    assert typed(response) == body.replace("\x00", "\ufffd")
    assert values(page, "input[name=key]") == [KEY]
    assert bodies(group) == []


def test_links_work_on_the_page_of_a_rejected_text(browser, group, alice, bob, say):
    last = [say(alice, group, f"Word {number}") for number in range(120)][-1]
    actions.react(alice, last.pk, "🎉")
    client = browser(bob)
    page = visible(post(client, group, ""))
    places = re.compile(r"\?(before|after|around)=")
    links = [link for link in values(page, "[href]", "href") if places.search(link)]
    assert len(links) == 2  # to older messages, and to the first unread one
    for link in links:
        assert client.get(link).status_code == 200
    back = one(page, "#react-form input[name=next]")["value"]
    answer = client.post(url("react", last.pk), {"emoji": "🎉", "on": "1", "next": back})
    assert client.get(answer.headers["Location"]).status_code == 200


@pytest.mark.parametrize("key", ["", "has a space", "x" * 65, "<b>"])
def test_invalid_key_is_rejected_and_replaced(key, browser, group, bob):
    response = post(browser(bob), group, "Words", key=key)
    assert response.status_code == 400
    assert typed(response) == "Words"
    fresh = one(response, "input[name=key]")["value"]
    assert limits.KEY.fullmatch(fresh)
    assert bodies(group) == []


def test_reply_to_a_missing_message_keeps_the_text(browser, group, bob):
    response = post(browser(bob), group, "To whom?", reply_to=999_999)
    assert response.status_code == 404
    assert typed(response) == "To whom?"
    assert bodies(group) == []


def test_text_for_an_archived_conversation_is_given_back(browser, group, alice, bob):
    actions.archive(alice, group.pk)
    response = post(browser(bob), group, "Too late")
    assert response.status_code == 409
    assert typed(response, "#unsent") == "Too late"
    page = visible(browser(bob).get(url("conversation", group.pk)))
    assert "This conversation is archived" in page
    assert one(page, "#conversation").has_attr("data-archived")


# --- changing messages ---------------------------------------------------------------------------


def test_edited_message_is_marked(browser, group, bobs_message, bob, alice):
    client = browser(bob)
    assert typed(client.get(url("edit", bobs_message.pk))) == "Words of Bob"
    response = client.post(url("edit", bobs_message.pk), {"body": "Better words"})
    assert response.status_code == 303
    assert response.headers["Location"] == f"/c/{group.pk}/#m{bobs_message.pk}"
    page = visible(browser(alice).get(url("conversation", group.pk)))
    article = one(page, f"article#m{bobs_message.pk}")
    assert words(one(article, ".message__body")) == "Better words"
    assert words(one(article, ".message__edited")) == "edited"


def test_unedited_messages_are_not_marked(browser, group, bobs_message, alice):
    page = parse(visible(browser(alice).get(url("conversation", group.pk))))
    assert not page.select(f"#m{bobs_message.pk} .message__edited")


def test_only_the_author_can_edit(browser, bobs_message, alice):
    client = browser(alice)
    assert client.get(url("edit", bobs_message.pk)).status_code == 403
    answer = client.post(url("edit", bobs_message.pk), {"body": "Put into the mouth"})
    assert answer.status_code == 403
    assert "Put into the mouth" in text_of(answer)
    bobs_message.refresh_from_db()
    assert bobs_message.body == "Words of Bob"


def test_conflicting_edit_shows_both_versions(browser, bobs_message, bob):
    client = browser(bob)
    form = {"body": "From the phone", "edited_at": ""}
    assert values(client.get(url("edit", bobs_message.pk)), "input[name=edited_at]") == [""]
    actions.edit_message(bob, bobs_message.pk, "From the desk")
    answer = client.post(url("edit", bobs_message.pk), form)
    assert answer.status_code == 409
    page = parse(answer)
    assert "From the desk" in [words(part) for part in page.select("main p")]
    assert typed(answer) == "From the phone"
    bobs_message.refresh_from_db()
    assert bobs_message.body == "From the desk"
    seen = one(page, "input[name=edited_at]")["value"]
    assert seen
    assert client.post(url("edit", bobs_message.pk), {**form, "edited_at": seen}).status_code == 303
    bobs_message.refresh_from_db()
    assert bobs_message.body == "From the phone"


@pytest.mark.parametrize("edited_at", ["x", "2026-13-99T00:00", "2026-01-01T00:00:00", "\x00"])
def test_edit_with_an_invalid_edited_at_is_a_conflict(edited_at, browser, bobs_message, bob):
    form = {"body": "Better words", "edited_at": edited_at}
    answer = browser(bob).post(url("edit", bobs_message.pk), form)
    assert answer.status_code == 409
    assert typed(answer) == "Better words"
    bobs_message.refresh_from_db()
    assert bobs_message.body == "Words of Bob"


def test_rejected_edit_keeps_its_edited_at(browser, bobs_message, bob):
    client = browser(bob)
    actions.edit_message(bob, bobs_message.pk, "From the desk")
    page = client.post(url("edit", bobs_message.pk), {"body": "", "edited_at": ""})
    assert values(page, "input[name=edited_at]") == [""]


@pytest.mark.parametrize("body", ["", "x" * 10_001, "zero\x00byte"])
def test_rejected_edit_keeps_the_text(body, browser, bobs_message, bob):
    response = browser(bob).post(url("edit", bobs_message.pk), {"body": body})
    assert response.status_code == 400
    assert typed(response) == body.replace("\x00", "\ufffd")
    bobs_message.refresh_from_db()
    assert bobs_message.body == "Words of Bob"


def test_delete_message_asks_for_confirmation(browser, bobs_message, bob):
    client = browser(bob)
    assert "Delete this message?" in text_of(client.get(url("delete_message", bobs_message.pk)))
    bobs_message.refresh_from_db()
    assert bobs_message.deleted_at is None
    assert client.post(url("delete_message", bobs_message.pk)).status_code == 303
    bobs_message.refresh_from_db()
    assert bobs_message.body == ""


def test_owner_can_delete_messages_of_others_but_a_member_cannot(
    browser, group, bobs_message, alice, bob, say
):
    of_alice = say(alice, group, "Words of Alice")
    assert browser(bob).post(url("delete_message", of_alice.pk)).status_code == 403
    assert browser(alice).post(url("delete_message", bobs_message.pk)).status_code == 303
    assert bodies(group) == ["", "Words of Alice"]


def actions_url(message: Message) -> str:
    return url("message", message.pk) + "?actions"


def test_every_message_links_to_the_page_of_its_actions(
    browser, group, bobs_message, alice, bob, say
):
    gone = say(bob, group, "Regretted")
    actions.delete_message(bob, gone.pk)
    page = visible(browser(alice).get(url("conversation", group.pk)))
    assert values(page, ".message__more", "href") == [actions_url(bobs_message)]


def test_actions_page_offers_only_allowed_actions(browser, group, bobs_message, alice, bob, say):
    of_alice = say(alice, group, "Words of Alice")

    def offered(user, message) -> set[str]:
        page = parse(visible(browser(user).get(actions_url(message))))
        shown = {words(each) for each in page.select(".action-list .menu__item")}
        return shown | ({"React"} if page.select(".emoji-grid") else set())

    reading = {"Mark unread", "Show in conversation"}
    everybody = reading | {"React", "Reply", "Pin"}
    assert offered(bob, bobs_message) == everybody | {"Edit", "Delete"}
    assert offered(bob, of_alice) == everybody
    assert offered(alice, bobs_message) == everybody | {"Delete"}
    actions.archive(alice, group.pk)
    assert offered(bob, bobs_message) == offered(alice, of_alice) == reading


def test_actions_page_of_a_deleted_or_system_message_leads_to_the_conversation(
    browser, group, bobs_message, bob
):
    actions.delete_message(bob, bobs_message.pk)
    for message in (bobs_message, group.messages.get(seq=1)):
        response = browser(bob).get(actions_url(message))
        assert response.headers["Location"] == f"/c/{group.pk}/#m{message.pk}"


def test_actions_page_shows_my_reactions(browser, bobs_message, alice):
    for emoji in ("🎉", "🦩"):
        actions.react(alice, bobs_message.pk, emoji)
    page = browser(alice).get(actions_url(bobs_message))
    assert values(page, ".emoji-grid [aria-pressed=true]") == ["🎉", "🦩"]
    assert values(page, ".emoji-grid [aria-pressed=true]", "form") == ["off", "off"]


def test_page_says_what_the_reader_may_do(browser, group, alice, bob):
    """By these words, style sheets and scripts decide which actions are shown."""

    def can(user) -> set[str]:
        section = one(browser(user).get(url("conversation", group.pk)), "#conversation")
        return set(str(section["data-can"]).split())

    everybody = {"send", "react", "reply", "mention-all", "edit-own", "delete-own", "pin"}
    assert can(bob) == everybody
    in_archive = {"remove", "allow-to-join", "archive", "delete", "answer-requests"}
    assert can(alice) == everybody | in_archive | {
        *("delete-any", "add", "change-role", "rename", "set-access", "change-permissions"),
        *("post-at-once", "accept-requests", "invite"),
    }
    actions.archive(alice, group.pk)
    assert can(bob) == set()
    assert can(alice) == in_archive


def test_reaction_can_be_added_and_removed(browser, group, bobs_message, alice, bob):
    client = browser(alice)
    back = url("conversation", group.pk) + "?around=1"
    form = {"emoji": "🎉", "on": "1", "next": back}
    response = client.post(url("react", bobs_message.pk), form)
    assert response.status_code == 303
    assert response.headers["Location"] == f"{back}#m{bobs_message.pk}"
    actions.react(bob, bobs_message.pk, "🎉")
    actions.react(bob, bobs_message.pk, "❤")
    client.post(url("react", bobs_message.pk), {**form, "emoji": "❤️"})
    page = visible(client.get(url("conversation", group.pk)))
    assert values(page, "button.chip") == ["🎉", "❤️"]
    chip = one(page, 'button.chip[value="🎉"]')
    assert chip["aria-pressed"] == "true"
    assert chip["form"] == "unreact-form"
    assert chip["title"] == "You, Bob"
    assert words(one(chip, ".chip__count")) == "2"
    client.post(url("react", bobs_message.pk), {**form, "on": "0"})
    left = Reaction.objects.filter(emoji="🎉")
    assert list(left.values_list("user__name", flat=True)) == ["Bob"]


def test_links_to_reactions_in_pages_of_the_previous_version_lead_to_the_actions(
    browser, bobs_message, alice
):
    response = browser(alice).get(url("react", bobs_message.pk))
    assert response.status_code == 302
    assert response.headers["Location"] == actions_url(bobs_message)
    assert not Reaction.objects.exists()


def test_reaction_redirects_only_within_this_site(browser, group, bobs_message, alice):
    form = {"emoji": "🎉", "on": "1", "next": "https://elsewhere.example/c/1/"}
    response = browser(alice).post(url("react", bobs_message.pk), form)
    assert response.headers["Location"] == f"/c/{group.pk}/#m{bobs_message.pk}"


@pytest.mark.parametrize("emoji", ["", "ok", "👍👍👍", "<b>", "\x00"])
def test_invalid_emoji_is_rejected(emoji, browser, bobs_message, alice):
    response = browser(alice).post(url("react", bobs_message.pk), {"emoji": emoji, "on": "1"})
    assert response.status_code == 400
    assert "A reaction must be exactly one emoji." in text_of(response)
    assert not Reaction.objects.exists()


# --- XSS -----------------------------------------------------------------------------------------

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "<a href='vbscript:x'>x</a>",
    "javascript:alert(1)",
    "`<b>`<b onmouseover=alert(1)>",
    "{{ 7*7 }}{% now 'Y' %}",
    "'\" autofocus onfocus=alert(1) x='",
    "<!--<script>-->\u2028alert(1)",
]


# All of them are messages in every run; as names, three are enough for that.
@pytest.mark.parametrize(
    "attack",
    [*ATTACKS[:3], *(pytest.param(each, marks=pytest.mark.long) for each in ATTACKS[3:])],
)
def test_user_input_is_escaped_everywhere(attack, browser, alice, bob, say):
    alice.name = attack[: limits.NAME_MAX - 20][:60]
    alice.save(update_fields=["name"])
    line = " ".join(attack.split())
    room = actions.create_conversation(
        alice, name=line, topic=line, access="open", member_ids=[bob.pk]
    )
    for each in ATTACKS:
        say(alice, room, each)
    text = say(alice, room, attack)
    say(bob, room, "reply", reply_to=text.pk)
    actions.react(alice, text.pk, "👍")
    client = browser(bob)
    addresses = [
        url("conversation", room.pk), url("conversation", room.pk) + f"?reply_to={text.pk}",
        url("browse"), url("browse") + "?q=" + "%3Cscript%3Ealert(1)%3C/script%3E",
        url("members", room.pk), url("settings", room.pk), actions_url(text), "/?list",
    ]  # fmt: skip
    pages = [text_of(client.get(each)) for each in addresses]
    pages.append(text_of(post(client, room, attack + "\x00")))
    owner = browser(alice)
    pages += [text_of(owner.get(url(n, room.pk))) for n in ("settings", "delete", "members")]
    pages.append(text_of(owner.get(url("edit", text.pk))))
    for page in pages:
        markup = [(tag.name, tag.attrs) for tag in parse(page).find_all()]
        assert "alert(1)" not in "".join(name for name, _attrs in markup)
        for name, attributes in markup:
            assert not any(key.startswith("on") for key in attributes), (name, attributes)
            assert "style" not in attributes, (name, attributes)
            link = str(attributes.get("href") or attributes.get("action") or "")
            assert not re.match(r"\s*(javascript|data|vbscript):", link, re.IGNORECASE), link
        # "49" would mean that the template code was executed.
        assert "49{%" not in page
        assert all(
            "nonce" in attributes or attributes.get("type") == "application/json"
            for name, attributes in markup
            if name == "script"
        )


# --- query counts --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["group", "direct"])
def test_query_count_of_a_conversation_is_constant(
    kind, browser, group, alice, bob, say, django_assert_max_num_queries
):
    room = group if kind == "group" else actions.open_direct(alice, bob.pk)
    first = say(bob, room, "A first word")
    client = browser(alice)
    client.get(url("conversation", room.pk))
    installation_settings()  # read once a second
    with django_assert_max_num_queries(12) as few:
        client.get(url("conversation", room.pk))
    people = [create_extra(f"Person{number}") for number in range(20)]
    if kind == "group":
        actions.add_members(alice, group.pk, [each.pk for each in people])
    for each in people:
        actions.create_conversation(each, name=f"Of {each}", member_ids=[alice.pk])
        say(each, actions.open_direct(each, alice.pk), "Hello")
    crowd = [alice, bob, *(people if kind == "group" else [])]
    for number in range(60):
        message = say(crowd[number % len(crowd)], room, f"Message {number}", reply_to=first.pk)
        Reaction.objects.bulk_create(
            Reaction(message=message, user=user, emoji=emoji, created_at=message.created_at)
            for user in crowd[:5]
            for emoji in "👍🎉"
        )
    installation_settings()
    with django_assert_max_num_queries(12) as many:
        assert client.get(url("conversation", room.pk)).status_code == 200
    # One query each: names of people who reacted, the other people of direct messages, and unread mentions.
    assert len(many) <= len(few) + 3


def test_avatars_are_shown_wherever_people_are(browser, group, alice, bob, carol, say):
    User.objects.filter(pk=bob.pk).update(picture="b" * 32, chosen_hue=5)
    User.objects.filter(pk=carol.pk).update(picture="c" * 32)
    say(bob, group, "Hello")
    direct = actions.open_direct(alice, bob.pk)
    say(bob, direct, "To you")

    def pictures(path: str) -> list[str]:
        shown = []
        for picture in parse(visible(browser(alice).get(path))).select("img.avatar__picture"):
            address, face = str(picture["src"]), picture.parent
            assert face
            if words(face) == "B":
                assert "avatar--h5" in face["class"]
                assert address == f"/api/users/{bob.pk}/picture/{'b' * 32}/"
            shown.append(address.split("/")[-2][0])
        return shown

    beside = ["b"]  # the direct message in the list
    assert pictures(url("conversation", group.pk)) == [*beside, "b"]
    assert pictures(url("conversation", direct.pk)) == [*beside, "b", "b", "b"]
    assert pictures(url("members", group.pk)) == [*beside, "c", "b"]
    assert pictures(url("new")) == [*beside, "b", "c"]
    assert pictures(url("direct")) == [*beside, "b", "c"]
