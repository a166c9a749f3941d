"""Rate limits for forms, REST and sockets: named token buckets.

A bucket holds `burst` tokens and refills evenly. Its rate comes from settings.LIMITS, for example
{"sign_in": "10/5m"}: ten at once, and ten every five minutes from then on. With settings.REDIS_URL
all processes share the buckets. Without it, or while Redis is unavailable, each process counts alone:
a failing limiter must neither stop the chat nor let everything through.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.http import HttpRequest

from chatty.common import redis_clients
from chatty.common.errors import ChatError

if TYPE_CHECKING:
    from redis.commands.core import AsyncScript, Script

log = logging.getLogger(__name__)

# Keys are digests, so all buckets have the same size. Beyond BUCKETS_MAX, some 16 MB, the least
# recently used ones are dropped.
BUCKETS_MAX = 50_000
# The limits of a network (IPv6 /48, IPv4 /24) are this many times those of one address.
NETWORK_TIMES = 10
REDIS_TIMEOUT = 0.5
# For how many seconds Redis is not tried again after a failure.
REDIS_PAUSE = 5.0

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_RATE = re.compile(r"(\d+)/(\d*)([smhd])")

# Takes tokens from all buckets, or from none if one of them has too few. Uses the clock of Redis,
# because the clocks of the servers may differ.
_TAKE = """
local cost = tonumber(ARGV[1])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local left, wait = {}, 0
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local stored = redis.call('HMGET', key, 'tokens', 'at')
  local tokens = tonumber(stored[1]) or burst
  tokens = math.min(burst, tokens + math.max(0, now - (tonumber(stored[2]) or now)) * rate)
  if tokens < cost then
    wait = math.max(wait, (cost - tokens) / rate)
  end
  left[i] = math.min(burst, tokens - cost)
end
if wait > 0 then
  return tostring(wait)
end
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  redis.call('HSET', key, 'tokens', tostring(left[i]), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', key, math.ceil(burst / rate) + 1)
end
return '0'
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
        raise ValueError(f"{text!r} is not a rate. It must look like 10/5m, 3/s or 100/h.")
    burst, seconds = int(match[1]), int(match[2] or 1) * _UNITS[match[3]]
    if not burst or not seconds:
        raise ValueError(f"{text!r} would not allow anything.")
    return Rate(burst, burst / seconds)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and its current rate."""

    name: str
    digest: bytes
    rate: Rate


def bucket(name: str, key: str, *, times: int = 1) -> Bucket:
    """Return the bucket with `times` the rate of settings.LIMITS[name]."""
    find = _known_bucket if len(key) <= _KNOWN_LENGTH else _bucket
    return find(name, key, settings.LIMITS[name], times)


def _bucket(name: str, key: str, limit: str, times: int) -> Bucket:
    rate = parse_rate(limit)
    if times != 1:
        rate = Rate(rate.burst * times, rate.per_second * times)
    return Bucket(name, _digest(name, key), rate)


# Cached because every frame looks up a bucket.
_known_bucket = lru_cache(maxsize=4096)(_bucket)
_KNOWN_LENGTH = 200


def buckets_of(name: str, address: str) -> list[Bucket]:
    """Return the buckets of a client_address() and of its network, at NETWORK_TIMES the rate."""
    buckets = [bucket(name, address)]
    if network := network_of(address):
        buckets.append(bucket(name, network, times=NETWORK_TIMES))
    return buckets


def _digest(name: str, key: str) -> bytes:
    """Return 16 bytes for a key of any length. Also keeps email addresses out of Redis."""
    text = f"{name} {key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


class LocalBuckets:
    """The buckets of this process. One costs about 330 bytes; `size` bounds how many."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, size: int = BUCKETS_MAX
    ) -> None:
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, buckets: Sequence[Bucket], cost: float) -> float:
        """Take `cost` tokens (negative: put back) from all of the buckets, or from none.

        Returns 0.0, or the seconds to wait. A rejected call creates no buckets.
        """
        with self._lock:
            now = self._clock()
            wait = 0.0
            left: list[tuple[bytes, float]] = []
            for each in buckets:
                digest, rate = each.digest, each.rate
                tokens, at = self._buckets.get(digest, (float(rate.burst), now))
                tokens = min(rate.burst, tokens + (now - at) * rate.per_second)
                if tokens < cost:
                    wait = max(wait, (cost - tokens) / rate.per_second)
                    if digest in self._buckets:
                        self._buckets.move_to_end(
                            digest
                        )  # a client that keeps trying must not be dropped
                left.append((digest, min(rate.burst, tokens - cost)))
            if wait > 0:
                return wait
            for digest, tokens in left:
                self._buckets[digest] = tokens, now
                self._buckets.move_to_end(digest)
            while len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
            return 0.0

    def left(self, bucket: Bucket) -> float:
        """Return the tokens in the bucket now."""
        burst = float(bucket.rate.burst)
        with self._lock:
            now = self._clock()
            tokens, at = self._buckets.get(bucket.digest, (burst, now))
        return min(burst, tokens + (now - at) * bucket.rate.per_second)

    def clear(self) -> None:
        with self._lock:
            self._buckets.clear()

    def __len__(self) -> int:
        return len(self._buckets)


