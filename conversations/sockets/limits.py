"""How patient a socket is with its client, and with us."""

from __future__ import annotations

from collections import deque

BAD_FRAMES = 20  # in a minute; then the client is broken or hostile
FAILURES = 5  # of ours while serving one socket; then it is better off with a new one
PAUSE_SECONDS = 5  # for which a client that is too fast is not read
FORGIVEN_SECONDS = 60.0  # after which it is warned again, rather than closed
RETURN_SECONDS = 30  # before it should come back
TYPING_SECONDS = 2.0  # between two notes that the same person types in the same conversation
EXPIRY_NOTICE_SECONDS = 60
# Addresses whose sockets nobody counts: this machine's own (a proxy beside us that we were not told to
# trust speaks for everybody), and a Unix socket's.
LOCAL_ADDRESSES = ("127.", "::/64", "unknown")
MEMBERSHIP_READS = 3  # of memberships while they keep changing under a socket being let in


class ClientLimits:
    """Counts what one client may do only so often. `now`: in seconds, from any start."""

    __slots__ = ("_bad_frames", "_failures", "_typed_at", "_warned_at")

    def __init__(self) -> None:
        self._bad_frames: deque[float] = deque(maxlen=BAD_FRAMES)
        self._failures = 0
        self._warned_at = -FORGIVEN_SECONDS  # of frames that come too fast
        self._typed_at: dict[int, float] = {}

    def note_bad_frame(self, now: float) -> bool:
        """Return whether it was one too many."""
        self._bad_frames.append(now)
        return len(self._bad_frames) == BAD_FRAMES and now - self._bad_frames[0] < 60

    def note_failure(self) -> bool:
        """Return whether it was one too many."""
        self._failures += 1
        return self._failures >= FAILURES

    def note_too_fast(self, now: float) -> bool:
        """Return whether the client was warned so lately that it is not warned again."""
        warned, self._warned_at = self._warned_at, now
        return now - warned < FORGIVEN_SECONDS

    def note_typing(self, conversation_id: int, now: float) -> bool:
        """Return whether the others are to see it: not when they just have."""
        if now - self._typed_at.get(conversation_id, -TYPING_SECONDS) < TYPING_SECONDS:
            return False
        self._typed_at[conversation_id] = now
        return True
