"""How patient a socket is with its client, and with us."""

from __future__ import annotations

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
