"""The ASGI application, for any ASGI server (uvicorn, Daphne).

From outside in: proxy headers are applied or dropped, probes are handled (health.py), sockets go to
their consumer, and HTTP goes through the concurrency limit to Django.
"""

from __future__ import annotations

import os
import re
import sys

import django
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
try:
    django.setup(set_prefix=False)  # before any import of models
except ImproperlyConfigured as error:
    sys.exit(str(error))  # servers would show a traceback around it

from django.conf import settings

from accounts import pictures, socket_auth
from chatty.assets.build import build_id
from chatty.ops import health
from chatty.server import startup
from chatty.server.admission import ConcurrencyLimit
from chatty.server.asgi_types import Scope
from chatty.server.request_handler import ThreadedHandler
from chatty.server.router import Router
from chatty.server.spooling import Spool
from conversations import limits
from conversations.attachments import limits as file_limits
from conversations.realtime import engine
from conversations.sockets.consumer import ChatConsumer

try:
    startup.require_ready_from_anywhere()
except ImproperlyConfigured as error:
    sys.exit(str(error))

build_id()  # not during the first request


async def _require_sender(scope: Scope) -> None:
    """Raise ChatError unless a form with files comes from a page of ours, of someone who is signed in."""
    await engine.current().threads.run(socket_auth.identify, scope)


application = Router(
    http=ConcurrencyLimit(
        ThreadedHandler(settings.HTTP_RUNNING),
        running=settings.HTTP_RUNNING,
        waiting=settings.HTTP_WAITING,
        body_max=settings.HTTP_BODY_MAX,
        body_seconds=settings.HTTP_BODY_SECONDS,
        # A picture, and the other fields of its form.
        large=dict.fromkeys(
            ("/settings/profile/", "/api/me/picture/"), settings.HTTP_BODY_MAX + pictures.BYTES_MAX
        ),
        pieces=("/api/uploads/", file_limits.PIECE_MAX),
        spool=Spool(
            paths=re.compile(r"/c/[0-9]+/messages/"),
            directory=settings.DATA_DIR / "uploads",
            size_min=settings.HTTP_BODY_MAX,
            size_max=settings.HTTP_BODY_MAX + limits.FILES_MAX * limits.file_max(),
            body_seconds=settings.HTTP_BODY_SECONDS,
            require_sender=_require_sender,
        ),
    ),
    websockets={"/ws/": ChatConsumer.as_asgi()},
    probes=health.probes(layer=engine.layer_state, collect_metrics=engine.collect_metrics),
    on_startup=engine.start,
    on_shutdown=engine.stop,
    trusted=settings.TRUSTED_PROXIES,
    https=settings.HTTPS,
)
