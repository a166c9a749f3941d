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

from django.utils.translation import gettext as _

Data = dict[str, Any]


def sentence(kind: str, *, author: str | None, data: Data) -> str:
    """Return the notice in words: "Alice added Bob.". `author` None: the installation did it."""
    who = author or _("Chatty")
    whom = data.get("name", "")
    match kind:
        case "created":
            return _("%(who)s opened this conversation.") % {"who": who}
        case "joined":
            return _("%(who)s joined.") % {"who": who}
        case "left":
            return _("%(who)s left.") % {"who": who}
        case "added":
            return _("%(who)s added %(whom)s.") % {"who": who, "whom": whom}
        case "removed":
            return _("%(who)s removed %(whom)s.") % {"who": who, "whom": whom}
        case "role":
            return _role_sentence(data["role"]) % {"who": who, "whom": whom}
        case "renamed":
            return _("%(who)s renamed the conversation to “%(name)s”.") % {
                "who": who,
                "name": data["new"],
            }
        case "topic" if data["new"]:
            return _("%(who)s set the topic: %(topic)s") % {"who": who, "topic": data["new"]}
        case "topic":
            return _("%(who)s removed the topic.") % {"who": who}
        case "access" if data["access"] == "open":
            return _("%(who)s opened this conversation to everybody.") % {"who": who}
        case "access":
            return _("%(who)s closed this conversation: by invitation only.") % {"who": who}
        case "archived":
            return _("%(who)s archived this conversation.") % {"who": who}
        case "unarchived":
            return _("%(who)s took this conversation out of the archive.") % {"who": who}
    raise ValueError(f"no sentence for a notice of kind {kind}")


def _role_sentence(role: str) -> str:
    return {
        "owner": _("%(who)s made %(whom)s an owner."),
        "admin": _("%(who)s made %(whom)s an admin."),
        "member": _("%(who)s made %(whom)s a member."),
    }[role]


def people_gone(kind: str, *, author_id: int | None, data: Data) -> tuple[int, ...]:
    """Return the ids of users who are no longer members once this notice has been passed."""
    if kind == "removed":
        return (data["user"],)
    if kind == "left" and author_id is not None:
        return (author_id,)
    return ()
