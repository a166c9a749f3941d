"""The results of each rule in Python, for the inputs of its golden cases.

Each function has the name of its file. tests/js/golden.js does the same with the scripts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from types import SimpleNamespace
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import msgspec
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import ngettext

from accounts import queries as account_queries
from accounts.models import User
from accounts.quiet_hours import QuietHours
from chatty.common.errors import ChatError
from chatty.common.text import CJK, clean_body, fold_loosely
from conversations import access, emoji, limits, mentions, notices, permissions, protocol, queries
from conversations.attachments import limits as attachment_limits
from conversations.content import Content, render
from conversations.models import Conversation, Membership, Message
from conversations.web import avatars, moments, newcomers, presence, rows, sidebar, timeline
from conversations.web import files as web_files
from conversations.wire import ConversationOut, LastFileOut
from docs.examples.chatty_client import Room
from tests.cast import create_extra
from tests.golden.files import Rule
from tests.golden.history import membership_of, message_of, normalised

RULES: dict[str, Rule] = {}

_NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
_PROBLEMS = {
    "password_too_short": "short",
    "password_entirely_numeric": "numeric",
    "password_too_similar": "similar",
    "password_too_common": "common",
}
_SHOWN = 100  # code points: of a longer text, only the length is compared


def _rule(function: Rule) -> Rule:
    RULES[function.__name__] = function
    return function


# --- texts ---------------------------------------------------------------------------------------


@_rule
def bodies(parts: list[Any]) -> dict[str, Any]:
    """The text of a message as it is stored. `parts`: strings, or [string, times]."""
    text = "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)
    try:
        body = clean_body(text, max_length=limits.BODY_MAX)
    except ChatError as error:
        return {"error": error.code}
    return {"body": body} if len(body) <= _SHOWN else {"length": len(body)}


@_rule
def excerpts(body: str) -> str:
    """The beginning of a message, which the server sends and scripts show in quotes as it is."""
    return render(Content(body)).excerpt


@_rule
def word_characters(text: str) -> list[bool]:
    """Which of these characters are a part of a word, so that nothing begins within it."""
    return [bool(re.fullmatch(f"(?![{CJK}])\\w", each)) for each in text]


@_rule
def only_emoji(body: str) -> bool:
    """Whether a message is shown larger."""
    return emoji.is_only_emoji(body)


@_rule
def custom_emoji(case: Any) -> dict[str, Any]:
    """Which names in a text are shown as pictures: every second part. And whether these are larger."""
    text, known = case["text"], case["known"]
    only = emoji.is_only_custom_emoji(text, known)
    return {"parts": emoji.split_names(text, known), "only": only}


@_rule
def long_bodies(parts: list[Any]) -> bool:
    """Whether only the beginning of a message is shown at first. `parts`: as of bodies()."""
    return timeline.is_long(
        "".join(part if isinstance(part, str) else part[0] * part[1] for part in parts)
    )


@_rule
def passwords(given: dict[str, str]) -> list[str]:
    """Why a new password is refused. Scripts don't know which are common, and call none of these good."""
    user = User(name=given["name"], email=given["email"])
    try:
        validate_password(given["password"], user)
    except ValidationError as error:
        return sorted(_PROBLEMS[str(each.code)] for each in error.error_list)
    return []


# --- names ---------------------------------------------------------------------------------------


@_rule
def initials(name: str) -> str:
    return avatars.initials(name)


@_rule
def same_names(given: dict[str, str]) -> bool:
    """Whether "@" and `call` mention a member with this `name`: they are equal but for case."""
    name, call = (unicodedata.normalize("NFC", given[key]) for key in ("name", "call"))
    return mentions.fold(name) == mentions.fold(call)


@_rule
def mention_starts(text: str) -> bool:
    """Whether a name after this text, whose last character is "@", is a mention."""
    calls = mentions.find_calls(f"{text}Zoë")
    return mentions.MemberNames([(1, "Zoë")]).find(calls) is not None


@_rule
def mentioned_people(given: dict[str, Any]) -> list[str]:
    """Whom a message mentions. Scripts suggest `suggested` at its end: names that are not complete yet."""
    members = mentions.MemberNames(enumerate(given["names"], 1))
    found = members.find(render(Content(given["text"])).calls)
    return [given["names"][number - 1] for number in found.ids] if found else []


@_rule
def everyone_called(given: dict[str, Any]) -> bool:
    """Whether a message mentions everyone, if its author may. Scripts look at the text before it is sent."""
    calls = render(Content(given["text"])).calls
    people = mentions.MemberNames(enumerate(given["names"], 1)).find(calls)
    found = mentions.with_everyone(calls, people)
    return found is not None and mentions.EVERYONE in found.ids


