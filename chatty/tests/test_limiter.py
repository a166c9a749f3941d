from __future__ import annotations

import contextlib
import threading
import tracemalloc
from types import SimpleNamespace

import pytest
import redis
from django.test import RequestFactory

from chatty.common import limiter as module
from chatty.common.errors import ChatError
from chatty.common.limiter import (
    NETWORK_TIMES,
    Bucket,
    Limiter,
    LocalBuckets,
    Rate,
    bucket,
    client_address,
    client_host,
    network_of,
    parse_rate,
)
from chatty.conf.checks import limits_can_be_read
from tests.services import Redis


@pytest.fixture
def clock():
    return SimpleNamespace(now=1000.0)


@pytest.fixture
def buckets(clock):
    return LocalBuckets(clock=lambda: clock.now, size=100)


@pytest.fixture
def limiter(settings):
    settings.REDIS_URL = ""
    settings.LIMITS = {"knock": "3/m", "other": "3/m"}
    return Limiter()


TEN_IN_FIVE_MINUTES = Rate(10, 10 / 300)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/5m", Rate(10, 10 / 300)), ("3/s", Rate(3, 3.0)), ("100/2h", Rate(100, 100 / 7200))],
)
def test_parse_rate(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "10", "10/", "/m", "0/m", "5/0m", "-1/m", "1.5/m", "5/w"])
def test_parse_rate_rejects_invalid_rates(text):
    with pytest.raises(ValueError, match=r"is not a rate|would not allow"):
        parse_rate(text)


def test_bucket_allows_a_burst_and_then_returns_the_wait(buckets):
    waits = [buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) for _ in range(11)]
    assert waits[:10] == [0.0] * 10
    assert waits[10] == pytest.approx(30)


def test_bucket_refills_evenly_up_to_its_burst(buckets, clock):
    for _ in range(10):
        buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1)
    clock.now += 29
    assert buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) == pytest.approx(1)
    clock.now += 2
    assert buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) == 0
    assert buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) > 0
    clock.now += 100_000
    assert [buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) for _ in range(11)][9:] == [
        0,
        pytest.approx(30),
    ]


def test_rejected_requests_cost_nothing(buckets, clock):
    for _ in range(50):
        buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1)
    clock.now += 31
    assert buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) == 0


def test_put_back_refills_the_bucket_up_to_its_burst(buckets):
    for _ in range(10):
        buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1)
    for _ in range(3):
        buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], -1)
    taken = [buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) for _ in range(4)]
    assert taken == [0, 0, 0, pytest.approx(30)]


def test_buckets_are_separate_by_name_and_key(limiter):
    for _ in range(3):
        limiter.check("knock", "alice")
    limiter.check("knock", "bob")
    limiter.check("other", "alice")
    with pytest.raises(ChatError):
        limiter.check("knock", "alice")


def test_number_of_buckets_is_bounded(buckets):
    for n in range(1000):
        buckets.take([Bucket("a", str(n).encode(), TEN_IN_FIVE_MINUTES)], 1)
    assert len(buckets) == 100


def test_exhausted_bucket_raises_slow_down_with_whole_seconds(limiter):
    for _ in range(3):
        limiter.check("knock", "k")
    with pytest.raises(ChatError) as caught:
        limiter.check("knock", "k")
    assert caught.value.code == "slow_down"
    assert caught.value.retry_after == 20


async def test_coroutines_and_threads_share_buckets(limiter):
    await limiter.acheck("knock", "k")
    limiter.check("knock", "k")
    limiter.check_local("knock", "k")
    with pytest.raises(ChatError):
        await limiter.acheck("knock", "k")


