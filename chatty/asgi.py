"""The front door: what every ASGI server (uvicorn, Daphne) calls.

From outside in: proxies' words believed or dropped, probes (health.py), then sockets to their consumer and
HTTP through the bound to Django. Nothing here knows what a chat is.
"""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
django_application = get_asgi_application()  # before whatever imports models

from django.conf import settings  # noqa: E402

from accounts import pictures  # noqa: E402
from chatty import health  # noqa: E402
from chatty.databases import prepare_to_serve  # noqa: E402
from chatty.doors import FrontDoor, HttpBound  # noqa: E402
from conversations.realtime import engine  # noqa: E402
from conversations.realtime.consumers import ChatConsumer  # noqa: E402

prepare_to_serve()

application = FrontDoor(
    http=HttpBound(
        django_application,
        running=settings.HTTP_RUNNING,
        waiting=settings.HTTP_WAITING,
        body_max=settings.HTTP_BODY_MAX,
        body_seconds=settings.HTTP_BODY_SECONDS,
        # A picture, and what is sent along in the same form.
        large=dict.fromkeys(
            ("/settings/profile/", "/api/me/picture/"), settings.HTTP_BODY_MAX + pictures.BYTES_MAX
        ),
    ),
    websockets={"/ws/": ChatConsumer.as_asgi()},
    probes=health.probes(layer=engine.layer_state, take_numbers=engine.take_numbers),
    on_startup=engine.start,
    on_shutdown=engine.stop,
    trusted=settings.TRUSTED_PROXIES,
    https=settings.HTTPS,
)
