"""Notices: the system messages of a conversation.

`Message.data` of a notice, by kind (with ids and names as they were at the time):
    joined, left, created, archived, unarchived   {}
    added, removed     {"user": id, "name": "Bob"}
    role               {"user": id, "name": "Bob", "role": "admin"}
    renamed, topic     {"old": "...", "new": "..."}
    access             {"access": "open"}
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

Data = dict[str, Any]


# By kind, or by kind and new value where the sentences differ: see _name().
_SENTENCES = {
    "created": _("%(who)s created this conversation."),
    "joined": _("%(who)s joined."),
    "left": _("%(who)s left."),
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
    "archived": _("%(who)s archived this conversation."),
    "unarchived": _("%(who)s unarchived this conversation."),
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
    return kind


def people_gone(kind: str, *, author_id: int | None, data: Data) -> tuple[int, ...]:
    """Return the ids of users who are no longer members after this notice."""
    if kind == "removed":
        return (data["user"],)
    if kind == "left" and author_id is not None:
        return (author_id,)
    return ()
