"""One line in the log for every attempt to get in that failed, for fail2ban and for people.

    Failed sign-in from 192.0.2.7 by form: wrong_credentials

The form of the line is fixed: deploy/fail2ban/ and what operators made of it read it. It names nobody,
and nothing in it was written by whoever asks.
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

# Not "busy", which is our fault, nor a token that ran out, which honest programs show all the time.
_FAILED = frozenset({"wrong_credentials", "account_closed", "too_long", "slow_down"})


class ForgedTokenError(ChatError):
    """A token that we never made, or of the wrong kind."""

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
