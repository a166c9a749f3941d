"""The one limiter: token buckets with names, the same for forms, REST and sockets.

A bucket holds `burst` tokens and refills evenly. Its rate comes from settings.LIMITS, for example
{"sign_in": "10/5m"}: ten at once, and ten in five minutes from then on. With settings.REDIS_URL the
buckets are shared by all processes; without it, or while Redis is away, every process counts alone.
A limiter that fails must neither stop the chat nor open the gates.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import math
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.http import HttpRequest

from chatty.common.errors import ChatError

if TYPE_CHECKING:
    from redis.commands.core import AsyncScript, Script

log = logging.getLogger(__name__)

# Enough for any honest crowd; beyond it the buckets that rested longest are forgotten.
BUCKETS_MAX = 50_000
REDIS_TIMEOUT = 0.5
# After a failure nobody waits for Redis again for so many seconds.
REDIS_REST = 5.0

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE = re.compile(r"(\d+)/(\d*)([smhd])")

# The clock is Redis's own, so that servers with different clocks share one bucket fairly.
_TAKE = """
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(stored[1]) or burst
tokens = math.min(burst, tokens + math.max(0, now - (tonumber(stored[2]) or now)) * rate)
local wait = 0
if tokens >= cost then
  tokens = math.min(burst, tokens - cost)
else
  wait = (cost - tokens) / rate
end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 1)
return tostring(wait)
"""


@dataclass(frozen=True, slots=True)
class Rate:
    burst: int
    per_second: float


@lru_cache(maxsize=256)
def parse_rate(text: str) -> Rate:
    """Read "10/5m" (ten in five minutes), "3/s", "100/h". Raises ValueError."""
    match = _RATE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a limit. Write it like 10/5m, 3/s or 100/h.")
    burst, seconds = int(match[1]), int(match[2] or 1) * _UNITS[match[3]]
    if not burst or not seconds:
        raise ValueError(f"{text!r} would let nothing through.")
    return Rate(burst, burst / seconds)


class LocalBuckets:
    """The buckets of this process. A key costs about 200 bytes; `size` bounds how many."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, size: int = BUCKETS_MAX
    ) -> None:
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, name: str, key: str, rate: Rate, cost: float) -> float:
        """Take `cost` tokens (negative: put back). Return 0.0, or the seconds until it can be."""
        with self._lock:
            now = self._clock()
            tokens, at = self._buckets.pop((name, key), (float(rate.burst), now))
            tokens = min(rate.burst, tokens + (now - at) * rate.per_second)
            wait = 0.0
            if tokens >= cost:
                tokens = min(rate.burst, tokens - cost)
            else:
                wait = (cost - tokens) / rate.per_second
            self._buckets[name, key] = tokens, now
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
            return wait

    def clear(self) -> None:
        with self._lock:
            self._buckets.clear()

    def __len__(self) -> int:
        return len(self._buckets)


class RedisBuckets:
    """The buckets all processes share. Every method raises redis.RedisError when Redis is away."""

    def __init__(self, url: str) -> None:
        from redis import Redis

        self._url = url
        self._script: Script = Redis.from_url(url, **self._options()).register_script(_TAKE)
        # An asyncio connection belongs to the loop it was opened on.
        self._scripts: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncScript] = (
            WeakKeyDictionary()
        )

    @staticmethod
    def _options() -> dict[str, Any]:
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return {
            "socket_timeout": REDIS_TIMEOUT,
            "socket_connect_timeout": REDIS_TIMEOUT,
            # One more try, at once: a connection may have died while it rested in the pool.
            "retry": Retry(NoBackoff(), 1),
        }

    @staticmethod
    def _key(name: str, key: str) -> str:
        # Hashed, so that no e-mail address stands in Redis.
        return f"chatty:limit:{name}:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"

    def take(self, name: str, key: str, rate: Rate, cost: float) -> float:
        args = [rate.per_second, rate.burst, cost]
        return float(self._script(keys=[self._key(name, key)], args=args))

    async def atake(self, name: str, key: str, rate: Rate, cost: float) -> float:
        args = [rate.per_second, rate.burst, cost]
        return float(await self._async_script()(keys=[self._key(name, key)], args=args))

    def _async_script(self) -> AsyncScript:
        loop = asyncio.get_running_loop()
        script = self._scripts.get(loop)
        if script is None:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            options = {**self._options(), "retry": Retry(NoBackoff(), 1)}
            script = Redis.from_url(self._url, **options).register_script(_TAKE)
            self._scripts[loop] = script
        return script


class Limiter:
    """Asks Redis when there is one, and this process's own buckets when there is none."""

    def __init__(self) -> None:
        self._local = LocalBuckets()
        self._shared: RedisBuckets | None = None
        self._shared_url = ""
        self._rest_until = 0.0
        self._lock = threading.Lock()

    def check(self, name: str, key: str, cost: int = 1) -> None:
        """Take `cost` tokens of the bucket (name, key). Raises ChatError("slow_down", retry_after)."""
        _refuse(self._take(name, key, cost))

    async def acheck(self, name: str, key: str) -> None:
        """The same from a coroutine; never blocks the loop."""
        rate = _rate(name)
        if shared := self._redis():
            try:
                return _refuse(await shared.atake(name, key, rate, 1))
            except _redis_errors() as error:
                self._rest(error)
        _refuse(self._local.take(name, key, rate, 1))

    def check_here(self, name: str, key: str) -> None:
        """As check, but counted in this process alone, in about a microsecond: for every frame."""
        _refuse(self._local.take(name, key, _rate(name), 1))

    def put_back(self, name: str, key: str, cost: int = 1) -> None:
        """Return tokens: what they were taken for turned out to be honest, or was not done."""
        self._take(name, key, -cost)

    def clear(self) -> None:
        """Forget this process's buckets. For tests, and for an administrator in a shell."""
        self._local.clear()

    def _take(self, name: str, key: str, cost: float) -> float:
        rate = _rate(name)
        if shared := self._redis():
            try:
                return shared.take(name, key, rate, cost)
            except _redis_errors() as error:
                self._rest(error)
        return self._local.take(name, key, rate, cost)

    def _redis(self) -> RedisBuckets | None:
        url: str = settings.REDIS_URL or ""
        if not url or time.monotonic() < self._rest_until:
            return None
        with self._lock:
            if self._shared is None or self._shared_url != url:
                self._shared, self._shared_url = RedisBuckets(url), url
            return self._shared

    def _rest(self, error: Exception) -> None:
        self._rest_until = time.monotonic() + REDIS_REST
        log.warning("limits are counted per process: Redis is away (%s)", type(error).__name__)


def _rate(name: str) -> Rate:
    return parse_rate(settings.LIMITS[name])


def _redis_errors() -> tuple[type[Exception], ...]:
    # Imported late: the embedded default runs without the package ever being loaded.
    from redis.exceptions import RedisError

    return (RedisError, OSError)


def _refuse(wait: float) -> None:
    if wait > 0:
        seconds = math.ceil(wait)
        raise ChatError("slow_down", retry_after=seconds)


def client_address(source: HttpRequest | Mapping[str, Any]) -> str:
    """Who is knocking, as a key for a bucket. Takes a request or an ASGI scope.

    Proxies were dealt with at the roof: what stands in scope["client"] is already believed. A
    customer's IPv6 line is a whole /64, so that is what counts as one address.
    """
    if isinstance(source, HttpRequest):
        host = source.META.get("REMOTE_ADDR") or ""
    else:
        host = (source.get("client") or [""])[0] or ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket has no address
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


limiter = Limiter()