@_rule
def loose_names(name: str) -> str:
    return fold_loosely(name)


@_rule
def people_found(given: dict[str, str]) -> bool:
    """Whether the server finds a person with this `name`. Scripts must not leave them out."""
    with _discarded():
        create_extra(given["name"])
        return account_queries.find_people(given["text"]).exists()


# --- conversations in the sidebar ----------------------------------------------------------------


@_rule
def levels(given: dict[str, Any]) -> dict[str, Any]:
    """The notification level in force. `given`: of a conversation, with the seqs of unread mentions."""
    conversation = msgspec.structs.replace(sidebar.BLANK_ITEM.conversation, **given)
    item = replace(sidebar.BLANK_ITEM, conversation=conversation)
    return {"level": item.level_in_force, "quiet": item.is_quiet}


@_rule
def quiet_hours(given: dict[str, Any]) -> bool:
    """Whether it is one of someone's quiet hours. `at`: a moment."""
    hours = QuietHours(given["start"], given["end"], given["zone"])
    return hours.include(datetime.fromisoformat(given["at"]))


@_rule
def can(given: dict[str, Any]) -> dict[str, Any]:
    """What a member can do, and what the page knows of the permission table to find that out."""
    settings = {name: given[name] for name in permissions.settings()}
    at = _NOW if given["archived"] else None
    conversation = Conversation(
        kind=given["kind"], access=given["access"], archived_at=at, **settings
    )
    return {
        "can": access.can(Membership(role=given["role"], conversation=conversation)),
        "words": access.words_by_role(conversation)[given["role"]],
        "in_archive": access.words_in_archive(conversation),
    }


@_rule
def sidebar_rows(given: dict[str, Any]) -> str:
    """The section and the whole row of a conversation as person 1 gets them. No one is online. `open`: its
    page is shown."""
    unshown: dict[str, Any] = {"posting": "everyone", "adding": "admins", "inviting": "admins"}
    unshown |= {"renaming": "admins", "mentioning_all": "everyone", "pinning": "everyone"}
    unshown |= {"slow_mode": 0, "can": []}
    conversation = msgspec.convert({**unshown, **given["conversation"]}, ConversationOut)
    url = f"/c/{conversation.id}/"
    item = sidebar.SidebarItem(
        conversation,
        url,
        is_current=given["open"],
        is_online=False,
        reader_id=1,
        today=_NOW.date(),
    )
    with (
        translation.override(given["language"]),
        timezone.override(UTC),
    ):
        return f"{item.section}: {normalised(rows.draw('sidebar_row', row=item))}"


@_rule
def short_moments(given: dict[str, str]) -> str:
    """When the last message was written, as a row of the sidebar shows it."""
    at, now = (datetime.fromisoformat(given[key]) for key in ("at", "now"))
    with translation.override(given["language"]), timezone.override(ZoneInfo(given["zone"])):
        return moments.short_text(at, timezone.localdate(now), given.get("format", ""))


@_rule
def unread(given: dict[str, Any]) -> dict[str, Any]:
    """What is unread after the read mark `read`. `entries`: {by, kind, deleted, mentions, times}, where `by`
    and mentions are "me" or "other", and mentions can be "all"."""
    with _discarded():
        people = {name: create_extra(name) for name in ("me", "other")}
        membership = _store(given, people)
        row = queries.sidebar_row(people["me"], membership.conversation_id)
        assert row is not None
        return {
            "unread": row.unread,
            "more": row.unread_more,
            "mentions": row.mentions,
            "first": queries.first_unread_seq(membership),
        }


def _store(given: dict[str, Any], people: dict[str, User]) -> Membership:
    """Store a conversation with these entries, and return the membership of "me"."""
    me, other = people["me"], people["other"]
    ids = {"me": me.pk, "other": other.pk, "all": mentions.EVERYONE}
    is_direct = given["kind"] == "direct"
    entries = [entry for entry in given["entries"] for _ in range(entry.get("times", 1))]
    conversation = Conversation.objects.create(
        kind=given["kind"],
        name="" if is_direct else "Garden",
        direct_key=f"{me.pk}-{other.pk}" if is_direct else None,
        created_at=_NOW,
        last_text_at=_NOW,
        last_seq=len(entries),
        version=len(entries),
    )
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            seq=seq,
            version=seq,
            kind=entry.get("kind", "text"),
            author=people[entry["by"]],
            key=None if "kind" in entry else f"key-{seq}",
            body="" if entry.get("deleted") or "kind" in entry else "Hello",
            mentions=[ids[name] for name in entry.get("mentions", ())] or None,
            created_at=_NOW,
            deleted_at=_NOW if entry.get("deleted") else None,
        )
        for seq, entry in enumerate(entries, 1)
    )
    return Membership.objects.create(
        conversation=conversation, user=me, joined_at=_NOW, last_read_seq=given["read"]
    )


