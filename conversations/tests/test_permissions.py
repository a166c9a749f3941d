"""Every route, page, frame and admin action, by everyone, in every kind and state of conversation: what it
answers is what the permission table says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from django.contrib import admin
from django.contrib.messages import ERROR, get_messages
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from accounts.models import User
from chatty.common import timestamps
from chatty.common.errors import CODES
from conversations import actions, permissions, protocol
from conversations.models import Conversation, Membership
from conversations.sockets import consumer, reads
from conversations.sockets.consumer import ChatConsumer
from conversations.tests.helpers import say
from docs import permissions as document
from tests import cast
from tests.entrances import Entrance, Scene, all_entrances
from tests.markers import first_of

SECRET = "Buried treasure"
ENTRANCES = list(all_entrances())
# Direct messages can't be archived, and have no owners, admins and removed people.
PLACES = [
    (kind, state)
    for kind in permissions.KINDS
    for state in permissions.STATES
    if (kind, state) != (permissions.DIRECT, permissions.ARCHIVED)
]
# In make test. All places take three times as long.
IN_USE = [place for place in PLACES if place[1] == permissions.ACTIVE]
# Roles that differ where there is no conversation.
WITHOUT_CONVERSATION = (permissions.ANONYMOUS, permissions.OUTSIDER, permissions.STAFF)
NOT_IN_DIRECT = {permissions.FORMER, permissions.ADMIN, permissions.OWNER}


# --- the scenes ----------------------------------------------------------------------------------------


@dataclass
class People:
    olive: User  # a second owner
    mia: User
    rita: User
    carol: User
    asking: User | None


@pytest.fixture
def people(db, role) -> People:
    found: dict[str, User] = {
        name.lower(): cast.create_user(name) for name in ("Olive", "Mia", "Rita", "Carol")
    }
    asking: User | None
    if role == permissions.STAFF:
        asking = cast.create_root()
    elif role == permissions.FORMER:
        asking = found["rita"]
    else:
        asking = None if role == permissions.ANONYMOUS else cast.create_user("Bob")
    return People(**found, asking=asking)


def scene_in(kind: str, state: str, role: str, people: People) -> Scene:
    user, inside = people.asking, role in permissions.MEMBERS
    if kind == permissions.DIRECT:
        other = user if inside and user else people.olive
        conversation = actions.open_direct(people.mia, other.pk)
    else:
        conversation = actions.create_conversation(
            people.olive,
            name="Garden",
            access="open" if kind == permissions.PUBLIC else "closed",
            member_ids={people.mia.pk, people.rita.pk, *({user.pk} if inside and user else ())},
        )
        # Members have every right that settings can give them. What they take is tested below.
        conversation.adding = conversation.renaming = conversation.inviting = "everyone"
        conversation.save()
    own = say(user, conversation, SECRET) if inside and user else None
    other_message = say(people.mia, conversation, SECRET)
    if kind != permissions.DIRECT:
        actions.remove_member(people.olive, conversation.pk, people.rita.pk)
        if inside:
            rows = Membership.objects.filter(conversation=conversation, user=user)
            rows.update(role=role)
    if role == permissions.STAFF and user:
        actions.reveal(user, conversation.pk, "To see what they can do")
    column = {permissions.ARCHIVED: "archived_at", permissions.DELETED: "deleted_at"}.get(state)
    if column:  # its memberships stay, so that the state alone decides
        Conversation.objects.filter(pk=conversation.pk).update(**{column: timestamps.now()})
    conversation.refresh_from_db()
    return Scene(conversation, user, own, other_message, people.mia, people.rita, people.carol)


# --- trying --------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """`code`: None if it was allowed. `text`: what was answered."""

    code: str | None
    text: str = ""


class Asker:
    """Tries entrances as one user. The changes of each are rolled back."""

    def __init__(self, user: User | None) -> None:
        self.user = user
        self.client = Client(raise_request_exception=True)
        if user:
            self.client.force_login(user)
        self.cookies = self.client.cookies.output()

    def ask(self, entrance: Entrance, scene: Scene, before: Any) -> tuple[Answer, bool]:
        """Return the answer, and whether anything in the conversation changed."""
        cookies = dict(self.client.cookies)
        with transaction.atomic():
            if entrance.route == "frame":
                answer = self._frame(entrance, scene)
            else:
                answer = self._request(entrance, scene)
            after = before if entrance.what == "GET" else traces(scene.conversation)
            transaction.set_rollback(True)
        self.client.cookies.clear()
        self.client.cookies.update(cookies)
        return answer, before != after

    def _request(self, entrance: Entrance, scene: Scene) -> Answer:
        route, method = entrance.route, entrance.what
        if route == "admin-action":
            model, name = entrance.what.split(".")
            route, method = f"admin:{model}_changelist", "POST"
            body = {"action": name, **entrance.body(scene)}
        else:
            body = entrance.body(scene)
        arguments = {**scene.arguments(ROUTES[route]), **entrance.arguments(scene)}
        url = reverse(route, kwargs={name: arguments[name] for name in ROUTES[route]})
        sent: dict[str, Any] = {"data": body}
        if route.startswith("api:") and method != "GET":
            sent = {"data": json.dumps(body) if body else "", "content_type": "application/json"}
        response = getattr(self.client, method.lower())(url, **sent)
        text = "" if response.streaming else response.content.decode(errors="replace")
        return Answer(self._code(route, response, text), text)

    def _code(self, route: str, response: Any, text: str) -> str | None:
        status = response.status_code
        if route.startswith("api:") and status >= 400:
            code: str = json.loads(text)["code"]
            return code
        if status in (302, 303) and "/sign-in/?next=" in response.headers["Location"]:
            return "unauthenticated"
        if status in (302, 303) and "/admin/login/?next=" in response.headers["Location"]:
            return "not_allowed" if self.user else "unauthenticated"
        if status == 401:
            return "unauthenticated"
        if status >= 400:
            shown = [code for code, entry in CODES.items() if entry.status == status]
            return next((c for c in shown if str(CODES[c].detail) in text), f"status {status}")
        # Pages that return to where they were used say there what went wrong.
        told = () if route.startswith("api:") else get_messages(response.wsgi_request)
        for message in getattr(told, "_queued_messages", ()):
            if message.level == ERROR:
                return next(
                    (c for c, e in CODES.items() if str(e.detail) in str(message.message)), "error"
                )
        return None

    def _frame(self, entrance: Entrance, scene: Scene) -> Answer:
        if self.user is None:
            return Answer(
                "unauthenticated"
            )  # tests/test_socket_auth.py: no socket without a session
        written = handle(self.user, {"type": entrance.what, **entrance.body(scene)})
        errors = [each for each in written if each["type"] == "error"]
        return Answer(errors[0]["code"] if errors else None, json.dumps(written))


class NoThreads:
    """Runs database work at once, in the transaction of the test."""

    async def run(self, function: Any, *args: Any) -> Any:
        return function(*args)


class NoWriter:
    def offer(self, draft: actions.Draft, answer: Any) -> None:
        (result,) = actions.send_messages([draft])
        answer(result)


class NoLoop:
    """Stands in for asyncio in the consumer: in an event loop, Django would use another connection."""

    @staticmethod
    def create_task(task: Any) -> Any:
        drive(task)
        return Mock()

    @staticmethod
    def get_running_loop() -> Any:
        return Mock(call_soon=lambda function: function())


def drive(task: Any) -> None:
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        task.send(None)


def handle(user: User, frame: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the frames that a socket of this user gets for a frame."""
    socket = ChatConsumer()
    socket.scope = {"headers": []}
    socket.user_id, socket.name, socket.language = user.pk, user.name, "en"
    socket.identity = Mock(user=user, sid="x", kind="token", expires_at=0)
    socket.rooms = set(reads.read_rooms(user)[1])
    socket.engine = Mock(threads=NoThreads(), writer=NoWriter())
    written: list[dict[str, Any]] = []
    socket.send_buffer = Mock(closing=False)
    socket.write = lambda frames: written.extend(map(msgspec.json.decode, frames.texts))
    drive(socket._handle_message({"text": json.dumps(frame)}))
    return written