class RedisBuckets:
    """The buckets all processes share. Every method raises RedisError if Redis is unavailable."""

    def __init__(self, url: str) -> None:
        self._url = url
        client = redis_clients.connect(url, **self._options())
        self._script: Script = client.register_script(_TAKE)
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
            # Retry once, immediately: an idle connection in the pool may have died.
            "retry": Retry(NoBackoff(), 1),
        }

    def take(self, buckets: Sequence[Bucket], cost: float) -> float:
        return float(self._script(**self._asked(buckets, cost)))

    async def atake(self, buckets: Sequence[Bucket], cost: float) -> float:
        return float(await self._async_script()(**self._asked(buckets, cost)))

    @staticmethod
    def _asked(buckets: Sequence[Bucket], cost: float) -> dict[str, Any]:
        args = [cost]
        for each in buckets:
            args += [each.rate.per_second, each.rate.burst]
        keys = [f"chatty:limit:{each.name}:{each.digest.hex()}" for each in buckets]
        return {"keys": keys, "args": args}

    def _async_script(self) -> AsyncScript:
        loop = asyncio.get_running_loop()
        script = self._scripts.get(loop)
        if script is None:
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            options = {**self._options(), "retry": Retry(NoBackoff(), 1)}
            script = redis_clients.connect_async(self._url, **options).register_script(_TAKE)
            self._scripts[loop] = script
        return script


class Limiter:
    """Uses the buckets in Redis if it is configured and available, otherwise local ones."""

    def __init__(self) -> None:
        self._local = LocalBuckets()
        self._shared: RedisBuckets | None = None
        self._shared_url = ""
        self._paused_until = 0.0
        self._lock = threading.Lock()

    def check(self, name: str, key: str, cost: int = 1) -> None:
        """Take `cost` tokens of the bucket (name, key). Raises ChatError("slow_down", retry_after)."""
        _raise_slow_down(self._take([bucket(name, key)], cost))

    def check_address(self, name: str, address: str) -> None:
        """Like check(), for a client_address() and its network."""
        self.take(buckets_of(name, address))

    def take(self, buckets: Sequence[Bucket]) -> None:
        """Take one token from each bucket, or from none.

        Raises ChatError("slow_down", retry_after).
        """
        _raise_slow_down(self._take(buckets, 1))

    async def acheck(self, name: str, key: str) -> None:
        """Like check(), without blocking the event loop."""
        buckets = [bucket(name, key)]
        if shared := self._redis():
            try:
                return _raise_slow_down(await shared.atake(buckets, 1))
            except _redis_errors() as error:
                self._pause_redis(error)
        _raise_slow_down(self._local.take(buckets, 1))

    def check_local(self, name: str, key: str, cost: float = 1) -> None:
        """Like check(), but counted only in this process, so it is fast enough for every frame."""
        _raise_slow_down(self._local.take([bucket(name, key)], cost))

    def left_local(self, name: str, key: str) -> tuple[Rate, float]:
        """Return the rate of a bucket of check_local() and the tokens that are left in it."""
        found = bucket(name, key)
        return found.rate, self._local.left(found)

    def put_back(self, name: str, key: str, cost: int = 1) -> None:
        """Return tokens that were taken for something legitimate, or for something not done."""
        self._take([bucket(name, key)], -cost)

    def put_back_all(self, buckets: Sequence[Bucket]) -> None:
        """Return a token to each bucket."""
        if buckets:
            self._take(buckets, -1)

    def clear(self) -> None:
        """Delete this process's buckets. For tests and for administrators in a shell."""
        self._local.clear()

    def _take(self, buckets: Sequence[Bucket], cost: float) -> float:
        if shared := self._redis():
            try:
                return shared.take(buckets, cost)
            except _redis_errors() as error:
                self._pause_redis(error)
        return self._local.take(buckets, cost)

    def _redis(self) -> RedisBuckets | None:
        url: str = settings.REDIS_URL or ""
        if not url or time.monotonic() < self._paused_until:
            return None
        with self._lock:
            if self._shared is None or self._shared_url != url:
                self._shared, self._shared_url = RedisBuckets(url), url
            return self._shared

    def _pause_redis(self, error: Exception) -> None:
        self._paused_until = time.monotonic() + REDIS_PAUSE
        log.warning(
            "Redis is unavailable (%s): each process counts rate limits on its own. Check REDIS_URL",
            type(error).__name__,
        )


def _redis_errors() -> tuple[type[Exception], ...]:
    # Imported late: without REDIS_URL the package is never loaded.
    from redis.exceptions import RedisError

    return (RedisError, OSError)


def _raise_slow_down(wait: float) -> None:
    if wait > 0:
        seconds = math.ceil(wait)
        raise ChatError("slow_down", retry_after=seconds)


def client_address(source: HttpRequest | Mapping[str, Any]) -> str:
    """Return the client as a key for buckets. `source` is a request or an ASGI scope.

    An IPv6 client is counted as its /64 network, since providers assign at least that to a customer.
    """
    host = client_host(source)
    if ":" in host:
        return str(ipaddress.ip_network((host, 64), strict=False))
    return host


def client_host(source: HttpRequest | Mapping[str, Any]) -> str:
    """Return the client's IP address, or "unknown" for a Unix socket.

    Headers of trusted proxies have already been applied to scope["client"].
    """
    if isinstance(source, HttpRequest):
        host = source.META.get("REMOTE_ADDR") or ""
    else:
        host = (source.get("client") or [""])[0] or ""
    return _normal_host(host)


@lru_cache(maxsize=1024)  # parsing takes 10 µs, and many handshakes come from the same address
def _normal_host(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Return the network of a client_address(): IPv6 /48, IPv4 /24. "" for "unknown".

    A customer with a /48 has 65,536 /64 networks, so counting those is not enough.
    """
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        return ""
    return str(network.supernet(new_prefix=48 if network.version == 6 else 24))


limiter = Limiter()
