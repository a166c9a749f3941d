"""The outermost ASGI application: routes probes, requests and sockets, and runs the lifespan."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from chatty.common.errors import ChatError
from chatty.common.handshakes import refuse_handshake
from chatty.conf.env import Network
from chatty.ops.health import Probe
from chatty.ops.observer import Observer
from chatty.server.asgi_types import Application, Receive, Scope, Send
from chatty.server.proxy_headers import apply_proxy_headers, untrusted_proxy_error
from chatty.server.responses import send_error

log = logging.getLogger("chatty.server.admission")
_UPGRADE = ((b"connection", b"upgrade"), (b"upgrade", b"websocket"))


class Router:
    """Routes each connection. Servers with a lifespan await `on_startup` and `on_shutdown`.

    `probes`: the handlers of the monitoring endpoints, by path. They are never queued.
    """

    def __init__(
        self,
        *,
        http: Application,
        websockets: Mapping[str, Application],
        probes: Mapping[str, Probe],
        on_startup: Callable[[], Awaitable[None]],
        on_shutdown: Callable[[], Awaitable[None]],
        trusted: Sequence[Network],
        https: bool,
    ) -> None:
        self.http = http
        self.websockets = websockets
        self.probes = probes
        self.on_startup = on_startup
        self.on_shutdown = on_shutdown
        self.trusted = trusted
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        scope = apply_proxy_headers(scope, self.trusted)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        observer = Observer(scope, send)
        try:
            await self._http(scope, receive, observer.send)
        finally:
            observer.finish()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (probe := self.probes.get(scope["path"])) is not None:
            await probe(scope, send)
        elif self.https and "chatty.untrusted_proxy" in scope:
            # Redirecting to https would loop: the browser already uses it.
            await send_error(scope, send, untrusted_proxy_error(scope["chatty.untrusted_proxy"]))
        elif self._find_socket(scope) is not None:
            await send_error(scope, send, ChatError("upgrade_required"), *_UPGRADE)
        else:
            await self.http(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        consumer = self._find_socket(scope)
        if consumer is not None:
            await consumer(scope, receive, send)
            return
        await receive()  # websocket.connect
        await refuse_handshake(scope, send, ChatError("not_found"))

    def _find_socket(self, scope: Scope) -> Application | None:
        """The trailing slash is optional, as in paths of the API."""
        return self.websockets.get(scope["path"].removesuffix("/") + "/")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._run_hook(self.on_startup, "startup", send)
            else:
                await self._run_hook(self.on_shutdown, "shutdown", send)
                return

    @staticmethod
    async def _run_hook(hook: Callable[[], Awaitable[None]], name: str, send: Send) -> None:
        try:
            await hook()
        except Exception:
            log.exception("Engine %s failed", name)
            await send({"type": f"lifespan.{name}.failed", "message": f"{name} failed"})
        else:
            await send({"type": f"lifespan.{name}.complete"})