def traces(conversation: Conversation) -> tuple[Any, ...]:
    """Return everything that an entrance could change in the conversation: messages and reactions only
    change together with its version."""
    return (
        list(Conversation.objects.filter(pk=conversation.pk).values_list()),
        list(Membership.objects.filter(conversation=conversation).order_by("pk").values_list()),
    )


# --- what the table says -------------------------------------------------------------------------------


def expected(entrance: Entrance, role: str, kind: str, state: str) -> str | None:
    action = permissions.actions()[entrance.action]
    is_admin = entrance.route.startswith("admin")
    if role == permissions.STAFF and not is_admin and action.about_conversation:
        role = permissions.OUTSIDER  # administrators who are not members
    if is_admin and entrance.action != "visit" and role != permissions.STAFF:
        return "unauthenticated" if role == permissions.ANONYMOUS else "not_allowed"
    return action.refusal(role, kind, state)


# Of the REST API and of forms: the request was invalid, but permitted.
INPUT_ERRORS = {"invalid", "empty", "token_invalid", "wrong_credentials", "unsupported_media"}


@pytest.fixture
def _unlimited(settings, monkeypatch):
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "1000000/s")
    settings.MAIL_SET_UP = True
    monkeypatch.setattr(consumer, "asyncio", NoLoop)


