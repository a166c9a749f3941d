"""Limits on the number of sockets, and close codes of rejected ones."""

from __future__ import annotations

from collections import Counter

from django.conf import settings
from django.utils.translation import gettext_lazy

from chatty.common.errors import ChatError
from chatty.common.limiter import NETWORK_TIMES, network_of
from conversations import protocol
from conversations.sockets.limits import LOCAL_ADDRESSES

_CLOSE_CODES = {
    "account_closed": protocol.CLOSE_ACCOUNT_CLOSED,
    "too_many": protocol.CLOSE_TOO_MANY,
    "unavailable": protocol.CLOSE_INTERNAL,
    "server_error": protocol.CLOSE_INTERNAL,
}


def take_places(counted: Counter[str], address: str) -> tuple[str, ...]:
    """Count a socket for its address and network. This comes before authentication, so that a flood of
    connections from one address can't exhaust the database or memory.

    Returns the value to pass to release_places(). Raises ChatError("too_many").
    """
    if address.startswith(LOCAL_ADDRESSES):
        return ()
    network, most = network_of(address), settings.SOCKETS_PER_ADDRESS
    places = {address: most, network: most * NETWORK_TIMES}
    if any(counted[each] >= place for each, place in places.items()):
        detail = gettext_lazy("Too many connections from your network.")
        raise ChatError("too_many", detail)
    taken = tuple(places)
    counted.update(taken)
    return taken


def release_places(counted: Counter[str], taken: tuple[str, ...]) -> None:
    for address in taken:
        counted[address] -= 1
        if not counted[address]:
            del counted[address]


def require_spare_socket(open_sockets: int) -> None:
    """Raise ChatError("too_many") if a user has reached the limit of open sockets."""
    if open_sockets >= settings.SOCKETS_PER_USER:
        raise ChatError("too_many", gettext_lazy("You have Chatty open in too many windows."))


def close_code(error: ChatError) -> int:
    """Return the close code for a rejected socket."""
    return _CLOSE_CODES.get(error.code, protocol.CLOSE_UNAUTHENTICATED)
