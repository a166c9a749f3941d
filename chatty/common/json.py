"""Untrusted JSON: strict (no NaN, no lone surrogates), at most 32 levels deep, without NUL."""

from __future__ import annotations

from typing import Any

import msgspec

from chatty.common.errors import CODES, ChatError, Sentence

DEPTH_MAX = 32


def decode(raw: bytes | str) -> Any:
    """Raises ChatError("bad_frame") for invalid or too deep JSON, "bad_text" for NUL in a string."""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ChatError("bad_frame", "That is not valid JSON.") from None
    check(value)
    return value


def check(value: Any) -> None:
    """Check every level, without recursion because the sender chooses the depth. Raises like decode()."""
    level = [value]
    for depth in range(DEPTH_MAX + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if "\x00" in item:
                    raise ChatError("bad_text", fields=_fields_with_nul(value))
            elif isinstance(item, dict | list):
                if depth == DEPTH_MAX:
                    raise ChatError(
                        "bad_frame", f"JSON can be nested at most {DEPTH_MAX} levels deep."
                    )
                below += item
                below += item.values() if isinstance(item, dict) else ()
        level = below


def _fields_with_nul(value: Any) -> dict[str, list[Sentence]]:
    if not isinstance(value, dict):
        return {}
    return {
        name: [CODES["bad_text"].detail]
        for name, item in value.items()
        if isinstance(item, str) and "\x00" in item and "\x00" not in name
    }