def test_parallel_threads_never_exceed_the_burst(limiter, settings):
    settings.LIMITS = {"knock": "25/h"}
    gone_through = []

    def knock():
        for _ in range(20):
            try:
                limiter.check("knock", "k")
            except ChatError:
                continue
            gone_through.append(1)

    threads = [threading.Thread(target=knock) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(gone_through) == 25


def test_unknown_limit_raises_key_error(limiter):
    with pytest.raises(KeyError):
        limiter.check("nobody_named_this", "k")


def test_cost_above_the_burst_is_always_rejected():
    buckets = LocalBuckets()
    assert buckets.take([Bucket("a", b"k", Rate(1, 1 / 60))], 2) == pytest.approx(60)
    assert len(buckets) == 0


def test_long_keys_take_no_more_memory(limiter, settings):
    settings.LIMITS = {"knock": "1/h"}

    def knock(n):
        with contextlib.suppress(ChatError):
            limiter.check("knock", f"{n}" + "k" * 1_000_000)

    knock(0)
    tracemalloc.start()
    try:
        for n in range(20):
            knock(n)
            knock(n)  # rejected
        kept, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 50_000


def test_full_table_takes_bounded_memory(buckets):
    table = LocalBuckets(size=2_000)
    tracemalloc.start()
    try:
        for n in range(10_000):
            table.take(
                [Bucket("a", f"{n}@example.org 2001:db8::/64".encode(), TEN_IN_FIVE_MINUTES)], 1
            )
        kept, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept / 2_000 < 400


def test_rejected_take_changes_no_bucket(limiter):
    for _ in range(3):
        limiter.check("knock", "k")
    before = len(limiter._local)
    for n in range(50):
        with pytest.raises(ChatError):
            limiter.take([bucket("other", str(n)), bucket("knock", "k")])
    assert len(limiter._local) == before
    for _ in range(3):
        limiter.check("other", "0")


def test_active_bucket_is_not_evicted(clock):
    table = LocalBuckets(clock=lambda: clock.now, size=10)
    guesser = [Bucket("a", b"guesser", Rate(1, 1 / 3600))]
    table.take(guesser, 1)
    for n in range(100):
        assert table.take(guesser, 1) > 0
        table.take([Bucket("a", str(n).encode(), TEN_IN_FIVE_MINUTES)], 1)


def test_key_can_contain_surrogates(limiter):
    limiter.check("knock", "\ud800")


def test_check_address_also_limits_the_network(limiter):
    """One customer with a /48 has 65,536 addresses."""
    taken = 0
    with pytest.raises(ChatError):
        for n in range(0x1000):
            limiter.check_address("knock", f"2001:db8:1:{n:x}::/64")
            taken += 1
    assert taken == 3 * NETWORK_TIMES
    limiter.check_address("knock", "2001:db8:2:1::/64")
    with pytest.raises(ChatError):
        for n in range(256):
            limiter.check_address("knock", f"192.0.2.{n}")
    limiter.check_address("knock", "198.51.100.1")


def test_one_address_does_not_exhaust_its_network(limiter):
    for _ in range(3):
        limiter.check_address("knock", "2001:db8:1:1::/64")
    for _ in range(100):
        with pytest.raises(ChatError):
            limiter.check_address("knock", "2001:db8:1:1::/64")
    limiter.check_address("knock", "2001:db8:1:2::/64")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("unknown", ""),
    ],
)
def test_network_of(address, network):
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("client", "host"),
    [
        (["192.0.2.7", 4711], "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2:3:4:5:6"),
        (["::ffff:192.0.2.7", 1], "192.0.2.7"),
        (["fe80::1%eth0", 1], "fe80::1"),
        (None, "unknown"),
        (["192.0.2.7\nFailed", 1], "unknown"),
    ],
)
def test_client_host(client, host):
    assert client_host({"client": client}) == host


