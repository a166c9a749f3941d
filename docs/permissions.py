"""Writes docs/permissions.md from the permission table.

python -m docs.permissions

The file is committed. A test fails if it is not as this command writes it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path

import django
import mdformat

from conversations import permissions
from conversations.permissions import Action

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/permissions.md"

_INTRODUCTION = """\
<!-- Written by `python -m docs.permissions`: edit conversations/permissions.py instead. -->

# Permissions

Who can do what. The server checks every request, frame and page against these tables, and pages show
buttons by them. `can` of a conversation in the REST API lists what you can do there now.

| Role | Meaning |
| -- | -- |
| anonymous | not signed in |
| outsider | signed in, and not a member: never was, or has left |
| former | was removed from the conversation |
| member, admin, owner | the roles of members |
| staff | an administrator, in the admin site. Elsewhere, administrators have the role of their membership |

| Sign | Meaning |
| -- | -- |
| ● | yes |
| ◐ | yes, unless a setting of the conversation restricts it to admins |
| - | no |

Someone who can't read a conversation gets `not_found`, as if it didn't exist. Deleted conversations don't
exist for anyone.

Some rules depend on more than the role:

- Admins can't remove owners or change their role, and can't make anyone an owner.
- No one can remove themselves. They can leave.
- Administrators give a reason before they read a private conversation, and before they add anyone to one.
"""

_SETTINGS = """\
## Settings of a conversation

Admins and owners choose for each of these whether everyone or only admins can do it. In slow mode, each
member can send one message per some seconds. Admins and owners don't have to wait.
"""


def contents() -> str:
    """Return the contents of docs/permissions.md. Django must be set up."""
    every = list(permissions.actions().values())
    parts = [
        _INTRODUCTION,
        *(_section(kind, [each for each in every if each.about_conversation]) for kind in _KINDS),
        _SETTINGS,
        _settings_table(),
        "## Without a conversation",
        _general_table([each for each in every if not each.about_conversation]),
    ]
    options = tomllib.loads((ROOT / ".mdformat.toml").read_text())
    return mdformat.text(
        "\n\n".join(parts), options=options, extensions=[*options["extensions"], "tables"]
    )


_KINDS = {
    permissions.DIRECT: "Direct messages",
    permissions.PRIVATE: "Private conversations",
    permissions.PUBLIC: "Public conversations",
}
_INSIDE = (
    *(permissions.OUTSIDER, permissions.FORMER),
    *(permissions.MEMBER, permissions.ADMIN, permissions.OWNER, permissions.STAFF),
)


_IN_DIRECT = (permissions.OUTSIDER, permissions.MEMBER, permissions.STAFF)


def _section(kind: str, actions: Iterable[Action]) -> str:
    """Return the table of a kind. Actions that no one can do there are left out."""
    is_direct = kind == permissions.DIRECT
    states = [permissions.ACTIVE] if is_direct else [permissions.ACTIVE, permissions.ARCHIVED]
    roles = _IN_DIRECT if is_direct else _INSIDE
    lines = [f"## {_KINDS[kind]}", ""]
    lines.append(
        f"| Action | {' | '.join(roles)} | {'archived | ' if len(states) > 1 else ''}`can` |"
    )
    lines.append("| -- " * (len(roles) + len(states) + 1) + "|")
    for action in actions:
        cells = [_sign(action, role, kind, permissions.ACTIVE) for role in roles]
        if not set(cells) - {"-"}:
            continue
        archived = [_archived(action, roles, kind)] if len(states) > 1 else []
        word = f"`{action.name}`" if action.is_word else ""
        lines.append(f"| {' | '.join([action.description, *cells, *archived, word])} |")
    return "\n".join(lines)


def _sign(action: Action, role: str, kind: str, state: str) -> str:
    if action.refusal(role, kind, state) is not None:
        return "-"
    return "◐" if action.setting and role == permissions.MEMBER else "●"


def _archived(action: Action, roles: Iterable[str], kind: str) -> str:
    """Return who can still do it in an archived conversation."""
    allowed = [each for each in roles if action.refusal(each, kind, permissions.ACTIVE) is None]
    left = [each for each in allowed if action.refusal(each, kind, permissions.ARCHIVED) is None]
    if left == allowed:
        return "the same"
    return ", ".join(left) or "-"


def _settings_table() -> str:
    from conversations.models import Conversation

    lines = ["| Setting | Restricts | Default |", "| -- | -- | -- |"]
    for setting in permissions.settings():
        default = getattr(Conversation(), setting)
        names = ", ".join(f"`{name}`" for name in permissions.governed_by(setting))
        lines.append(f"| `{setting}` | {names} | {default} |")
    lines.append("| `slow_mode` | `send`, `reply` | 0 (off) |")
    return "\n".join(lines)


def _general_table(actions: Iterable[Action]) -> str:
    lines = ["| Action | anonymous | with an account | staff |", "| -- | -- | -- | -- |"]
    roles = (permissions.ANONYMOUS, permissions.OUTSIDER, permissions.STAFF)
    for action in actions:
        cells = [_sign(action, role, permissions.DIRECT, permissions.ACTIVE) for role in roles]
        lines.append(f"| {' | '.join([action.description, *cells])} |")
    return "\n".join(lines)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    DOCUMENT.write_text(contents())


if __name__ == "__main__":
    main()
