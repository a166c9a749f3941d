"""Parts of the content that refer to rows of capabilities, such as uploads, which a message claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conversations import access, capabilities
from conversations.capabilities import Claims
from conversations.content import Content
from conversations.models import Membership, Message

_NONE: dict[str, Any] = {}


class ClaimedParts:
    """The claims of one transaction, by field."""

    def __init__(self, claims: Mapping[str, Claims]) -> None:
        self._claims = claims

    def claim(self, membership: Membership, content: Content) -> dict[str, Any]:
        """Return the values of the columns of claimed parts. Raises ChatError if the member may
        not send them, or as the part does."""
        if not self._claims:
            return _NONE
        found = {}
        for name, claims in self._claims.items():
            if value := getattr(content, name):
                access.require(capabilities.claimed_parts()[name].action, membership)
                found[name] = claims.claim(membership.user_id, value)
        return found

    def attach(self, messages: Sequence[Message]) -> None:
        """Store to which messages the claimed rows belong. The messages have their ids."""
        for name, claims in self._claims.items():
            stored = [(each, value) for each in messages if (value := getattr(each, name))]
            if stored:
                claims.attach(stored)


def claim_parts(contents: Iterable[tuple[int, Content]]) -> ClaimedParts:
    """Lock what (user id, content) of all drafts refer to. Without references, this takes no query."""
    contents = list(contents)
    claims = {}
    for name, part in capabilities.claimed_parts().items():
        values = [(user_id, value) for user_id, each in contents if (value := getattr(each, name))]
        if values:
            claims[name] = part.lock(values)
    return ClaimedParts(claims)
