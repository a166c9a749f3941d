"""The entrances of conversations, see tests/entrances.py."""

from __future__ import annotations

from typing import Any

from conversations.tests.helpers import new_key
from tests.entrances import Entrance, Scene, of_admin


def _with_other(scene: Scene) -> dict[str, Any]:
    return {"message": scene.of_other.pk}


def _other_page(scene: Scene) -> dict[str, Any]:
    return {"message_id": scene.of_other.pk}


def _rita(scene: Scene) -> dict[str, Any]:
    return {"user": scene.rita.pk}


def _new(scene: Scene) -> dict[str, Any]:
    return {"key": new_key(), "body": "New"}


def _reply(scene: Scene) -> dict[str, Any]:
    return {**_new(scene), "reply_to": scene.of_other.pk}


def _room(scene: Scene) -> dict[str, Any]:
    return {"conversation": scene.conversation.pk}


def _form(**changed: str) -> Any:
    """Return the form of the settings with these changes."""

    def filled(scene: Scene) -> dict[str, Any]:
        conversation = scene.conversation
        now = {
            name: str(getattr(conversation, name))
            for name in (
                "name",
                "topic",
                "access",
                *("posting", "adding", "inviting", "renaming", "mentioning_all", "pinning"),
                "slow_mode",
            )
        }
        now["name"] = now["name"] or "Us"  # of direct messages, to get beyond the form
        return {**now, **{f"was_{name}": value for name, value in now.items()}, **changed}

    return filled


def _moderate(action: str, scene: Scene) -> dict[str, Any]:
    return {"action": action, "user": str(scene.mia.pk), "role": "admin"}


def _selected(action: str, pk: int) -> dict[str, Any]:
    return {"action": action, "_selected_action": [pk], "confirm": "yes"}


_REST = [
    Entrance("api:conversations", "GET", "have-account"),
    Entrance("api:conversations", "POST", "have-account"),
    Entrance("api:browse", "GET", "have-account"),
    Entrance("api:direct", "POST", "have-account"),
    Entrance("api:conversation", "GET", "read"),
    Entrance("api:conversation", "PATCH", "rename", lambda s: {"name": "Orchard"}),
    Entrance("api:conversation", "PATCH", "rename", lambda s: {"topic": "Apples"}),
    Entrance(
        "api:conversation",
        "PATCH",
        "set-access",
        lambda s: {"access": "closed" if s.conversation.is_open else "open"},
    ),
    Entrance("api:conversation", "PATCH", "archive", lambda s: {"archived": True}),
    Entrance("api:conversation", "PATCH", "archive", lambda s: {"archived": False}),
    Entrance("api:conversation", "PATCH", "change-permissions", lambda s: {"posting": "admins"}),
    Entrance("api:conversation", "PATCH", "change-permissions", lambda s: {"slow_mode": 10}),
    Entrance("api:conversation", "DELETE", "delete"),
    Entrance("api:join", "POST", "join"),
    Entrance("api:leave", "POST", "leave"),
    Entrance("api:members", "GET", "read"),
    Entrance("api:members", "POST", "add", lambda s: {"users": [s.carol.pk]}),
    Entrance("api:member", "PATCH", "change-role", lambda s: {"role": "admin"}),
    Entrance("api:member", "DELETE", "remove"),
    Entrance("api:removals", "GET", "allow-to-join"),
    Entrance("api:removal", "DELETE", "allow-to-join", arguments=_rita),
    Entrance("api:read", "POST", "mark-read", lambda s: {"seq": 1}),
    Entrance("api:unread", "POST", "mark-read", lambda s: {"seq": 1}),
    Entrance("api:level", "PATCH", "set-level", lambda s: {"level": "nothing"}),
    Entrance("api:favourite", "PUT", "set-favourite"),
    Entrance("api:favourite", "DELETE", "set-favourite"),
    Entrance("api:messages", "GET", "read"),
    Entrance("api:messages", "POST", "send", _new),
    Entrance("api:messages", "POST", "reply", _reply),
    Entrance("api:message", "GET", "read"),
    Entrance("api:message", "PATCH", "edit-own", lambda s: {"body": "Changed"}),
    Entrance("api:message", "DELETE", "delete-own"),
    Entrance("api:message", "DELETE", "delete-any", arguments=_with_other),
    Entrance("api:reaction", "PUT", "react"),
    Entrance("api:reaction", "DELETE", "react"),
]

