"""Logs every failed sign-in as one line, for administrators and fail2ban.

    Failed sign-in from 192.0.2.7 by form: wrong_credentials

The format must not change: deploy/fail2ban/ and administrators' own filters parse it. The line names
no account and contains no text from the client, so it cannot be forged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from django.http import HttpRequest

from chatty.common.errors import ChatError
from chatty.common.limiter import client_host

log = logging.getLogger(__name__)

# Neither "busy", which is the server's fault, nor expired tokens, which legitimate programs send often.
_FAILED = frozenset({"wrong_credentials", "account_closed", "too_long", "slow_down"})


class ForgedTokenError(ChatError):
    """A token that this server did not issue, or one of the wrong type."""

    def __init__(self) -> None:
        super().__init__("token_invalid")


@contextmanager
def log_failure(
    source: HttpRequest | Mapping[str, Any], entrance: Literal["form", "api", "socket"]
) -> Iterator[None]:
    """Log a failed sign-in that is raised inside. `source`: the request or the ASGI scope."""
    try:
        yield
    except ChatError as error:
        if error.code in _FAILED or isinstance(error, ForgedTokenError):
            log.warning(
                "Failed sign-in from %s by %s: %s", client_host(source), entrance, error.code
            )
        raise
