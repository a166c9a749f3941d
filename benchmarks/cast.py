"""Creates people and rooms for a measurement directly as rows.

Runs in `manage.py shell` of the installation that is measured.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import SignIn, User, new_sid
from accounts.tokens import RefreshToken
from conversations.models import Conversation, Membership


def serve_requests() -> None:
    """For each line {"people": n, "rooms": [...]} of standard input, print the result of prepare()."""
    for line in sys.stdin:
        print(json.dumps(prepare(**json.loads(line))), flush=True)


def prepare(people: int, rooms: Sequence[Sequence[int]]) -> dict[str, list[Any]]:
    """Create `people`, and a room for each list of their indexes.

    Returns {"tokens": their access tokens, "rooms": ids}.
    """
    users = _people(people)
    return {"tokens": _tokens(users), "rooms": _rooms(users, rooms)}


def _people(count: int) -> list[User]:
    run = uuid.uuid4().hex
    return User.objects.bulk_create(
        User(email=f"{run}-{number}@example.org", name=f"Guest {number}", password="!")
        for number in range(count)
    )


def _tokens(users: list[User]) -> list[str]:
    """Create a sign-in for each user, and return their access tokens."""
    sign_ins, tokens = [], []
    for user in users:
        token = RefreshToken.for_user(user)
        token["sid"] = sid = new_sid()
        expires_at = timezone.now() + timedelta(days=30)
        sign_ins.append(
            SignIn(
                sid=sid,
                user=user,
                kind=SignIn.Kind.TOKEN,
                refresh_jti=token["jti"],
                expires_at=expires_at,
            )
        )
        tokens.append(str(token.access_token))
    SignIn.objects.bulk_create(sign_ins)
    return tokens


def _rooms(users: list[User], rooms: Sequence[Sequence[int]]) -> list[int]:
    now = timezone.now()
    made = Conversation.objects.bulk_create(
        Conversation(name=f"Room {number}", created_at=now, last_text_at=now)
        for number in range(len(rooms))
    )
    Membership.objects.bulk_create(
        Membership(conversation=room, user=users[index], joined_at=now)
        for room, members in zip(made, rooms, strict=True)
        for index in members
    )
    return [room.pk for room in made]
