"""Adds security headers to every HTTP response, and records metrics and the access log.

The headers are for responses that do not pass Django's middleware (probes, early errors, static
files). Headers that a response already has are not changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

from chatty.ops import logs, metrics

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger("chatty.access")

CLIENT_GONE = 499  # nginx's code for a client that disconnected before the response began

# For responses that are not pages: nothing in them may load, run or be framed. Only our service
# worker, which is a script, may import and fetch.
_POLICY = (
    b"default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none';"
    b" form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": _POLICY,
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}

_ROUTES = (
    ("/static/", "static"),
    ("/api/", "api"),
    ("/admin/", "admin"),
)
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


def route_class(path: str) -> str:
    """Return "static", "api", "admin", "probe" or "page"."""
    for prefix, name in _ROUTES:
        if path.startswith(prefix):
            return name
    return "probe" if path in _PROBES else "page"


class Observer:
    """Observes one request. Pass `send` to the application, and call finish() at the end."""

    def __init__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self._status = CLIENT_GONE
        self._request_id = ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            # Django does not lowercase header names.
            given = {name.lower(): value for name, value in headers}
            for name, value in SECURITY_HEADERS.items():
                if name not in given:
                    headers.append((name, value))
            secure = settings.SECURE_HSTS_SECONDS and self._scope.get("scheme") == "https"
            if secure and b"strict-transport-security" not in given:
                headers.append((b"strict-transport-security", _hsts()))
            self._request_id = given.get(b"x-request-id", b"").decode("latin-1")
        await self._send(message)

    def finish(self) -> None:
        seconds = time.perf_counter() - self._began
        path = self._scope["path"]
        route = route_class(path)
        metrics.observe_request(route, self._status, seconds)
        if log.isEnabledFor(logging.INFO):
            self._write(logs.safe_path(path), seconds)

    def _write(self, path: str, seconds: float) -> None:
        method = self._scope["method"]
        about = {
            "method": method,
            "path": path,
            "status": self._status,
            "address": (self._scope.get("client") or ("",))[0],
            "ms": round(seconds * 1000, 1),
        }
        token = logs.request_id.set(self._request_id)
        try:
            log.info("%s %s %s", method, path, self._status, extra=about)
        finally:
            logs.request_id.reset(token)


def _hsts() -> bytes:
    value = f"max-age={settings.SECURE_HSTS_SECONDS}"
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        value += "; includeSubDomains"
    if settings.SECURE_HSTS_PRELOAD:
        value += "; preload"
    return value.encode()
