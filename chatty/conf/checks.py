"""System checks that reject unsafe or impossible deployments, each with a hint on how to fix it.

They only read settings and open no connection, so they run before there is a database.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

from chatty.common.limiter import parse_rate

SECRET_MIN = 32
_SAMPLES = ("django-insecure", "change-me", "changeme", "your-secret", "example", "secret-key")


@register(Tags.security)
def secret_is_strong(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    if not settings.SECRET_IS_STORED:
        return
    mend = (
        'Unset it and run `manage.py setup`, or generate a key: python -c "import secrets; '
        'print(secrets.token_urlsafe(50))"'
    )
    key = settings.SECRET_KEY.lower()
    if any(sample in key for sample in _SAMPLES):
        yield Error(
            "SECRET_KEY is a sample value that anyone can look up.", hint=mend, id="chatty.E001"
        )
    elif len(key) < SECRET_MIN or len(set(key)) < 8:
        yield Error("SECRET_KEY is too short or too simple.", hint=mend, id="chatty.E002")


@register(Tags.security)
def metrics_token_is_strong(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN) < SECRET_MIN:
        yield Error(
            f"METRICS_TOKEN is shorter than {SECRET_MIN} characters and could be guessed.",
            hint="Generate one: openssl rand -hex 32",
            id="chatty.E009",
        )


@register(Tags.security)
def debug_is_local(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    if not settings.DEBUG:
        return
    public = settings.PUBLIC_ADDRESS
    if public and public.host not in settings.LOOPBACK:
        yield Error(
            f"DEBUG is on at the public address {public.origin}: error pages would reveal secrets.",
            hint="Set DEBUG=0, or unset PUBLIC_URL while developing on this machine.",
            id="chatty.E003",
        )
    if not is_loopback(settings.HOST):
        yield Error(
            f"DEBUG is on while Chatty listens on {settings.HOST}: error pages would reveal secrets.",
            hint="Set DEBUG=0, or HOST=127.0.0.1 while developing.",
            id="chatty.E004",
        )


@register(Tags.security)
def hosts_are_named(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS accepts every host name, so links in emails could lead anywhere.",
            hint="Set PUBLIC_URL. Its host is then the only one allowed.",
            id="chatty.E005",
        )


@register(Tags.security)
def domains_can_be_confirmed(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    if settings.SIGN_UP_DOMAINS and not settings.MAIL_SET_UP:
        yield Error(
            "SIGN_UP_DOMAINS needs a mail server: without a confirmation by email, anyone could enter an "
            "address at one of these domains.",
            hint="Set EMAIL_URL=smtp+tls://user:password@mail.example.org:587, or remove SIGN_UP_DOMAINS.",
            id="chatty.E011",
        )


@register(Tags.compatibility)
def limits_can_be_read(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    for name, rate in settings.LIMITS.items():
        try:
            parse_rate(rate)
        except ValueError as error:
            yield Error(
                f"LIMIT_{name.upper()}: {error}",
                hint="10/5m allows ten at once, and then ten more every five minutes.",
                id="chatty.E008",
            )


@register(Tags.compatibility)
def channel_layer_is_shared(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Servers such as gunicorn take their number of processes from WEB_CONCURRENCY."""
    count = os.environ.get("WEB_CONCURRENCY", "1").strip()
    if count.isdigit() and int(count) > 1:
        yield from check_several_processes(int(count))


def check_several_processes(count: int) -> Iterable[CheckMessage]:
    """What the settings lack for `count` > 1 processes."""
    if not settings.REDIS_URL:
        yield Error(
            f"{count} processes need Redis to exchange events.",
            hint="Set REDIS_URL=redis://127.0.0.1:6379/0, or use one process.",
            id="chatty.E006",
        )
    if uses_sqlite():
        yield Error(
            f"{count} processes can't share an SQLite database: only one process can use it.",
            hint="Set DATABASE_URL=postgres://user:password@host/name, or use one process.",
            id="chatty.E007",
        )


@register(Tags.compatibility)
def background_work_is_done(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    if uses_sqlite() and not settings.BACKGROUND_WORK:
        yield Error(
            "BACKGROUND_WORK=0 would leave the background work undone: only one process can use an SQLite "
            "database, so the server has to do it.",
            hint="Remove BACKGROUND_WORK, or use PostgreSQL.",
            id="chatty.E010",
        )


@register(Tags.compatibility)
def requests_have_room_for_a_message(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """Messages are also sent with requests: by forms, by REST, and where WebSockets are blocked."""
    if settings.FRAME_MAX > settings.HTTP_BODY_MAX:
        yield Error(
            f"HTTP_BODY_MAX={settings.HTTP_BODY_MAX} is less than a message of MESSAGE_MAX="
            f"{settings.MESSAGE_MAX} characters can need.",
            hint=f"Set HTTP_BODY_MAX={settings.FRAME_MAX} or more, or lower MESSAGE_MAX.",
            id="chatty.E012",
        )


@register(Tags.compatibility)
def pool_is_large_enough(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    """A thread that gets no connection from the pool within five seconds fails."""
    pool = settings.DATABASES["default"].get("OPTIONS", {}).get("pool")
    # Plus four: the message writer, the probe of /readyz and two threads for background work.
    needed = settings.HTTP_RUNNING + settings.SOCKET_THREADS + 4
    if pool and pool["max_size"] < needed:
        yield checks.Warning(
            f"DATABASE_POOL={pool['max_size']} is less than the {needed} connections each process can need.",
            hint=f"Set DATABASE_POOL={needed}, or lower HTTP_RUNNING or SOCKET_THREADS.",
            id="chatty.W004",
        )


@register(Tags.security, deploy=True)
def deployment_is_finished(app_configs: Any, **kwargs: Any) -> Iterable[CheckMessage]:
    if not settings.SECRET_IS_STORED:
        yield checks.Warning(
            "There is no secret key yet, so everyone is signed out when this process ends.",
            hint="Run `manage.py setup`, or set SECRET_KEY.",
            id="chatty.W001",
        )
    if not settings.MAIL_SET_UP:
        yield checks.Warning(
            "No mail server is set, so password reset emails can't be sent.",
            hint="Set EMAIL_URL=smtp+tls://user:password@mail.example.org:587.",
            id="chatty.W005",
        )
    if not settings.HTTPS:
        yield checks.Warning(
            "PUBLIC_URL is not an https:// address, so passwords are sent unencrypted.",
            hint="Put Caddy, nginx or another TLS proxy in front and set PUBLIC_URL=https://...",
            id="chatty.W002",
        )
    elif is_loopback(settings.HOST) and not settings.TRUSTED_PROXIES:
        yield checks.Warning(
            "PUBLIC_URL is https, but no proxy is trusted: every page would redirect to itself.",
            hint="Set TRUSTED_PROXIES=127.0.0.1 if the proxy runs on this machine.",
            id="chatty.W003",
        )


def uses_sqlite() -> bool:
    return "sqlite" in settings.DATABASES["default"]["ENGINE"]


def is_loopback(host: str) -> bool:
    return host in {"localhost", "::1", "[::1]"} or host.startswith("127.")
