"""The content of a message: from a frame, a JSON request or a form, recognised when sent again, rendered."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import User
from chatty.common import structs
from chatty.common.errors import CODES
from chatty.common.numbers import NUMBER_MAX
from conversations import actions, capabilities, limits, markdown, wire
from conversations.actions import deletion
from conversations.content import EMPTY_COLUMNS, Content, Rendered, excerpt_of, render
from conversations.markdown.source import CALL
from conversations.models import Conversation, Message
from conversations.sockets.consumer import ChatConsumer
from conversations.tests.helpers import message_json, new_key, raises_chat_error, say
from tests.html import one

# --- three interfaces -----------------------------------------------------------------------------


class Rejection(NamedTuple):
    """The error that a client gets. `fields` only exist in responses of REST."""

    code: str
    detail: str
    fields: dict[str, list[str]] | None = None


def send_frame(user: User, conversation: Conversation, language: str, given: dict) -> Rejection:
    written: list[str] = []
    offered: list[Any] = []
    socket: Any = ChatConsumer()
    socket.user_id, socket.language = user.pk, language
    socket.send_buffer = SimpleNamespace(closing=False)
    socket.write = lambda frames: written.extend(frames.texts)
    writer = SimpleNamespace(offer=lambda draft, answer: offered.append((draft, answer)))
    socket.engine = SimpleNamespace(writer=writer, threads=SimpleNamespace(run=run_here))
    frame = {"type": "send", "conversation": conversation.pk, **given}
    asyncio.run(socket._handle_message({"text": json.dumps(frame)}))
    for draft, answer in offered:
        (result,) = actions.send_messages([draft])
        answer(result)
    (text,) = written
    error = json.loads(text)
    assert error["key"] == given["key"] or not limits.KEY.fullmatch(given["key"])
    return Rejection(error["code"], error["detail"])


async def run_here(work: Any, *args: Any) -> Any:
    return work(*args)


def send_json(user: User, conversation: Conversation, language: str, given: dict) -> Rejection:
    answer = client_of(user, language).post(
        reverse("api:messages", args=[conversation.pk]), given, content_type="application/json"
    )
    error = answer.json()
    assert answer.status_code == CODES[error["code"]].status
    return Rejection(error["code"], error["detail"], error["fields"])


def send_form(user: User, conversation: Conversation, language: str, given: dict) -> Rejection:
    """The page shows no code, so return the one with this status and sentence."""
    page = client_of(user, language).post(
        reverse("conversations:send", args=[conversation.pk]),
        {"reply_to": "", **{name: str(value) for name, value in given.items()}},
    )
    shown = given["body"].replace("\0", "\ufffd")  # as HTML parsers read it
    assert one(page, "#composer-body").get_text().lstrip("\n") == shown.lstrip("\n")
    return Rejection(str(page.status_code), one(page, "#composer-error").get_text())


def client_of(user: User, language: str) -> Client:
    client = Client(headers={"Accept-Language": language})
    client.force_login(user)
    return client


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"body": ""}, "empty", "body"),
    ({"body": " \n\t"}, "empty", "body"),
    ({"body": "\u200b\u2060"}, "empty", "body"),
    ({"body": "x" * (limits.BODY_MAX + 1)}, "too_long", "body"),
    ({"body": "\n" + "ü" * (limits.BODY_MAX + 1000) + " "}, "too_long", "body"),
    ({"body": "a\x00b"}, "bad_text", "body"),
    ({"body": "a\x1bb"}, "bad_text", "body"),
    ({"body": "a\uffffb"}, "bad_text", "body"),
    ({"body": "Hello", "reply_to": 0}, "invalid", "reply_to"),
    ({"body": "Hello", "reply_to": -1}, "invalid", "reply_to"),
    ({"body": "Hello", "reply_to": NUMBER_MAX + 1}, "invalid", "reply_to"),
    ({"body": "Hello", "reply_to": 10**30}, "invalid", "reply_to"),
    ({"body": "Hello", "reply_to": NUMBER_MAX}, "not_found", "reply_to"),
    ({"body": "", "reply_to": 0}, "invalid", "reply_to"),
    ({"body": "Hello", "key": "not a key"}, "invalid", "key"),
    ({"body": "", "key": "not a key"}, "invalid", "key"),
]


@pytest.mark.entrances
@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(("given", "code", "field"), BAD)
def test_bad_values_get_the_same_error_from_every_interface(
    given, code, field, language, alice, pair
):
    given = {"key": new_key(), **given}
    frame = send_frame(alice, pair, language, given)
    assert frame.code == code
    assert send_json(alice, pair, language, given) == (code, frame.detail, {field: [frame.detail]})
    assert send_form(alice, pair, language, given) == Rejection(
        str(CODES[code].status), frame.detail
    )
    assert not Message.objects.filter(conversation=pair, kind="text").exists()


def test_good_values_give_the_same_content_from_every_interface():
    from_json = structs.parse(Content, {"body": " Hi\r\n", "reply_to": 7})
    from_form = Content.from_form({"body": " Hi\r\n", "reply_to": "7", "csrf": "x"})
    assert from_json == from_form == Content(" Hi\r\n", 7)
    assert Content.from_form({"body": "Hi", "reply_to": ""}) == Content("Hi")
    assert Content.from_form({}) == Content("")


def test_json_of_the_wrong_shape_is_rejected_with_all_its_fields():
    with raises_chat_error("invalid") as error:
        structs.parse(Moody, {"reply_to": "7", "mood": 5, "more": 1})
    assert error.value.fields == {
        "more": ["Unknown field."],
        "body": ["This field is required."],
        "reply_to": ["Expected `int | null`, got `str`."],
        "mood": ["Expected `str`, got `int`."],
    }
    for given in ([], "text", None, 5):
        with raises_chat_error("invalid", field="non_field_errors"):
            structs.parse(Content, given)


@pytest.mark.parametrize("reply_to", ["seven", "null", "7.0", "1e3", " 7", "٧", "9" * 5000])
def test_reply_to_a_word_in_a_form_is_an_error_and_keeps_the_text(alice, pair, reply_to):
    page = client_of(alice, "en").post(
        reverse("conversations:send", args=[pair.pk]),
        {"key": "k", "body": "To whom?", "reply_to": reply_to},
    )
    assert page.status_code == 400
    assert one(page, "#composer-body").get_text().strip() == "To whom?"
    assert one(page, "input[name=reply_to]")["value"] == ""


# --- fingerprints --------------------------------------------------------------------------------


STORED = json.loads((Path(__file__).parent / "data" / "fingerprints.json").read_text())["rows"]


class Moody(Content, frozen=True):
    """Content with more fields, as a later version may have."""

    mood: str = ""
    urgent: bool = False
    polls: list[int] = msgspec.field(default_factory=list)


@pytest.mark.parametrize("kind", [Content, Moody])
def test_stored_fingerprints_stay_valid(kind):
    """Also with fields that did not exist then, while they have their defaults."""
    for row in STORED:
        content = kind(row["body"], row["reply_to"]).cleaned()
        found = content.fingerprint(row["conversation"], row["secret"])
        assert found.hex() == row["fingerprint"], row


def test_newer_fields_are_part_of_the_fingerprint_as_a_sorted_object(monkeypatch):
    hashed: list[bytes] = []

    class Hash:
        def copy(self) -> Hash:
            return self

        def update(self, text: bytes) -> None:
            hashed.append(text)

        def digest(self) -> bytes:
            return b""

    monkeypatch.setattr("conversations.content._keyed_hash", lambda secret: Hash())
    Moody("Hi", 3, urgent=True, mood="glad", polls=[5, 4]).fingerprint(7, "secret")
    Moody("Hi", mood="").fingerprint(7, "secret")
    assert hashed == [
        b'[7, "Hi", 3, {"mood": "glad", "polls": [5, 4], "urgent": true}]',
        b'[7, "Hi", null]',
    ]


def test_each_value_and_the_secret_change_the_fingerprint():
    found = {
        content.fingerprint(conversation, secret)
        for conversation in (7, 8)
        for secret in ("one", "two")
        for content in (
            *(
                Moody("Hi"),
                Moody("Ho"),
                Moody("Hi", 7),
                Moody("Hi", mood="a"),
                Moody("Hi", mood="b"),
            ),
            *(Moody("Hi", urgent=True), Moody("Hi", polls=[1]), Moody("Hi", polls=[1, 2])),
        )
    }
    assert len(found) == 2 * 2 * 8


def test_repeated_send_is_recognised_after_a_rotation_of_the_secret(alice, pair, settings):
    former, older = settings.SECRET_KEY, "an even older secret " * 3
    settings.SECRET_KEY = older
    oldest = say(alice, pair, "Hello", key="oldest")
    settings.SECRET_KEY = former
    message = say(alice, pair, "Hello", key="k")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new secret " * 5, [former, older]
    for key, stored in (("k", message), ("oldest", oldest)):
        again = actions.send_message(alice, pair.pk, key=key, body="Hello ")
        assert (again.created, again.message) == (False, stored)
        with raises_chat_error("key_reused"):
            actions.send_message(alice, pair.pk, key=key, body="Goodbye")
    settings.SECRET_KEY_FALLBACKS = []
    with raises_chat_error("key_reused"):
        actions.send_message(alice, pair.pk, key="k", body="Hello")


def test_message_of_a_process_with_the_new_secret_is_recognised_before_the_switch(
    alice, pair, settings
):
    """While the key is replaced without downtime, some processes still sign with the old one."""
    old, new = settings.SECRET_KEY, "a new secret " * 5
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = new, [old]
    message = say(alice, pair, "Hello", key="k")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = old, [new]
    assert actions.send_message(alice, pair.pk, key="k", body="Hello").message == message


# --- rendering -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("**Bold** and `a < b`", "Bold and a < b"),
        ("1. one\n2. two\n   - three\n\n7) seven", "1. one\n2. two\nthree\n7. seven"),
        ("[site](https://example.org) <https://example.org/x>", "site https://example.org/x"),
        ("one\ntwo\n\nthree", "one\ntwo\nthree"),
        ("*one*\ntwo\n\nthree", "one\ntwo\nthree"),
        ("> quoted\n\nmine", "quoted\nmine"),
        ("```python\nx = '<b>'\n\ny\n```", "x = '<b>'\n\ny"),
        (r"C:\_new \*not bold\*", r"C:\_new *not bold*"),
        ("![cat](https://example.org/cat.png) &amp; ~~old~~", "!cat &amp; old"),
        (">", ">"),
    ],
)
def test_text_is_what_a_reader_sees(body, text):
    assert render(Content(body)).text == text


def test_render_returns_everything_that_follows_from_the_content():
    assert render(Content("Hi **@Bob** `@Ada`")) == Rendered(
        "<p>Hi <strong>@Bob</strong> <code>@Ada</code></p>",
        "Hi @Bob @Ada",
        ["bob "],
        f"<p>Hi <strong>{CALL}@Bob</strong> <code>@Ada</code></p>",
        "Hi @Bob \n\n",
    )


def test_excerpt_is_stored_with_each_message(alice, bob, pair):
    message = say(alice, pair, "**Hello**\n\n1. " + "word " * 100)
    stored = Message.objects.get(pk=message.pk)
    assert stored.excerpt == message_json(message)["excerpt"]
    assert stored.excerpt.startswith("Hello 1. word")
    assert len(stored.excerpt) <= limits.EXCERPT_MAX
    actions.edit_message(alice, message.pk, "*Changed*")
    assert Message.objects.get(pk=message.pk).excerpt == "Changed"
    actions.delete_message(alice, message.pk)
    assert Message.objects.get(pk=message.pk).excerpt == ""


def test_moderation_empties_the_excerpt(alice, ann, pair):
    message = say(alice, pair, "Hello")
    actions.moderate_delete_message(ann, message.pk)
    assert Message.objects.get(pk=message.pk).excerpt == ""


def test_stored_excerpt_is_not_computed_again(alice, pair, monkeypatch):
    message = say(alice, pair, "**Hello**")
    monkeypatch.setattr(wire.messages, "_line", lambda html: pytest.fail("derived from HTML"))
    reply = say(alice, pair, "Yes?", reply_to=message.pk)
    assert message_json(message)["excerpt"] == message_json(reply)["reply_to"]["excerpt"] == "Hello"


def test_excerpt_of_rows_of_earlier_versions_is_derived(alice, pair):
    message = say(alice, pair, "**Hello**")
    Message.objects.filter(pk=message.pk).update(excerpt=None)
    message.refresh_from_db()
    assert wire.excerpt(message) == "Hello"
    # A process of an earlier version edits and deletes messages of this one during an upgrade.
    rows = Message.objects.filter(pk=message.pk)
    rows.update(excerpt="Hello", body="*Bye*", html="<p><em>Bye</em></p>", renderer=2)
    message.refresh_from_db()
    assert wire.excerpt(message) == "Bye"
    deleted = Message(excerpt="Hello", renderer=markdown.VERSION, deleted_at=message.created_at)
    assert wire.excerpt(deleted) == ""


def test_excerpt_reads_only_the_beginning_of_a_long_text():
    class LongText(str):
        """Fails if it is used as a whole."""

        __slots__ = ()

        def split(self, *args: Any) -> Any:
            raise AssertionError("split as a whole")

    assert excerpt_of(LongText("word " * 800)).endswith("word…")


def test_deletion_empties_every_column_of_the_content():
    columns = {field.name for field in Message._meta.concrete_fields}
    claimed = capabilities.claimed_parts().keys()
    assert set(EMPTY_COLUMNS) == set(Content.__struct_fields__) - {"reply_to"} - claimed
    assert claimed <= columns
    assert set(EMPTY_COLUMNS) <= columns
    assert EMPTY_COLUMNS["body"] == ""


def test_newer_fields_of_content_have_defaults():
    """Fingerprints, forms and frames of clients that don't know a field depend on it."""
    required = [field.name for field in msgspec.structs.fields(Content) if field.required]
    assert required == ["body"]


