"""What tests of accounts say again and again."""

from __future__ import annotations

from typing import Any

import pytest

from chatty.common.errors import ChatError


def bearer(token: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def raises_chat_error(code: str, *, field: str | None = None) -> Any:
    """A context like pytest.raises: ChatError of this code, naming this field."""
    return pytest.raises(
        ChatError, check=lambda e: e.code == code and (field is None or field in e.fields)
    )