# --- people who are online and who have read -----------------------------------------------------


@_rule
def read_receipts(given: dict[str, Any]) -> dict[str, Any]:
    """Who has seen my message `seq`. `others`: {name, read, late}, where `late` members joined after it."""
    message = Message(seq=given["seq"], created_at=_NOW)
    people = [
        Membership(
            user=User(pk=pk, name=other["name"], chosen_hue=other.get("hue")),
            last_read_seq=other["read"],
            joined_at=_NOW + timedelta(days=1 if other.get("late") else -1),
        )
        for pk, other in enumerate(given["others"], 2)
    ]
    participants = presence.Participants(
        people, set(), len(people) + 1, is_direct=given["kind"] == "direct"
    )
    with translation.override(given["language"]):
        receipt = presence.read_receipt(participants, message)
    return {
        "participants": msgspec.to_builtins(presence.participants_data(participants, message)),
        "text": receipt.text if receipt else None,
        "title": receipt.names if receipt else None,
        "faces": [f"{face.initials}{face.hue}" for face in receipt.faces] if receipt else None,
        "more": receipt.more if receipt else None,
    }


@_rule
def online(given: dict[str, Any]) -> dict[str, Any]:
    """The summary of who is online: the `names` of others, and the reader."""
    people = [Membership(user=User(pk=pk, name=name)) for pk, name in enumerate(given["names"], 2)]
    everyone = {other.user_id for other in people}
    participants = presence.Participants(people, everyone, len(people) + 1, is_direct=False)
    with translation.override(given["language"]):
        summary = presence.online_summary(participants)
    return {"text": summary.text, "title": summary.names}


@_rule
def file_cards(given: dict[str, Any]) -> dict[str, str]:
    """The letters and the size on the card of a file."""
    with translation.override(given["language"]):
        return {
            "label": web_files.label(given["name"]),
            "size": web_files.size_text(given["size"]),
        }


@_rule
def file_previews(given: dict[str, Any]) -> list[str] | None:
    """What the list of conversations says about a message with these `files`: [kind, type, duration] each."""
    with translation.override(given["language"]):
        found = web_files.preview([LastFileOut(*each) for each in given["files"]])
        return found and list(found)


@_rule
def with_others(given: dict[str, Any]) -> bool:
    """Whether a conversation is a direct message with others. `other`: a person's id or null."""
    other = given["other"] and SimpleNamespace(id=given["other"])
    conversation: Any = SimpleNamespace(kind=given["kind"], unnamed=given["unnamed"], other=other)
    return newcomers.is_with_others(conversation, given["reader"])


@_rule
def counts(given: dict[str, Any]) -> str:
    """Numbers of things, in words."""
    number = given["number"]
    with translation.override(given["language"]):
        match given["of"]:
            case "people":
                return ngettext("%(counter)s person", "%(counter)s people", number) % {
                    "counter": number
                }
            case _:
                return ngettext(
                    "%(counter)s%(more)s new message", "%(counter)s%(more)s new messages", number
                ) % {"counter": number, "more": given.get("more", "")}


# --- the history ---------------------------------------------------------------------------------


@_rule
def notice_sentences(given: dict[str, Any]) -> str:
    """The sentence of a notice: `kind`, `author` (a name or null), and `data`."""
    with translation.override(given["language"]):
        return notices.sentence(given["kind"], author=given["author"], data=given["data"])


@_rule
def timelines(given: dict[str, Any]) -> list[str]:
    """Days, groups of messages and the "New" line. `messages`: [seq, author's id, moment, kind] each."""
    messages = [
        Message(
            pk=seq,
            seq=seq,
            version=seq,
            kind=kind[0] if kind else "text",
            author=by and User(pk=by, name=f"P{by}"),
            created_at=datetime.fromisoformat(at),
        )
        for seq, by, at, *kind in given["messages"]
    ]
    for message in messages:
        message.reacted = []
    with (
        translation.override(given["language"]),
        timezone.override(ZoneInfo(given["zone"])),
        mock.patch.object(timezone, "now", return_value=datetime.fromisoformat(given["now"])),
    ):
        membership = membership_of(1, time_format=given.get("format", "language"))
        entries = timeline.entries(messages, membership, first_unread=given.get("new"))
    return [_in_short(entry) for entry in entries]


