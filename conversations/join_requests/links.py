"""The tokens in the addresses with which people ask to join."""

from __future__ import annotations

from django.urls import reverse

from chatty.common import link_tokens
from conversations.join_requests.models import JoinLink

TOKEN_MAX = 100
_PURPOSE = "join-link"


def make_token(nonce: str) -> str:
    return link_tokens.derive_token(_PURPOSE, nonce)


def token_of(link: JoinLink) -> str | None:
    """Return the token of a link, or None if the secret key it was made with is no longer known."""
    return link_tokens.find_token(_PURPOSE, link.nonce, link.token_hash)


def url_of(link: JoinLink | None, site: str) -> str | None:
    """Return the address of a link, None if there is none or it can't be shown. `site`: see site_of()."""
    token = token_of(link) if link else None
    return token and site + reverse("join_requests:ask", args=[token])
