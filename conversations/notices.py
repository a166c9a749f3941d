"""Notices: the entries of a conversation's log that say what happened to it.

`Message.data` of a notice, by kind (ids and names as they were then):
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


# By kind, and by what it came to where that makes another sentence: see _name.
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
# A newer version runs beside this one, or ran here before: what it wrote can still be read past.
_UNKNOWN = _("%(who)s did something this version of Chatty doesn’t support.")


def sentence(kind: str, *, author: str | None, data: Data) -> str:
    """Return the notice in words: "Alice added Bob.". `author` None: the installation did it."""
    if kind == "text":
        raise ValueError("no sentence for what people wrote themselves")
    return str(_SENTENCES.get(_name(kind, data), _UNKNOWN)) % {
        "who": author or "Chatty",
        "whom": data.get("name", ""),
        "new": data.get("new", ""),
    }


def patterns() -> dict[str, str]:
    """Return every sentence by its name, with {gaps}, for scripts: one event goes to people of all
    languages, so a page says what happened in its own (static/js/views/i18n.js)."""
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
    """Return the ids of users who are no longer members once this notice has been passed."""
    if kind == "removed":
        return (data["user"],)
    if kind == "left" and author_id is not None:
        return (author_id,)
    return ()