def _in_short(entry: timeline.Entry) -> str:
    match entry:
        case timeline.Day():
            return f"{entry.iso}: {entry.label}"
        case timeline.NewLine():
            return "New"
        case timeline.MessageRow(is_continued=True):
            return f"#{entry.seq} {entry.clock}, continued"
    return f"#{entry.seq} {entry.clock}"


@_rule
def notice_runs(given: dict[str, Any]) -> list[str]:
    """What is shown of notices: the summary of a run, "" for the others in it, with links to people in
    brackets. `notices`: [kind, author, name, day] each; "New" for the New line."""
    entries = [each for each in given["notices"] if each != "New"]
    unread = next((n for n, each in enumerate(given["notices"], 1) if each == "New"), None)
    messages = [
        Message(
            pk=seq,
            seq=seq,
            kind=kind,
            author=User(pk=sum(map(ord, author)), name=author),
            data={"name": name, "user": sum(map(ord, name))} if name else {},
            created_at=_NOW + timedelta(days=day),
        )
        for seq, (kind, author, name, day) in enumerate(entries, 1)
    ]
    with translation.override(given["language"]), timezone.override(ZoneInfo("UTC")):
        shown = timeline.entries(messages, membership_of(1), first_unread=unread)
    return [
        "".join(
            f"[{part.text}]" if part.person else part.text
            for part in each.summary or (() if each.is_folded else each.text)
        )
        for each in shown
        if isinstance(each, timeline.Notice)
    ]


@_rule
def message_rows(given: dict[str, Any]) -> str:
    """The whole row of a message as clients get it, as its `reader` sees it."""
    reader = given["reader"]
    message = message_of(given["message"])
    with (
        translation.override(reader["language"]),
        timezone.override(ZoneInfo(reader["zone"])),
    ):
        membership = membership_of(reader["id"], archived=reader["archived"])
        _day, row = timeline.entries([message], membership, first_unread=None)
        return normalised(rows.draw(row.template, entry=row))


@_rule
def event_orders(given: dict[str, Any]) -> dict[str, Any]:
    """The state of a client after these events: late, twice, out of order, or with gaps.

    A message is [id, version, text, quote]; a quote is [id, version, text]. Deleted ones have no text.
    """
    room = Room()
    for kind, *about in [["page", *given["page"]], *given["events"]]:
        match kind:
            case "message":
                (message,) = about
                room.apply_message({"version": message[1], "message": _message_of_event(message)})
            case "synced":
                start, version, messages = about
                messages = [_message_of_event(message) for message in messages]
                room.apply_synced({"from": start, "version": version, "messages": messages})
            case "page":
                position, messages = about
                messages = [_message_of_event(message) for message in messages]
                room.replace({"position": position, "messages": messages})
    messages = sorted(room.messages.values(), key=itemgetter("seq"))
    return {
        "position": room.position,
        "behind": room.is_behind,
        "messages": [
            [*_event_of(each, each["deleted_at"]), _quote_in(each["reply_to"])] for each in messages
        ],
    }


def _message_of_event(given: list[Any]) -> dict[str, Any]:
    number, version, text, quoted = given
    return {
        **_quoted_event(number, version, text),
        "kind": "text",
        "key": None,
        "mentions": [],
        "deleted_at": None if text is not None else "2026-11-29T12:00:00.000Z",
        "reply_to": quoted and {**_quoted_event(*quoted), "deleted": quoted[2] is None},
    }


def _quoted_event(number: int, version: int, text: str | None) -> dict[str, Any]:
    author = {"id": 2, "name": "Bob"}
    return {
        "id": number,
        "seq": number,
        "version": version,
        "author": author,
        "excerpt": text or "",
    }


def _event_of(given: dict[str, Any], deleted: object) -> list[Any]:
    return [given["id"], given["version"], None if deleted else given["excerpt"]]


def _quote_in(quote: dict[str, Any] | None) -> list[Any] | None:
    return _event_of(quote, quote["deleted"]) if quote else None


@_rule
def constants(name: str) -> Any:
    """Numbers and names of the protocol and of limits."""
    if name == "UPLOAD_PIECE_MAX":
        return attachment_limits.PIECE_MAX
    return getattr(protocol if hasattr(protocol, name) else limits, name)


@contextmanager
def _discarded() -> Iterator[None]:
    """A transaction that is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
