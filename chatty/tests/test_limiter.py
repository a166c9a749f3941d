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
def test_a_rate_is_read_as_people_write_it(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "10", "10/", "/m", "0/m", "5/0m", "-1/m", "1.5/m", "5/w"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match=r"limit|through"):
        parse_rate(text)


def test_a_bucket_gives_its_burst_and_then_says_how_long_to_wait(buckets):
    waits = [buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) for _ in range(11)]
    assert waits[:10] == [0.0] * 10
    assert waits[10] == pytest.approx(30)


def test_a_bucket_refills_evenly_and_not_above_its_burst(buckets, clock):
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


def test_a_refusal_costs_nothing(buckets, clock):
    for _ in range(50):
        buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1)
    clock.now += 31
    assert buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) == 0


def test_what_is_put_back_can_be_taken_again_but_never_overflows(buckets):
    for _ in range(10):
        buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1)
    for _ in range(3):
        buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], -1)
    taken = [buckets.take([Bucket("a", b"k", TEN_IN_FIVE_MINUTES)], 1) for _ in range(4)]
    assert taken == [0, 0, 0, pytest.approx(30)]


def test_buckets_of_other_names_and_keys_are_others(limiter):
    for _ in range(3):
        limiter.check("knock", "alice")
    limiter.check("knock", "bob")
    limiter.check("other", "alice")
    with pytest.raises(ChatError):
        limiter.check("knock", "alice")


def test_memory_is_bounded_whatever_keys_strangers_invent(buckets):
    for n in range(1000):
        buckets.take([Bucket("a", str(n).encode(), TEN_IN_FIVE_MINUTES)], 1)
    assert len(buckets) == 100


def test_a_full_bucket_is_refused_with_the_code_and_whole_seconds(limiter):
    for _ in range(3):
        limiter.check("knock", "k")
    with pytest.raises(ChatError) as caught:
        limiter.check("knock", "k")
    assert caught.value.code == "slow_down"
    assert caught.value.retry_after == 20


async def test_coroutines_and_threads_drink_from_the_same_bucket(limiter):
    await limiter.acheck("knock", "k")
    limiter.check("knock", "k")
    limiter.check_local("knock", "k")
    with pytest.raises(ChatError):
        await limiter.acheck("knock", "k")


def test_parallel_takers_never_get_more_than_the_burst(limiter, settings):
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


def test_an_unknown_bucket_is_a_fault_of_ours_and_not_let_through(limiter):
    with pytest.raises(KeyError):
        limiter.check("nobody_named_this", "k")


def test_what_costs_more_than_a_bucket_holds_is_refused_from_the_first_time_on():
    buckets = LocalBuckets()
    assert buckets.take([Bucket("a", b"k", Rate(1, 1 / 60))], 2) == pytest.approx(60)
    assert len(buckets) == 0


def test_one_megabyte_of_key_costs_no_more_than_a_short_one(limiter, settings):
    settings.LIMITS = {"knock": "1/h"}

    def knock(n):
        with contextlib.suppress(ChatError):
            limiter.check("knock", f"{n}" + "k" * 1_000_000)

    knock(0)
    tracemalloc.start()
    try:
        for n in range(20):
            knock(n)
            knock(n)  # refused
        kept, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 50_000


def test_a_table_that_is_full_has_the_size_it_says(buckets):
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


def test_what_is_refused_stores_nothing_and_takes_from_no_bucket(limiter):
    for _ in range(3):
        limiter.check("knock", "k")
    before = len(limiter._local)
    for n in range(50):
        with pytest.raises(ChatError):
            limiter.take([bucket("other", str(n)), bucket("knock", "k")])
    assert len(limiter._local) == before
    for _ in range(3):
        limiter.check("other", "0")


def test_whoever_goes_on_asking_is_not_forgotten(clock):
    table = LocalBuckets(clock=lambda: clock.now, size=10)
    guesser = [Bucket("a", b"guesser", Rate(1, 1 / 3600))]
    table.take(guesser, 1)
    for n in range(100):
        assert table.take(guesser, 1) > 0
        table.take([Bucket("a", str(n).encode(), TEN_IN_FIVE_MINUTES)], 1)


