"""Creates all Redis clients from REDIS_URL:

    redis://user:password@host:6379/0
    rediss://...                            TLS; ?ssl_ca_certs=/etc/ssl/our-ca.pem
    unix:///run/redis/redis.sock?db=0       a local socket
    redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0?sentinel_password=...
    rediss+sentinel://...                   TLS to the Sentinels and to Redis

The package `redis` is imported late: without REDIS_URL Chatty runs without loading it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.cache.backends import redis as django_redis
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

# Set explicitly, because redis-py changed its defaults between versions. The timeouts are short: a
# late notification is of no use.
OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5, "health_check_interval": 15}

_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_QUERY = {*_TLS_FILES, "ssl_check_hostname", "db", "sentinel_username", "sentinel_password"}
_SHAPE = (
    "REDIS_URL must look like redis://127.0.0.1:6379/0 (rediss:// with TLS, unix:///path for a "
    "socket, redis+sentinel://host:26379/mymaster for Sentinel). In a password, write / # ? and @ as "
    "%2F %23 %3F and %40."
)


@dataclass(frozen=True, slots=True)
class Target:
    """The parsed REDIS_URL. `hosts` are the Sentinels if `service` is set."""

    hosts: tuple[tuple[str, int], ...]
    path: str = ""  # of a unix socket
    service: str = ""
    tls: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # for connections to Redis itself
    sentinel_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def described(self) -> str:
        """Describes the target without credentials."""
        if self.path:
            return f"{self.path}, database {self.options['db']}"
        hosts = ", ".join(f"{f'[{h}]' if ':' in h else h}:{p}" for h, p in self.hosts)
        through = f"{self.service} by Sentinel at {hosts}" if self.service else hosts
        return f"{through}, database {self.options['db']}{' with TLS' if self.tls else ''}"


def target(url: str) -> Target:
    """Parse REDIS_URL. Raises ImproperlyConfigured, never with the password in its message."""
    try:
        parts = urlsplit(url)
        query = dict(
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        )
    except ValueError:
        raise ImproperlyConfigured(_SHAPE) from None
    if parts.scheme not in _SCHEMES or not url.startswith(f"{parts.scheme}://") or parts.fragment:
        raise ImproperlyConfigured(_SHAPE)
    if unknown := sorted(query.keys() - _QUERY):
        raise ImproperlyConfigured(
            f"REDIS_URL has an unknown option {unknown[0]}. Known are: {', '.join(sorted(_QUERY))}."
        )
    user, _, rest = parts.netloc.rpartition("@")
    credentials = _credentials(*user.partition(":")[::2])
    if parts.scheme == "unix":
        if rest or not parts.path.startswith("/"):
            raise ImproperlyConfigured(_SHAPE)
        options = {**credentials, "db": _number(query.get("db", "0"))}
        return Target((), path=unquote(parts.path), options=options)
    tls = _tls(query) if parts.scheme.startswith("rediss") else {}
    return _on_network(parts.scheme, rest, parts.path, query, credentials, tls)


def _on_network(
    scheme: str,
    netloc: str,
    path: str,
    query: Mapping[str, str],
    credentials: Mapping[str, str],
    tls: Mapping[str, Any],
) -> Target:
    sentinel = scheme.endswith("+sentinel")
    segments = [unquote(segment) for segment in path.split("/")[1:] if segment]
    if len(segments) > (2 if sentinel else 1) or "@" in path:
        raise ImproperlyConfigured(_SHAPE)
    service = segments.pop(0) if sentinel and segments else ""
    if sentinel and not service:
        raise ImproperlyConfigured(
            "REDIS_URL must name the master: redis+sentinel://host:26379/mymaster"
        )
    hosts = tuple(
        _host(each, 26379 if sentinel else 6379) for each in netloc.split(",") if each
    ) or (("127.0.0.1", 26379 if sentinel else 6379),)
    if len(hosts) > 1 and not sentinel:
        raise ImproperlyConfigured(f"REDIS_URL names several hosts. {_SHAPE}")
    return Target(
        hosts,
        service=service,
        tls=bool(tls),
        options={
            **credentials,
            **tls,
            "db": _number(segments[0] if segments else query.get("db", "0")),
        },
        sentinel_options={
            **_credentials(query.get("sentinel_username", ""), query.get("sentinel_password", "")),
            **tls,
        },
    )


def _credentials(username: str, password: str) -> dict[str, str]:
    given = {"username": unquote(username), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _host(text: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        return parts.hostname or "127.0.0.1", parts.port or port
    except ValueError:
        raise ImproperlyConfigured(_SHAPE) from None


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ImproperlyConfigured(f"REDIS_URL: the database must be a number. {_SHAPE}")
    return int(text)


def _tls(query: Mapping[str, str]) -> dict[str, Any]:
    files = {name: query[name] for name in _TLS_FILES if name in query}
    for name, path in files.items():
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise ImproperlyConfigured(
                f"REDIS_URL: can't read {name}={path}: {error.strerror}."
            ) from None
    checked = query.get("ssl_check_hostname", "1").lower() not in {"0", "false", "no", "off"}
    return {"ssl": True, "ssl_check_hostname": checked, **files}


def connect(url: str, **options: Any) -> Redis:
    """Return a client. `options` are for redis-py's connections. Connects on the first command."""
    from redis import Connection, ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
    from redis.sentinel import Sentinel, SentinelConnectionPool

    place = target(url)
    if place.service:
        sentinel = Sentinel(list(place.hosts), sentinel_kwargs=_for_sentinels(place, options))  # type: ignore[no-untyped-call]
        return Redis(
            connection_pool=SentinelConnectionPool(  # type: ignore[no-untyped-call]
                place.service, sentinel, **{**place.options, **options}
            )
        )
    kinds = (Connection, SSLConnection, UnixDomainSocketConnection)
    return Redis(connection_pool=ConnectionPool(**_direct(place, kinds, options)))


