"""Notices: the system messages of a conversation.

`Message.data` of a notice, by kind (with ids and names as they were at the time):
    left, created, archived, unarchived   {}
    joined             {}, or who invited them: {"joined": "invited", "user": id, "name": "Bob"}
    added, removed     {"user": id, "name": "Bob"}
    role               {"user": id, "name": "Bob", "role": "admin"}
    renamed, topic     {"old": "...", "new": "..."}
    permissions        {"setting": "posting", "old": "everyone", "new": "admins"}: see permissions.py;
                       of "slow_mode", the values are seconds
    access             {"access": "open"}
    pinned             {"message": id}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Data = dict[str, Any]

# What is in place of each name until a sentence is split at them. No text that is stored has noncharacters.
NAMES = ("\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3")
_NAME_OR_WORDS = re.compile("([" + "".join(NAMES) + "])")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sentence: the name of a `person`, by their id, or other words."""

    text: str
    person: int | None = None


# By kind, or by kind and new value where the sentences differ: see _name().
_SENTENCES = {
    "created": _("%(who)s created this conversation."),
    "joined": _("%(who)s joined."),
    "joined.several": pgettext_lazy("several people", "%(who)s joined."),
    "joined.invited": _("%(who)s joined with an invitation from %(whom)s."),
    "left": _("%(who)s left."),
    "left.several": pgettext_lazy("several people", "%(who)s left."),
    "added": _("%(who)s added %(whom)s."),
    "removed": _("%(who)s removed %(whom)s."),
    "role.owner": _("%(who)s made %(whom)s an owner."),
    "role.admin": _("%(who)s made %(whom)s an admin."),
    "role.member": _("%(who)s made %(whom)s a member."),
    "renamed": _("%(who)s renamed the conversation to “%(new)s”."),
    "topic": _("%(who)s set the topic: %(new)s"),
    "topic.none": _("%(who)s removed the topic."),
    "access.open": _("%(who)s made this conversation public."),
    "access.closed": _("%(who)s made this conversation private."),
    "permissions.posting.admins": _("%(who)s allowed only admins to post."),
    "permissions.posting.everyone": _("%(who)s allowed everyone to post."),
    "permissions.adding.admins": _("%(who)s allowed only admins to add people."),
    "permissions.adding.everyone": _("%(who)s allowed everyone to add people."),
    "permissions.inviting.admins": _("%(who)s allowed only admins to invite people."),
    "permissions.inviting.everyone": _("%(who)s allowed everyone to invite people."),
    "permissions.renaming.admins": _(
        "%(who)s allowed only admins to change the name and the topic."
    ),
    "permissions.renaming.everyone": _(
        "%(who)s allowed everyone to change the name and the topic."
    ),
    "permissions.mentioning_all.admins": _("%(who)s allowed only admins to use @all."),
    "permissions.mentioning_all.everyone": _("%(who)s allowed everyone to use @all."),
    "permissions.pinning.admins": _("%(who)s allowed only admins to pin messages."),
    "permissions.pinning.everyone": _("%(who)s allowed everyone to pin messages."),
    "permissions.slow_mode": _(
        "%(who)s turned on slow mode: one message per %(new)s s and person."
    ),
    "permissions.slow_mode.0": _("%(who)s turned off slow mode."),
    "archived": _("%(who)s archived this conversation."),
    "unarchived": _("%(who)s unarchived this conversation."),
    "pinned": _("%(who)s pinned a message."),
}
# For kinds that a newer version has stored: it runs at the same time, or ran here before a downgrade.
_UNKNOWN = _("%(who)s did something this version of Chatty doesn’t support.")


def sentence(kind: str, *, author: str | None, data: Data) -> str:
    """Return the text of a notice, such as "Alice added Bob.". `author`: None if there is no person."""
    if kind == "text":
        raise ValueError("text messages have no notice sentence")
    return str(_SENTENCES.get(_name(kind, data), _UNKNOWN)) % {
        "who": author or "Chatty",
        "whom": data.get("name", ""),
        "new": data.get("new", ""),
    }


def sentence_parts(kind: str, *, author: Part | None, data: Data) -> list[Part]:
    """Return the same as sentence(), in parts."""
    who, whom, *_rest = NAMES
    marked = sentence(kind, author=who if author else None, data={**data, "name": whom})
    return split(marked, [author, Part(data.get("name", ""), data.get("user"))])


def split(marked: str, names: Sequence[Part | None]) -> list[Part]:
    """Return the parts of a sentence that has NAMES in place of these names."""
    by_mark = dict(zip(NAMES, names, strict=False))
    pieces = filter(None, _NAME_OR_WORDS.split(marked))
    return [by_mark.get(piece) or Part(piece) for piece in pieces]


def patterns() -> dict[str, str]:
    """Return all sentences by name, with {placeholders}, for scripts. An event is encoded once for people
    of all languages, so each page renders its notices in its own (static/js/views/i18n.js)."""
    gaps = {name: f"{{{name}}}" for name in ("who", "whom", "new")}
    return {name: str(pattern) % gaps for name, pattern in _SENTENCES.items()}


def _name(kind: str, data: Data) -> str:
    match kind:
        case "role" | "access":
            return f"{kind}.{data.get(kind)}"
        case "topic" if not data.get("new"):
            return "topic.none"
        case "permissions" if data.get("setting") == "slow_mode" and data.get("new"):
            return "permissions.slow_mode"
        case "permissions":
            return f"permissions.{data.get('setting')}.{data.get('new')}"
        case "joined" | "left" if data.get(kind):
            return f"{kind}.{data[kind]}"
    return kind


def person_of_run(kind: str, *, author: Part | None, data: Data) -> Part | None:
    """Return the person that changes within a run of notices that are shown as one, None for other kinds:
    "Ann added Ben, Cy and 3 others". See static/js/views/notices.js."""
    if kind in ("joined", "left"):
        return author
    if kind in ("added", "removed") and data.get("name"):
        return Part(data["name"], data.get("user"))
    return None


def sentence_of_run(kind: str, people: str, *, author: str | None, several: bool) -> str:
    """Return the text of a run. `people`: the names that change. `several`: whether there are two or more."""
    if kind in ("joined", "left"):
        return sentence(kind, author=people, data={kind: "several"} if several else {})
    return sentence(kind, author=author, data={"name": people})


def people_gone(kind: str, *, author_id: int | None, data: Data) -> tuple[int, ...]:
    """Return the ids of users who are no longer members after this notice."""
    if kind == "removed":
        return (data["user"],)
    if kind == "left" and author_id is not None:
        return (author_id,)
    return ()