_PAGES = [
    *(
        Entrance(f"conversations:{name}", method, "administer")
        for name, method in (
            ("installation", "GET"),
            ("installation", "POST"),
            ("test_mail", "POST"),
        )
    ),
    *(
        Entrance(f"conversations:{name}", "GET", "visit")
        for name in ("manifest", "service_worker", "offline", "script_templates", "help")
    ),
    *(
        Entrance(f"conversations:{name}", "GET", "have-account")
        for name in ("home", "share", "notifications", "browse", "new", "leave_many")
    ),
    Entrance("conversations:new", "POST", "have-account"),
    Entrance("conversations:notifications", "POST", "have-account"),
    Entrance("conversations:leave_many", "POST", "have-account"),
    Entrance("conversations:hide_newcomer", "POST", "have-account"),
    Entrance("conversations:direct", "GET", "have-account"),
    Entrance(
        "conversations:person",
        "GET",
        "have-account",
        arguments=lambda s: {"user_id": s.rita.pk},
    ),
    Entrance("conversations:direct", "POST", "have-account"),
    Entrance("conversations:conversation", "GET", "read", offers_join=True),
    Entrance("conversations:send", "POST", "send", _new),
    Entrance("conversations:send", "POST", "reply", _reply),
    Entrance("conversations:join", "POST", "join"),
    Entrance("conversations:leave", "POST", "leave"),
    Entrance("conversations:settings", "GET", "read"),
    Entrance("conversations:settings", "POST", "rename", _form(name="Orchard")),
    Entrance("conversations:settings", "POST", "rename", _form(topic="Apples")),
    Entrance("conversations:permissions", "POST", "change-permissions", _form(posting="admins")),
    Entrance("conversations:archive", "POST", "archive"),
    Entrance("conversations:unarchive", "POST", "archive"),
    Entrance("conversations:delete", "GET", "delete"),
    Entrance("conversations:delete", "POST", "delete", lambda s: {"name": s.conversation.name}),
    Entrance("conversations:members", "GET", "list-members"),
    Entrance("conversations:dates", "GET", "read"),
    Entrance("conversations:members", "POST", "add", lambda s: {"people": s.carol.pk}),
    Entrance("conversations:remove_member", "POST", "remove"),
    Entrance("conversations:change_role", "POST", "change-role", lambda s: {"role": "admin"}),
    Entrance(
        "conversations:allow_to_join",
        "POST",
        "allow-to-join",
        arguments=lambda s: {"user_id": s.rita.pk},
    ),
    Entrance("conversations:read", "POST", "mark-read", lambda s: {"seq": 1}),
    Entrance("conversations:unread", "POST", "mark-read", lambda s: {"seq": 1}),
    Entrance("conversations:level", "POST", "set-level", lambda s: {"level": "nothing"}),
    Entrance("conversations:favourite", "POST", "set-favourite", lambda s: {"on": "1"}),
    Entrance("conversations:options", "GET", "read"),
    Entrance("conversations:message", "GET", "read", offers_join=True),
    Entrance("conversations:edit", "GET", "edit-own"),
    Entrance("conversations:edit", "POST", "edit-own", lambda s: {"body": "Changed"}),
    Entrance("conversations:delete_message", "GET", "delete-own"),
    Entrance("conversations:delete_message", "POST", "delete-own"),
    Entrance("conversations:delete_message", "GET", "delete-any", arguments=_other_page),
    Entrance("conversations:delete_message", "POST", "delete-any", arguments=_other_page),
    Entrance("conversations:react", "GET", "read"),
    Entrance("conversations:react", "POST", "react", lambda s: {"emoji": "🎉", "on": "1"}),
    Entrance("conversations:react", "POST", "react", lambda s: {"emoji": "🎉", "on": "0"}),
]

_FRAMES = [
    Entrance("frame", "send", "send", lambda s: {**_room(s), **_new(s)}),
    Entrance("frame", "send", "reply", lambda s: {**_room(s), **_reply(s)}),
    Entrance("frame", "read", "mark-read", lambda s: {**_room(s), "seq": 1}),
    Entrance("frame", "typing", "type", _room),
    Entrance("frame", "sync", "read", lambda s: {**_room(s), "version": 0}),
    Entrance("frame", "auth", "have-account", lambda s: {"token": "x"}),
    Entrance("frame", "ping", "have-account"),
]

_MODERATE, _REVEAL = (f"admin:conversations_conversation_{page}" for page in ("moderate", "reveal"))
_ADMIN = [
    *of_admin(
        *("conversations_conversation", "conversations_message", "conversations_reveal"),
        *("changefeed_readerstate", "changefeed_cursor", "changefeed_setasidechange"),
    ),
    Entrance(_MODERATE, "GET", "administer"),
    Entrance(_MODERATE, "POST", "archive", lambda s: _moderate("archive", s)),
    Entrance(_MODERATE, "POST", "archive", lambda s: _moderate("unarchive", s)),
    Entrance(_MODERATE, "POST", "remove", lambda s: _moderate("remove", s)),
    Entrance(_MODERATE, "POST", "change-role", lambda s: _moderate("role", s)),
    Entrance(
        _MODERATE,
        "POST",
        "add",
        lambda s: {"action": "add", "person": str(s.carol.pk)},
    ),
    Entrance(_REVEAL, "GET", "reveal"),
    Entrance(_REVEAL, "POST", "reveal", lambda s: {"reason": "A report"}),
    Entrance(
        "admin:conversations_message_delete",
        "POST",
        "delete-any",
        arguments=lambda s: {"object_id": s.of_other.pk},
        by_effect=True,
    ),
    *(
        Entrance(
            "admin-action",
            f"conversations_conversation.{name}",
            "archive",
            lambda s, name=name: _selected(name, s.conversation.pk),  # type: ignore[misc]
            by_effect=True,
            states=(state, "deleted"),
        )
        for name, state in (("archive_selected", "active"), ("unarchive_selected", "archived"))
    ),
    Entrance(
        "admin-action",
        "conversations_message.delete_selected",
        "delete-any",
        lambda s: _selected("delete_selected", s.of_other.pk),
        by_effect=True,
    ),
]

_CHANGE_FEED = [
    Entrance("admin-action", f"changefeed_{name}", "administer")
    for name in (
        *("readerstate.stop", "readerstate.continue_reading"),
        *("cursor.try_again", "setasidechange.try_again"),
    )
]

ENTRANCES = [*_REST, *_PAGES, *_FRAMES, *_ADMIN, *_CHANGE_FEED]