@pytest.mark.usefixtures("_unlimited")
@pytest.mark.parametrize("places", first_of(IN_USE, PLACES), ids=["in use", "all"])
@pytest.mark.parametrize(
    "role",
    [
        # On PostgreSQL, one role: the one that may do most reaches most queries.
        pytest.param(role, marks=[] if role == permissions.OWNER else pytest.mark.once)
        for role in permissions.ROLES
    ],
)
def test_every_entrance_follows_the_table(role, places, people):
    asker = Asker(people.asking)
    differing = []
    for kind, state in places:
        if kind == permissions.DIRECT and role in NOT_IN_DIRECT:
            continue
        scene = scene_in(kind, state, role, people)
        before = traces(scene.conversation)
        for entrance in ENTRANCES:
            about = permissions.actions()[entrance.action].about_conversation
            if state not in entrance.states:
                continue
            if not about and not (role in WITHOUT_CONVERSATION and (kind, state) == PLACES[0]):
                continue
            wanted = expected(entrance, role, kind, state)
            answer, changed = asker.ask(entrance, scene, before)
            is_shown = kind == permissions.PUBLIC and state != permissions.DELETED
            if entrance.offers_join and wanted == "not_found" and is_shown:
                wanted = "join"
            problem = difference(
                wanted, answer, changed, entrance, about=about, can_read=role in permissions.MEMBERS
            )
            if problem:
                place = f"{role} in {kind} {state}"
                differing.append(f"{entrance.route} {entrance.what}: {place}: {problem}")
    assert not differing, "\n".join(differing)


def difference(
    wanted: str | None,
    answer: Answer,
    changed: bool,
    entrance: Entrance,
    *,
    about: bool,
    can_read: bool,
) -> str:
    """Return how the answer differs from what the table says, "" if it doesn't. `can_read`: the list beside
    every page shows the last message to them."""
    code = answer.code
    if not about:
        if entrance.action == "administer" and wanted is None:
            return ""  # Django's own permissions decide, see the tests of each admin site
        refused = code in ("unauthenticated", "not_allowed")
        return "" if refused == (wanted is not None) else f"{code}, not {wanted}"
    if wanted is None and entrance.by_effect:
        return "" if changed else "changes nothing"
    if wanted is not None and changed:
        return f"changes something, but should be {wanted}"
    if wanted is not None and SECRET in answer.text and not can_read:
        return "shows a message"
    if wanted == "join":  # a page to join
        wanted = None
    same = code == wanted or code == f"status {wanted and CODES[wanted].status}"
    return "" if same or entrance.by_effect else f"{code}, not {wanted}"


# --- nothing is missing --------------------------------------------------------------------------------


def routes(found: Any = None, space: str = "", names: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield (name with namespace, names of its arguments) of every named route."""
    for each in get_resolver().url_patterns if found is None else found:
        arguments = (*names, *each.pattern.regex.groupindex)
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from routes(each.url_patterns, inner, arguments)
        elif isinstance(each, URLPattern) and each.name:
            yield f"{space}{each.name}", arguments


ROUTES = dict(routes())


def any_url(name: str, arguments: tuple[str, ...]) -> str:
    """Return a URL of this route, with numbers or words for its arguments."""
    for number, word in ((1, "x"), (1, 1), ("x", "x")):
        values = {each: number if each.endswith("id") else word for each in arguments}
        values |= {"app_label": "jobs"} if "app_label" in arguments else {}
        with contextlib.suppress(NoReverseMatch):
            return reverse(name, kwargs=values)
    raise AssertionError(f"There is no URL for {name}")


def test_every_route_has_a_row(root, settings):
    settings.LIMITS = dict.fromkeys(settings.LIMITS, "1000000/s")
    client = Client(raise_request_exception=False)
    client.force_login(root)
    known = {entrance.key for entrance in ENTRANCES}
    missing = []
    for name, arguments in ROUTES.items():
        url = any_url(name, arguments)
        with transaction.atomic():
            allowed = client.options(url).headers.get("Allow", "GET")
            transaction.set_rollback(True)
        methods = set(allowed.split(", ")) - {"HEAD", "OPTIONS"}
        missing += [(name, each) for each in methods if (name, each) not in known]
    assert missing == []


def test_every_frame_has_a_row():
    frames = {each.__struct_config__.tag for each in protocol.ClientFrame.__subclasses__()}
    assert frames == {each.what for each in ENTRANCES if each.route == "frame"}


def test_every_admin_action_has_a_row():
    found = {
        f"{model._meta.app_label}_{model._meta.model_name}.{action}"
        for model, pages in admin.site._registry.items()
        for action in pages.actions
    }
    assert found == {each.what for each in ENTRANCES if each.route == "admin-action"}


def test_every_row_has_an_entrance():
    # See test_slow_mode.py and test_mentioning_all.py.
    words_of_others = {"post-at-once", "mention-all"}
    used = {entrance.action for entrance in ENTRANCES}
    assert used == set(permissions.actions()) - words_of_others


def test_document_is_up_to_date():
    """`python -m docs.permissions` writes docs/permissions.md."""
    assert document.DOCUMENT.read_text() == document.contents()
