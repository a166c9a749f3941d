"""The tokens of invitations. Each is derived from the person and the key of their request. Therefore a
request that is sent again returns the same link, and an email that is sent again has the same one."""

from __future__ import annotations

from chatty.common import link_tokens

_PURPOSE = "invitation"


def make_token(user_id: int, key: str) -> str:
    return link_tokens.derive_token(_PURPOSE, f"{user_id} {key}")


def find_token(user_id: int, key: str, token_hash: str) -> str | None:
    """Return the token of a request if it has this hash."""
    return link_tokens.find_token(_PURPOSE, f"{user_id} {key}", token_hash)
