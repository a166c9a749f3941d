"""Limits on what one client can do, and on our own failures."""

from __future__ import annotations

from collections import deque

BAD_FRAMES = 20  # in a minute; then the client is broken or hostile
FAILURES = 5  # internal errors on one socket; then the client has to reconnect
PAUSE_SECONDS = 5  # how long frames of a client over the rate limit are not read
FORGIVEN_SECONDS = 60.0  # after this time a client is warned again instead of disconnected
RETURN_SECONDS = 30  # how long a disconnected client should wait
FIRST_FRAME_SECONDS = 5.0  # for the `auth` frame of a client that can't send its token in a header
TYPING_SECONDS = 2.0  # between two typing events of a person in a conversation
EXPIRY_NOTICE_SECONDS = 60
# Addresses without a limit on sockets: Unix sockets and this machine. A local proxy that is not configured
# as trusted makes all clients appear to come from there.
LOCAL_ADDRESSES = ("127.", "::/64", "unknown")
MEMBERSHIP_READS = 3  # attempts to read memberships that change at the same time


class ClientLimits:
    """Counts the events of one client. `now`: a monotonic time in seconds."""

    __slots__ = ("_bad_frames", "_failures", "_typed_at", "_warned_at")

    def __init__(self) -> None:
        self._bad_frames: deque[float] = deque(maxlen=BAD_FRAMES)
        self._failures = 0
        self._warned_at = -FORGIVEN_SECONDS  # last warning about the rate limit
        self._typed_at: dict[int, float] = {}

    def note_bad_frame(self, now: float) -> bool:
        """Count a bad frame. Return whether the limit is reached."""
        self._bad_frames.append(now)
        return len(self._bad_frames) == BAD_FRAMES and now - self._bad_frames[0] < 60

    def note_failure(self) -> bool:
        """Count an internal error. Return whether the limit is reached."""
        self._failures += 1
        return self._failures >= FAILURES

    def note_too_fast(self, now: float) -> bool:
        """Note that the client exceeded the rate limit. Return whether it was warned recently."""
        warned, self._warned_at = self._warned_at, now
        return now - warned < FORGIVEN_SECONDS

    def note_typing(self, conversation_id: int, now: float) -> bool:
        """Return whether to publish a typing event. It is not if there was one just before."""
        if now - self._typed_at.get(conversation_id, -TYPING_SECONDS) < TYPING_SECONDS:
            return False
        self._typed_at[conversation_id] = now
        return True
