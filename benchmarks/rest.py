"""Calls of the REST API, for preparations and for load that is not measured in CPU time."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any


def call(
    connection: HTTPConnection, token: str, method: str, path: str, body: Any = None
) -> dict[str, Any]:
    """Return the decoded response. Raises RuntimeError if it is an error."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{path} answered {answer.status}: {text[:200]!r}")
    found: dict[str, Any] = json.loads(text)
    return found