class TestRedisDown:
    @pytest.fixture
    def lonely(self, limiter, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        return limiter

    def test_falls_back_to_local_buckets(self, lonely):
        for _ in range(3):
            lonely.check("knock", "k")
        with pytest.raises(ChatError):
            lonely.check("knock", "k")

    async def test_async_falls_back_to_local_buckets(self, lonely):
        for _ in range(3):
            await lonely.acheck("knock", "k")
        with pytest.raises(ChatError):
            await lonely.acheck("knock", "k")

    def test_redis_is_retried_after_a_pause(self, lonely, monkeypatch):
        asked = []
        real = module.RedisBuckets.take

        def take(self, *args):
            asked.append(args)
            return real(self, *args)

        monkeypatch.setattr(module.RedisBuckets, "take", take)
        lonely.check("knock", "a")
        lonely.check("knock", "b")
        assert len(asked) == 1
        lonely._paused_until = 0
        lonely.check("knock", "c")
        assert len(asked) == 2


@pytest.fixture(scope="module")
def redis_url():
    with Redis() as server:
        yield server.url


class TestWithRedis:
    @pytest.fixture
    def processes(self, settings, redis_url, request):
        """Two processes that share one Redis, with buckets that no other test uses."""
        settings.REDIS_URL = redis_url
        settings.LIMITS = {request.node.name: "3/m"}
        return request.node.name, Limiter(), Limiter()

    def test_processes_share_buckets(self, processes):
        name, one, two = processes
        one.check(name, "k")
        two.check(name, "k")
        one.check(name, "k")
        for process in (one, two):
            with pytest.raises(ChatError) as caught:
                process.check(name, "k")
            assert caught.value.retry_after == pytest.approx(20, abs=1)
        two.check(name, "other")

    async def test_coroutines_of_processes_share_buckets(self, processes):
        name, one, two = processes
        await one.acheck(name, "k")
        await two.acheck(name, "k")
        one.check(name, "k")
        with pytest.raises(ChatError):
            await two.acheck(name, "k")

    def test_put_back_is_shared(self, processes):
        name, one, two = processes
        for _ in range(3):
            one.check(name, "k")
        two.put_back(name, "k")
        one.check(name, "k")
        with pytest.raises(ChatError):
            two.check(name, "k")

    def test_rejected_take_changes_no_redis_bucket(self, processes):
        name, one, two = processes
        for _ in range(3):
            one.check(name, "full")
        for _ in range(5):
            with pytest.raises(ChatError) as caught:
                two.take([bucket(name, "k"), bucket(name, "full")])
            assert caught.value.retry_after == pytest.approx(20, abs=1)
        for _ in range(3):
            one.check(name, "k")

    def test_check_address_also_limits_the_network(self, processes):
        name, one, _ = processes
        for n in range(3 * NETWORK_TIMES):
            one.check_address(name, f"2001:db8:1:{n:x}::/64")
        with pytest.raises(ChatError):
            one.check_address(name, "2001:db8:1:ffff::/64")

    def test_keys_are_hashed_in_redis(self, processes, redis_url):
        name, one, _ = processes
        one.check(name, "alice@example.org 10.0.0.1")
        names = redis.from_url(redis_url).keys("*")
        assert names
        assert not any(b"alice" in found for found in names)

    def test_bucket_expires_when_it_would_be_full(self, processes, redis_url):
        name, one, _ = processes
        one.check(name, "k")
        client = redis.from_url(redis_url)
        (key,) = client.keys(f"*:{name}:*")
        assert 0 < client.ttl(key) <= 61


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (["192.0.2.7", 4711], "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (["::ffff:192.0.2.7", 1], "192.0.2.7"),
        (["fe80::1%eth0", 1], "fe80::/64"),
        (None, "unknown"),
        ([None, None], "unknown"),
        (["not an address", 1], "unknown"),
    ],
)
def test_client_address_groups_ipv6_by_64(client, address):
    assert client_address({"client": client}) == address


def test_client_address_ignores_forwarded_headers():
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="10.9.9.9")
    assert client_address(request) == "192.0.2.7"


def test_invalid_limit_fails_the_system_check(settings):
    settings.LIMITS = {"knock": "3/m", "other": "often"}
    found = limits_can_be_read(None)
    assert [(error.id, "LIMIT_OTHER" in error.msg) for error in found] == [("chatty.E008", True)]


def test_tokens_left_are_counted_without_taking_any(buckets, clock):
    door = Bucket("knock", b"a", Rate(4, 2.0))
    assert buckets.left(door) == 4
    buckets.take([door], 3)
    assert [buckets.left(door), buckets.left(door)] == [1, 1]
    clock.now += 0.5
    assert buckets.left(door) == 2
    clock.now += 60
    assert buckets.left(door) == 4
    assert len(buckets) == 1
