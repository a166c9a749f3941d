"""Examples of requests and responses, for the OpenAPI schema."""

from __future__ import annotations

from typing import Any


def add_to(operation: dict[str, Any], *, of: type) -> None:
    pass


def with_errors(response: dict[str, Any], status: str) -> dict[str, Any]:
    return response
