"""The permission table: who can do what, in which kind of conversation, in which state.

Every check, button and `can` of the API follows from these rows, and so does docs/permissions.md. The test
tests/test_permissions.py compares every route, page, frame and admin action with them.

A row says what is possible in general. What depends on one message or one person (its author, the last
owner) is decided in access.py. Capabilities add rows with capabilities.register_action().
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

# Who is asking. `former`: someone who was removed; someone who left is an outsider again. `staff`: an
# administrator in the admin site. Elsewhere, administrators have the role of their membership.
ANONYMOUS, OUTSIDER, FORMER = "anonymous", "outsider", "former"
MEMBER, ADMIN, OWNER = "member", "admin", "owner"
STAFF = "staff"
ROLES = (ANONYMOUS, OUTSIDER, FORMER, MEMBER, ADMIN, OWNER, STAFF)
MEMBERS = frozenset({MEMBER, ADMIN, OWNER})
ADMINS = frozenset({ADMIN, OWNER})
OWNERS = frozenset({OWNER})
OUTSIDERS = frozenset({OUTSIDER, FORMER})
ADMINISTRATORS = frozenset({STAFF})
SIGNED_IN = frozenset(ROLES) - {ANONYMOUS}

DIRECT, PRIVATE, PUBLIC = "direct", "private", "public"
KINDS = (DIRECT, PRIVATE, PUBLIC)
GROUPS = frozenset({PRIVATE, PUBLIC})

ACTIVE, ARCHIVED, DELETED = "active", "archived", "deleted"
STATES = (ACTIVE, ARCHIVED, DELETED)
LIVING = frozenset({ACTIVE, ARCHIVED})

# Values of a setting: who of the members can do what it is about.
EVERYONE, ONLY_ADMINS = "everyone", "admins"


@dataclass(frozen=True, slots=True)
class Grant:
    """These people can do it in conversations of these kinds, in these states."""

    who: frozenset[str]
    kinds: frozenset[str] = frozenset(KINDS)
    states: frozenset[str] = frozenset({ACTIVE})


@dataclass(frozen=True, slots=True)
class Action:
    """A row of the table.

    `setting`: the field of Conversation that can restrict it to admins. `is_word`: pages and the API list it
    among what the reader can do. `about_conversation`: False for what concerns no conversation; then kinds
    and states don't matter.
    """

    name: str
    description: str
    grants: tuple[Grant, ...]
    setting: str = ""
    is_word: bool = True
    about_conversation: bool = True

    def refusal(self, role: str, kind: str, state: str) -> str | None:
        """Return the code of the error, None if it is allowed (by default, see `setting`)."""
        if any(
            role in grant.who and kind in grant.kinds and state in grant.states
            for grant in self.grants
        ):
            return None
        if role == ANONYMOUS:
            return "unauthenticated"
        if state == DELETED:
            return "not_found"
        if role in OUTSIDERS:
            return self._refusal_of_outsiders(role, kind)
        granted = [grant for grant in self.grants if grant.who & (MEMBERS | ADMINISTRATORS)]
        if not any(kind in grant.kinds for grant in granted):
            return "direct_fixed"
        if not any(role in grant.who and kind in grant.kinds for grant in granted):
            return "not_allowed"
        return "archived"

    def _refusal_of_outsiders(self, role: str, kind: str) -> str:
        offered = any(OUTSIDER in grant.who and kind in grant.kinds for grant in self.grants)
        if not offered:
            return "not_found"  # as if it didn't exist: see access.py
        return "removed" if role == FORMER else "archived"


def _row(name: str, description: str, *grants: Grant, setting: str = "") -> Action:
    return Action(name, description, grants, setting)


def _own(name: str, description: str, *grants: Grant) -> Action:
    """Return a row that every member can use at any time. No button depends on it."""
    return Action(name, description, grants, is_word=False)


def _general(name: str, description: str, who: frozenset[str]) -> Action:
    return Action(name, description, (Grant(who),), is_word=False, about_conversation=False)


_ANY_TIME = Grant(MEMBERS, states=LIVING)
_WRITE = Grant(MEMBERS)
_MANAGE = Grant(ADMINS, GROUPS)
_MANAGE_ANY_TIME = Grant(ADMINS, GROUPS, LIVING)
_ADMINISTER = Grant(ADMINISTRATORS, GROUPS, LIVING)

_ACTIONS = (
    _own("read", "Read the messages, the name and the members", _ANY_TIME),
    _own("mark-read", "Mark messages as read or unread", _ANY_TIME),
    _own("set-level", "Choose the notifications", _ANY_TIME),
    _own("set-favourite", "Mark it as a favourite", _ANY_TIME),
    _own("type", "Be shown as typing", _ANY_TIME),
    _own("list-members", "Open the page of members", Grant(MEMBERS, GROUPS, LIVING)),
    _own(
        "join",
        "Join",
        Grant(frozenset({OUTSIDER}), frozenset({PUBLIC})),
        _ANY_TIME,  # joining again changes nothing
    ),
    _own("leave", "Leave", Grant(MEMBERS, GROUPS, LIVING)),
    _row("send", "Send messages", _WRITE, setting="posting"),
    _row("reply", "Reply to messages", _WRITE, setting="posting"),
    _row("mention-all", "Mention everyone with @all", Grant(MEMBERS, GROUPS), setting="mentioning_all"),
    _row("react", "React to messages", _WRITE),
    _row("edit-own", "Edit one’s own messages", _WRITE),
    _row("delete-own", "Delete one’s own messages", _WRITE),
    _row("delete-any", "Delete anyone’s messages", _MANAGE, Grant(ADMINISTRATORS, states=LIVING)),
    _row("add", "Add people", Grant(MEMBERS, GROUPS), _ADMINISTER, setting="adding"),
    _row("remove", "Remove people", _MANAGE_ANY_TIME, _ADMINISTER),
    _row("allow-to-join", "See who was removed, and let them join again", _MANAGE_ANY_TIME),
    _row("change-role", "Change roles", _MANAGE, _ADMINISTER),
    _row("rename", "Change name and topic", Grant(MEMBERS, GROUPS), setting="renaming"),
    _row("set-access", "Make it public or private", _MANAGE),
    _row("change-permissions", "Change who can do what, and slow mode", _MANAGE),
    _row("post-at-once", "Post without waiting in slow mode", _MANAGE),
    _row("archive", "Archive and unarchive", _MANAGE_ANY_TIME, _ADMINISTER),
    _row("delete", "Delete the conversation", Grant(OWNERS, GROUPS, LIVING)),
    _own("reveal", "Read it in the admin site, with a reason", Grant(ADMINISTRATORS, states=LIVING)),
    _general("visit", "Use pages and routes that need no account", frozenset(ROLES)),
    _general("have-account", "Use one’s account, and see people and public conversations", SIGNED_IN),
    _general("sign-out-program", "Sign out a program, which takes its token", frozenset()),
    _general("administer", "Use the admin site", ADMINISTRATORS),
)  # fmt: skip

_table: dict[str, Action] = {action.name: action for action in _ACTIONS}


def register(action: Action) -> None:
    """Add a row. Raises ValueError if there is one with this name."""
    if action.name in _table:
        raise ValueError(f"There is already an action {action.name!r}.")
    _table[action.name] = action
    forget()


def actions() -> Mapping[str, Action]:
    return _table


@cache
def refusals(name: str) -> Mapping[tuple[str, str, str], str | None]:
    """Return (role, kind, state) -> the refusal of this action. Raises KeyError for an unknown one."""
    action = _table[name]
    return {key: action.refusal(*key) for key in _keys()}


@cache
def rules_of_members(name: str) -> tuple[Mapping[tuple[str, str, str, bool], str | None], str]:
    """Return the refusals of members of conversations that are not deleted, and the setting.

    By (role, kind, access, whether it is not archived) as Membership and Conversation have them: every
    message that is sent looks here, and deriving the key of refusals() took 3 µs.
    """
    action = _table[name]
    codes = {
        (role, kind, access, is_active): action.refusal(
            role, kind_of(kind, access), ACTIVE if is_active else ARCHIVED
        )
        for role in MEMBERS
        for kind in ("direct", "group")
        for access in ("open", "closed")
        for is_active in (True, False)
    }
    return codes, action.setting


@cache
def words(role: str, kind: str, state: str) -> dict[str, str]:
    """Return what this role can do there: word -> the setting that can restrict it to admins, or "".

    Admins and owners are never restricted.
    """
    return {
        action.name: action.setting if role == MEMBER else ""
        for action in _table.values()
        if action.is_word and action.refusal(role, kind, state) is None
    }


def can(role: str, kind: str, state: str, settings: object) -> list[str]:
    """Return the words that are not restricted. `settings`: has an attribute for each setting."""
    return [
        word
        for word, setting in words(role, kind, state).items()
        if not setting or getattr(settings, setting) != ONLY_ADMINS
    ]


def kind_of(kind: str, access: str) -> str:
    """Return the kind in this table for the two fields of Conversation."""
    if kind == DIRECT:
        return DIRECT
    return PUBLIC if access == "open" else PRIVATE


def settings() -> list[str]:
    """Return the settings that restrict an action, in the order of the table."""
    found = (action.setting for action in _table.values() if action.setting)
    return list(dict.fromkeys(found))


def governed_by(setting: str) -> Iterable[str]:
    """Return the actions that a setting restricts."""
    return [action.name for action in _table.values() if action.setting == setting]


def _keys() -> Iterator[tuple[str, str, str]]:
    return ((role, kind, state) for role in ROLES for kind in KINDS for state in STATES)


def forget() -> None:
    """Empty the caches, after the table was changed."""
    refusals.cache_clear()
    rules_of_members.cache_clear()
    words.cache_clear()