def connect_async(url: str, **options: Any) -> AsyncRedis:
    """Like connect(), for the running event loop."""
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.sentinel import SentinelConnectionPool

    host = layer_host(url, **options)
    if "master_name" in host:
        from redis.asyncio.sentinel import Sentinel

        sentinel = Sentinel(host.pop("sentinels"), sentinel_kwargs=host.pop("sentinel_kwargs"))  # type: ignore[no-untyped-call]
        return Redis(
            connection_pool=SentinelConnectionPool(host.pop("master_name"), sentinel, **host)  # type: ignore[no-untyped-call]
        )
    return Redis(connection_pool=ConnectionPool(**host))


def layer_host(url: str, **options: Any) -> dict[str, Any]:
    """Return the entry for `hosts` in the configuration of channels_redis."""
    from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection

    place = target(url)
    if place.service:
        return {
            "master_name": place.service,
            "sentinels": list(place.hosts),
            "sentinel_kwargs": _for_sentinels(place, options),
            **place.options,
            **options,
        }
    return _direct(place, (Connection, SSLConnection, UnixDomainSocketConnection), options)


def _for_sentinels(place: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    """Add the timeouts of `options`: an unavailable Sentinel must fail as quickly as Redis does."""
    waits = {name: value for name, value in options.items() if "timeout" in name}
    return {**place.sentinel_options, **waits}


def _direct(
    place: Target, kinds: tuple[type, type, type], options: Mapping[str, Any]
) -> dict[str, Any]:
    plain, tls, unix = kinds
    given = {name: value for name, value in place.options.items() if name != "ssl"}
    if place.path:
        waits = {n: v for n, v in options.items() if n != "socket_connect_timeout"}
        return {"connection_class": unix, "path": place.path, **given, **waits}
    host, port = place.hosts[0]
    kind = tls if place.tls else plain
    return {"connection_class": kind, "host": host, "port": port, **given, **options}


class CacheClient(django_redis.RedisCacheClient):
    """Django's cache client, with our connect() for each server."""

    _servers: Any
    _pools: Any
    _get_connection_pool_index: Any

    def get_client(self, key: Any = None, *, write: bool = False) -> Redis:
        url = self._servers[self._get_connection_pool_index(write=write)]
        if url not in self._pools:
            self._pools[url] = connect(url, **OPTIONS)
        client: Redis = self._pools[url]
        return client


class Cache(django_redis.RedisCache):
    """Django's Redis cache for every form of REDIS_URL."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = CacheClient


def fault(url: str) -> tuple[str, bool] | None:
    """Check that Redis works. Returns None, or (what is wrong, whether waiting may help)."""
    from redis import exceptions

    place = target(url)
    at = f"Redis at {place.described}"
    client = connect(url, socket_connect_timeout=2, socket_timeout=2)
    try:
        if client.info("server").get("redis_mode") == "sentinel":
            return f"{at} is a Sentinel. Set REDIS_URL=redis+sentinel://host:26379/master", False
        if client.role()[0] not in {"master", b"master"}:
            return f"{at} is a replica. REDIS_URL must point to the master.", False
        client.eval("return 1", 0)
        client.publish("chatty.start", "")
    except exceptions.AuthenticationError:
        return f"{at} does not accept the password. Check user and password in REDIS_URL.", False
    except exceptions.NoPermissionError as error:
        return (
            f"{at} denies permissions that Chatty needs: {error}. Check the user in REDIS_URL.",
            False,
        )
    except exceptions.RedisError as error:
        return _failing(at, error)
    finally:
        client.close()
    return None


def _failing(at: str, error: Exception) -> tuple[str, bool]:
    text = str(error)
    if "SSL" in text or "certificate" in text:
        return (
            f"No secure connection to {at}: {text} Check ssl_ca_certs in REDIS_URL.",
            False,
        )
    if "No master found" in text:
        return f"{at}: no Sentinel knows the master. Check its name in REDIS_URL.", True
    if "Name or service" in text or "resolve" in text or "Errno -2" in text or "Errno -3" in text:
        return f"{at}: the host can't be found. Check REDIS_URL.", True
    if "AUTH" in text or "NOAUTH" in text or "WRONGPASS" in text:
        return f"{at} does not accept the password. Check user and password in REDIS_URL.", False
    return f"{at} does not respond: {text}. Check REDIS_URL and that Redis is running.", True
