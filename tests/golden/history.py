"""Messages for golden cases, from what clients get, and their rows as the server draws them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from bs4 import Tag
from django.utils import translation

from accounts.models import User
from conversations import markdown, wire
from conversations.mentions import EVERYONE
from conversations.models import Conversation, Membership, Message
from tests.html import parse


def message_of(given: dict[str, Any]) -> Message:
    """Return the message that is sent like this, without a database."""
    message = Message(
        pk=given["id"],
        conversation_id=given["conversation"],
        seq=given["seq"],
        version=given["version"],
        kind=given["kind"],
        author=_user_of(given["author"]),
        key=given["key"],
        body=given["body"],
        html=given["html"],
        data=given["notice"] and given["notice"]["data"],
        mentions=[EVERYONE] * given.get("mentions_all", False) + given["mentions"] or None,
        files=given.get("files"),
        pinned=_pinned(given),
        reply_to=_quoted(given["reply_to"]),
        created_at=datetime.fromisoformat(given["created_at"]),
        edited_at=_moment(given["edited_at"]),
        deleted_at=_moment(given["deleted_at"]),
    )
    message.reacted, message.reactors = _reactions(given["reactions"])
    if message.pinned:
        message.pinned_by = given["pinned"]["user"]["name"]
    with translation.override("en"):
        assert msgspec.to_builtins(wire.message_to_wire(message)) == given
    return message


def membership_of(
    reader: int, *, archived: bool = False, time_format: str = "language"
) -> Membership:
    at = datetime.fromisoformat("2026-11-01T12:00:00Z")
    conversation = Conversation(pk=7, name="Garden", archived_at=at if archived else None)
    user = User(pk=reader, name="Me", time_format=time_format)
    return Membership(user=user, conversation=conversation)


def normalised(html: str) -> str:
    """Return the HTML of one element with its attributes and classes in order."""
    (element,) = parse(html).select("body > *")
    for each in [element, *element.find_all(True)]:
        assert isinstance(each, Tag)
        in_order = sorted(each.attrs.items())
        each.attrs.clear()
        for name, value in in_order:
            each[name] = " ".join(sorted(value)) if name == "class" else value
    return str(element)


def _user_of(person: dict[str, Any] | None) -> User | None:
    if person is None:
        return None
    picture = person["picture"].rstrip("/").rpartition("/")[2] if person["picture"] else ""
    return User(pk=person["id"], name=person["name"], chosen_hue=person["hue"], picture=picture)


def _quoted(given: dict[str, Any] | None) -> Message | None:
    if given is None:
        return None
    return Message(
        pk=given["id"],
        seq=given["seq"],
        version=given["version"],
        author=_user_of(given["author"]),
        excerpt=given["excerpt"],
        renderer=markdown.VERSION,
        deleted_at=datetime.fromisoformat("2026-11-29T12:00:00Z") if given["deleted"] else None,
    )


def _reactions(given: list[dict[str, Any]]) -> tuple[list[tuple[str, int]], dict[int, str]]:
    """Return (emoji, user id) of each reaction, and the names. People who are only counted have high ids."""
    reacted = []
    names: dict[int, str] = {}
    for group in given:
        others = range(10_000, 10_000 + group["count"] - len(group["users"]))
        reacted += [(group["emoji"], pk) for pk in [*group["users"], *others]]
        names |= dict(zip(group["users"], group["names"], strict=False))
    return reacted, names


def _pinned(given: dict[str, Any]) -> dict[str, Any] | None:
    pinned = given.get("pinned")
    return pinned and {"by": pinned["user"]["id"], "at": pinned["at"]}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