def test_a_key_may_hold_what_cannot_be_encoded(limiter):
    limiter.check("knock", "\ud800")


def test_a_network_is_a_limit_of_its_own(limiter):
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


def test_an_address_alone_does_not_use_up_its_network(limiter):
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
def test_the_network_of_an_address(address, network):
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
def test_a_host_is_one_ip_address(client, host):
    assert client_host({"client": client}) == host


class TestWithoutItsRedis:
    @pytest.fixture
    def lonely(self, limiter, settings):
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        return limiter

    def test_it_counts_in_the_process(self, lonely):
        for _ in range(3):
            lonely.check("knock", "k")
        with pytest.raises(ChatError):
            lonely.check("knock", "k")

    async def test_so_does_a_coroutine(self, lonely):
        for _ in range(3):
            await lonely.acheck("knock", "k")
        with pytest.raises(ChatError):
            await lonely.acheck("knock", "k")

    def test_it_asks_redis_again_only_after_a_rest(self, lonely, monkeypatch):
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
        """Two processes that share one Redis, and buckets no other test uses."""
        settings.REDIS_URL = redis_url
        settings.LIMITS = {request.node.name: "3/m"}
        return request.node.name, Limiter(), Limiter()

    def test_all_processes_drink_from_one_bucket(self, processes):
        name, one, two = processes
        one.check(name, "k")
        two.check(name, "k")
        one.check(name, "k")
        for process in (one, two):
            with pytest.raises(ChatError) as caught:
                process.check(name, "k")
            assert caught.value.retry_after == pytest.approx(20, abs=1)
        two.check(name, "other")

    async def test_coroutines_of_all_processes_too(self, processes):
        name, one, two = processes
        await one.acheck(name, "k")
        await two.acheck(name, "k")
        one.check(name, "k")
        with pytest.raises(ChatError):
            await two.acheck(name, "k")

    def test_what_is_put_back_is_there_for_all(self, processes):
        name, one, two = processes
        for _ in range(3):
            one.check(name, "k")
        two.put_back(name, "k")
        one.check(name, "k")
        with pytest.raises(ChatError):
            two.check(name, "k")

    def test_what_is_refused_takes_from_no_bucket(self, processes):
        name, one, two = processes
        for _ in range(3):
            one.check(name, "full")
        for _ in range(5):
            with pytest.raises(ChatError) as caught:
                two.take([bucket(name, "k"), bucket(name, "full")])
            assert caught.value.retry_after == pytest.approx(20, abs=1)
        for _ in range(3):
            one.check(name, "k")

    def test_a_network_is_a_limit_of_its_own(self, processes):
        name, one, _ = processes
        for n in range(3 * NETWORK_TIMES):
            one.check_address(name, f"2001:db8:1:{n:x}::/64")
        with pytest.raises(ChatError):
            one.check_address(name, "2001:db8:1:ffff::/64")

    def test_no_key_stands_in_redis_in_clear(self, processes, redis_url):
        name, one, _ = processes
        one.check(name, "alice@example.org 10.0.0.1")
        names = redis.from_url(redis_url).keys("*")
        assert names
        assert not any(b"alice" in found for found in names)

    def test_a_bucket_is_forgotten_once_it_would_be_full_again(self, processes, redis_url):
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
def test_an_address_is_what_one_customer_has(client, address):
    assert client_address({"client": client}) == address


def test_a_request_is_known_by_its_socket_and_not_by_what_it_says():
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="10.9.9.9")
    assert client_address(request) == "192.0.2.7"


def test_a_limit_nobody_can_read_is_found_before_the_server_starts(settings):
    settings.LIMITS = {"knock": "3/m", "other": "often"}
    found = limits_can_be_read(None)
    assert [(error.id, "LIMIT_OTHER" in error.msg) for error in found] == [("chatty.E008", True)]
