"""What a disk that fails means for people."""

from __future__ import annotations

import errno

from chatty.common.errors import ChatError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def error_of_disk(error: Exception) -> ChatError:
    """Return "storage_full" if there is no space, else "unavailable"."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return ChatError("storage_full")
    return ChatError("unavailable", retry_after=5)
