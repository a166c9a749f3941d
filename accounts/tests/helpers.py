"""Helpers for tests of accounts."""

from __future__ import annotations

from typing import Any

import pytest

from chatty.common.errors import ChatError


def bearer(token: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def raises_chat_error(code: str, *, field: str | None = None) -> Any:
    """Like pytest.raises: expect a ChatError with this code, naming this field."""
    return pytest.raises(
        ChatError, check=lambda e: e.code == code and (field is None or field in e.fields)
    )
