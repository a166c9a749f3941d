"""Runs Django's synchronous middleware and views, each request in one thread from beginning to end."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor
from typing import IO, cast

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from chatty.common.file_responses import FileResponse
from chatty.server.asgi_types import Receive, Scope, Send
from chatty.server.file_sender import FileSender
from chatty.server.spooling import BODY

SPARE_THREADS = 4  # for static files, which bypass the concurrency limit


class ThreadedHandler(ASGIHandler):
    """Django's ASGI handler, for an application without asynchronous middleware and views.

    Django's own switches between the event loop and a thread for the middleware, each view middleware, the
    view, rendering and closing. It also starts a thread for each request, which then needs a new
    connection object. That took more than 1 ms of CPU per request.

    Unlike Django's, it doesn't watch for clients that disconnect: a running view can't be stopped anyway,
    and the request holds its place in the concurrency limit for as long as it uses a thread.
    """

    def __init__(self, threads: int) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._files = FileSender()
        self._threads = ThreadPoolExecutor(threads + SPARE_THREADS, "chatty-requests")

    async def __call__(  # type: ignore[override]  # the stubs know other types of messages
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        body: IO[bytes]
        if BODY in scope:
            body = scope[BODY]
        else:
            try:
                body = await self.read_body(receive)
            except RequestAborted:
                return
        # Each request has a context of its own, so that its language and time zone end with it.
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(
            self._threads, context.run, self._respond, scope, body
        )
        if isinstance(response, FileResponse):
            if not self._files.send_later(scope, response):
                await self._files.send(scope, response, receive, send)
            return
        await self.send_response(response, send)  # type: ignore[arg-type]

    def _respond(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            response = cast(HttpResponseBase, refusal if request is None else self._answer(request))
            if response.streaming:  # it would be closed before it is sent
                raise TypeError("Views must return whole responses.")
            # Before it is sent, so that its database connection doesn't wait for the client.
            response.close()
            return response

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # sends request_finished
        return response
