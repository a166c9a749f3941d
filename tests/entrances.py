"""The entrances of Chatty: every route, page, socket frame and admin action, and the row of the permission
table (conversations/permissions.py) that it follows.

Each app lists its own in tests/entrances.py as ENTRANCES. conversations/tests/test_permissions.py tries all
of them, and fails if one is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps

from accounts.models import User
from conversations import permissions
from conversations.models import Conversation, Message


@dataclass
class Scene:
    """A conversation, and who tries what there."""

    conversation: Conversation
    user: User | None
    of_user: Message | None  # a message of theirs, if they ever were a member
    of_other: Message
    mia: User  # another member
    rita: User  # was removed
    carol: User  # not a member

    @property
    def own(self) -> Message:
        return self.of_user or self.of_other

    def arguments(self, names: Iterable[str]) -> dict[str, Any]:
        """Return what to put into a route."""
        known = {
            "conversation": self.conversation.pk,
            "conversation_id": self.conversation.pk,
            "message": self.own.pk,
            "message_id": self.own.pk,
            "user": self.mia.pk,
            "user_id": self.mia.pk,
            "object_id": self.conversation.pk,
            "emoji": "👍",
        }
        return {name: known.get(name, "x") for name in names}


Filled = Callable[[Scene], dict[str, Any]]


def _nothing(scene: Scene) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Entrance:
    """`route`: the name of a URL, "frame" for a socket or "admin-action". `what`: its method, type or action.

    `body`: JSON of REST and frames, or a form. `arguments`: of the URL, if not those of Scene.arguments().
    `offers_join`: in public conversations, it shows a page to join to people who are not members.
    `by_effect`: its answer doesn't tell whether it was allowed; then it is if something changed.
    `states`: in others, it would change nothing.
    """

    route: str
    what: str
    action: str
    body: Filled = field(default=_nothing)
    arguments: Filled = field(default=_nothing)
    offers_join: bool = False
    by_effect: bool = False
    states: tuple[str, ...] = permissions.STATES

    @property
    def key(self) -> tuple[str, str]:
        return self.route, self.what


def all_entrances() -> Iterator[Entrance]:
    yield from ENTRANCES
    for app in apps.get_app_configs():
        if Path(app.path, "tests/entrances.py").exists():
            yield from import_module(f"{app.name}.tests.entrances").ENTRANCES


def of_admin(*models: str) -> list[Entrance]:
    """Return the entrances of Django's own pages for these models, such as "jobs_job"."""
    pages = [
        ("changelist", ("GET", "POST")),
        ("add", ("GET", "POST")),
        ("change", ("GET", "POST")),
        ("delete", ("GET", "POST")),
        ("history", ("GET",)),
    ]
    return [
        Entrance(f"admin:{model}_{page}", method, "administer")
        for model in models
        for page, methods in pages
        for method in methods
    ]


ENTRANCES = [
    Entrance("api:index", "GET", "visit"),
    Entrance("api:schema", "GET", "visit"),
    Entrance("api:docs", "GET", "visit"),
    # Django's own pages of the admin site.
    *(
        Entrance(f"admin:{page}", method, "administer")
        for page in ("index", "password_change", "password_change_done", "autocomplete", "jsi18n")
        for method in ("GET", "POST")
    ),
    Entrance("admin:app_list", "GET", "administer", arguments=lambda s: {"app_label": "jobs"}),
    Entrance(
        "admin:view_on_site",
        "GET",
        "administer",
        arguments=lambda s: {"content_type_id": "1", "object_id": "1"},
    ),
    Entrance("admin:login", "GET", "administer"),
    Entrance("admin:login", "POST", "administer"),
    Entrance("admin:logout", "POST", "visit"),
]
