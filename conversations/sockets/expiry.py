"""Announces that the credentials of a socket expire, and that they have."""

from __future__ import annotations

import asyncio
import math
import time

from accounts.socket_auth import SocketIdentity
from conversations import protocol
from conversations.protocol import EncodedFrames
from conversations.realtime.rooms import Socket
from conversations.sockets.limits import EXPIRY_NOTICE_SECONDS


class ExpiryTimers:
    """The timers of one socket."""

    __slots__ = ("_socket", "_timers")

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._timers: list[asyncio.TimerHandle] = []

    def start(self, identity: SocketIdentity) -> None:
        """Watch these credentials instead of earlier ones."""
        self.cancel()
        loop = asyncio.get_running_loop()
        left = identity.expires_at - time.time()
        if identity.kind == "token" and left > 0:
            # If the token expires sooner than that, send the notice half-way. If it were sent
            # immediately, a client with short-lived tokens would renew them continuously.
            notice = EXPIRY_NOTICE_SECONDS if left > EXPIRY_NOTICE_SECONDS else left / 2
            self._timers.append(loop.call_later(left - notice, self._announce, notice))
        expired = protocol.CLOSE_UNAUTHENTICATED
        self._timers.append(loop.call_later(max(0.0, left), self._socket.end, expired))

    def cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _announce(self, seconds: float) -> None:
        frame = protocol.AuthExpiringFrame(seconds=math.ceil(seconds))
        self._socket.write(EncodedFrames.of(frame))