def test_content_within_a_frame_is_content_alone(alice):
    class Envelope(Content, kw_only=True, frozen=True):
        key: str

    found = Content.within(Envelope("Hi", 5, key="k"))
    assert type(found) is Content
    assert found == Content("Hi", 5)
    with translation.override("en"), raises_chat_error("invalid", field="reply_to"):
        Envelope("Hi", 0, key="k")


def test_excerpts_left_by_a_previous_version_are_emptied(alice, pair):
    """It is still running while this one is being installed, and doesn't know the column."""
    kept, deleted, edited, old = (say(alice, pair, f"Hello {n}") for n in range(4))
    tomb = say(alice, pair, "Hello")
    actions.delete_message(alice, tomb.pk)
    Message.objects.filter(pk=deleted.pk).update(
        body="", html="", fingerprint=None, deleted_at=deleted.created_at
    )
    Message.objects.filter(pk=edited.pk).update(renderer=2)
    Message.objects.filter(pk=old.pk).update(renderer=2, excerpt=None)
    found = deletion.find_former_excerpts()
    assert found == [deleted.pk, edited.pk]
    assert deletion.empty_excerpts(found) == 2
    assert deletion.find_former_excerpts() == []
    assert markdown.EXCERPTS_SINCE == 3  # also in the condition of the index
    stored = dict(Message.objects.filter(kind="text").values_list("pk", "excerpt"))
    expected = {kept.pk: "Hello 0", deleted.pk: None, edited.pk: None, old.pk: None, tomb.pk: ""}
    assert stored == expected


@pytest.mark.django_db
def test_excerpts_left_by_a_previous_version_are_found_by_an_index():
    """Among any number of messages, and without reading them."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # the table is empty
            cursor.execute(f"EXPLAIN {deletion._FORMER_EXCERPTS}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {deletion._FORMER_EXCERPTS}")
            plan = "\n".join(row[3] for row in cursor.fetchall())
    assert "message_former_excerpt" in plan, plan
