"""Where people stand: read from the database, in threads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from accounts import queries as account_queries
from accounts.models import User
from conversations import protocol, queries
from conversations.wire import sidebar_to_wire


@dataclass(frozen=True, slots=True)
class Standing:
    """Where people stand. `clocks`: of open accounts only; `versions`: user -> conversation ->
    version of all they belong to; `valid_sids`: the sign-ins among those asked for that live."""

    clocks: dict[int, int]
    versions: dict[int, dict[int, int]]
    valid_sids: set[str]


def read_standing(user_ids: list[int], sids: Collection[str]) -> Standing:
    # The clocks first: what changes after that moves them again and is found by the next tick.
    clocks = queries.clocks(user_ids)
    versions: dict[int, dict[int, int]] = defaultdict(dict)
    for user_id, conversation_id, version in queries.memberships_of(user_ids):
        versions[user_id][conversation_id] = version
    return Standing(clocks, versions, account_queries.valid_sids(sids))


def standing_frames(known: list[tuple[int, str, int]]) -> list[tuple[int, str]]:
    """Return (user, frame) for each (user, change, conversation), as each of them sees it now.

    A direct conversation nobody has spoken in yet does not appear, so there is nothing to tell.
    """
    users = User.objects.in_bulk({user_id for user_id, _change, _pk in known})
    frames = []
    for user_id, change, conversation_id in known:
        row = queries.sidebar_row(users[user_id], conversation_id)
        if row is None and change in ("removed", "deleted"):
            seen: dict[str, Any] = {"id": conversation_id}
        elif row is not None:
            seen = sidebar_to_wire(row)
            change = "added" if change == "removed" else change  # and added again meanwhile
        else:
            continue
        frame = protocol.conversation(change=change, conversation=seen)
        frames.append((user_id, protocol.encode(frame)))
    return frames
