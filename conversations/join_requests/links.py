"""The tokens in the addresses with which people ask to join."""

from __future__ import annotations

from chatty.common import link_tokens
from conversations.join_requests.models import JoinLink

TOKEN_MAX = 100
_PURPOSE = "join-link"


def make_token(nonce: str) -> str:
    return link_tokens.derive_token(_PURPOSE, nonce)


def token_of(link: JoinLink) -> str | None:
    """Return the token of a link, or None if the secret key it was made with is no longer known."""
    return link_tokens.find_token(_PURPOSE, link.nonce, link.token_hash)


def path_of(link: JoinLink) -> str | None:
    # Not reverse(): queries use it, which don't know the pages.
    token = token_of(link)
    return None if token is None else f"/ask/{token}/"
