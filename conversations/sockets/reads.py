"""Database reads for sockets. They run in threads."""

from __future__ import annotations

from dataclasses import dataclass

from accounts import socket_auth
from accounts.models import User
from accounts.socket_auth import Scope, SocketIdentity
from chatty.common.errors import ChatError
from conversations import access, queries
from conversations.realtime.catch_up import CatchUp, catch_up
from conversations.wire import ConversationOut


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who opens a socket, and what read_rooms() returns for them."""

    identity: SocketIdentity
    rows: list[ConversationOut]
    versions: dict[int, int]


def read_arrival(scope: Scope, first_token: str | None) -> Arrival:
    """Authenticate a socket, then read the user's conversations. Arguments and errors: see identify()."""
    identity = socket_auth.identify(scope, first_token)
    return Arrival(identity, *read_rooms(identity.user))


def read_rooms(user: User) -> tuple[list[ConversationOut], dict[int, int]]:
    """Return the latest conversations for `hello`, and id -> version of all the user's conversations."""
    return queries.sidebar_and_versions(user)


def read_changes(user: User, conversation_id: int, version: int) -> CatchUp:
    with access.reading(user, conversation_id):
        page = catch_up(conversation_id, version)
    if page is None:
        raise ChatError("not_found")
    return page
