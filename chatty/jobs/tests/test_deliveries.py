"""Deliveries: sent after the commit, in order where it matters, and no destination delays another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError, connections, transaction
from django.utils import timezone

from chatty.jobs import claims, deliveries, delivery_worker, statistics, wakeups
from chatty.jobs.deliveries import DestinationError, PostponedError, RefusedError
from chatty.jobs.delivery_worker import Deliveries
from chatty.jobs.models import Delivery, Destination
from chatty.jobs.tests.helpers import eventually, purge, send_waiting, watch_idle
from chatty.ops import metrics

KIND = "letter"


class Post:
    """A kind that notes what it sends. `errors`: by template, raised once each."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.errors: dict[str, list[BaseException]] = {}
        self.obsolete: set[str] = set()
        self.hook: Callable[[str], None] = lambda template: None

    def prepare(self, delivery: Delivery) -> str | None:
        return None if delivery.template in self.obsolete else delivery.template

    def send(self, template: str) -> None:
        self.hook(template)
        if errors := self.errors.get(template):
            raise errors.pop(0)
        self.sent.append(template)


@pytest.fixture
def post(monkeypatch) -> Post:
    monkeypatch.setattr(deliveries, "_kinds", {})
    post = Post()
    deliveries.register(KIND, post.prepare, post.send)
    return post


def deliver(template: str, destination: str = "here", **options) -> Delivery:
    return deliveries.deliver(KIND, destination, template, {"id": 1}, **options)


def make_due() -> None:
    now = timezone.now()
    Delivery.objects.update(due_at=now)
    Destination.objects.update(retry_at=now)


@pytest.mark.django_db
class TestRows:
    def test_delivery_is_sent_and_removed(self, post):
        deliver("one")
        assert send_waiting() == 1
        assert post.sent == ["one"]
        assert not Delivery.objects.exists()

    def test_nothing_to_send_any_more_removes_the_row(self, post):
        deliver("one")
        post.obsolete = {"one"}
        assert send_waiting() == 1
        assert post.sent == []
        assert not Delivery.objects.exists()

    def test_unknown_kind_is_an_error_and_left_to_other_versions(self, post):
        with pytest.raises(LookupError):
            deliveries.deliver("parcel", "here", "one", {})
        deliver("one")
        Delivery.objects.update(kind="parcel")
        assert send_waiting() == 0

    def test_unknown_template_is_an_error_and_left_to_other_versions(self, post):
        deliveries._kinds.clear()
        templates = {"one"}
        deliveries.register(KIND, post.prepare, post.send, templates=templates)
        templates.add("two")
        with pytest.raises(LookupError):
            deliver("three")
        for template in ("one", "two"):
            deliver(template)
        Delivery.objects.filter(template="one").update(template="three")
        assert send_waiting() == 1
        assert post.sent == ["two"]
        assert Delivery.objects.get().failures == 0

    def test_unreachable_destination_delays_all_its_deliveries_and_no_others(self, post):
        for template in ("one", "two"):
            deliver(template)
        deliver("three", "elsewhere")
        post.errors = {"one": [DestinationError("down")], "two": [DestinationError("down")]}
        assert send_waiting() == 3
        assert post.sent == ["three"]
        row = Destination.objects.get()
        assert (row.name, row.failures) == ("here", 1)  # both failed at once
        assert "down" in row.error
        Delivery.objects.update(due_at=timezone.now())
        deliver("four")
        assert send_waiting() == 0
        make_due()
        assert send_waiting() == 1  # one tries first
        assert not Destination.objects.exists()
        assert send_waiting() == 2
        assert sorted(post.sent) == ["four", "one", "three", "two"]

    def test_destination_waits_longer_after_each_failure(self, post):
        deliver("one")
        post.errors = {"one": [DestinationError("down")] * 5}
        delays = []
        for _ in range(5):
            make_due()
            before = timezone.now()
            assert send_waiting() == 1
            delays.append(round((Destination.objects.get().retry_at - before).total_seconds()))
        assert delays == [1, 2, 4, 8, 16]

    def test_delivery_that_fails_first_does_not_block_the_probe(self, post):
        """Each probe is another delivery, so that one that upsets the destination can't block the rest."""
        deliver("one")
        post.errors = {"one": [DestinationError("down")] * 9}
        send_waiting()
        deliver("two")
        Destination.objects.update(retry_at=timezone.now())
        assert send_waiting() == 1
        assert post.sent == ["two"]
        assert not Destination.objects.exists()

    def test_only_one_process_tries_an_unreachable_destination(self, post):
        deliver("one")
        deliver("two")
        Destination.objects.create(
            name="here", failed_at=timezone.now(), retry_at=timezone.now(), error=""
        )
        claimed = deliveries.claim(10, {}, 10, [], "")
        assert [each.is_probe for each in claimed] == [True]
        assert deliveries.claim(10, {}, 10, [], "") == []

    def test_destination_is_tried_again_after_the_clock_was_set_back(self, post):
        deliver("one")
        ahead = timezone.now() + timedelta(days=1)
        Destination.objects.create(name="here", failed_at=ahead, retry_at=ahead, error="")
        assert send_waiting() == 1

    def test_delivery_is_sent_at_once_after_the_clock_was_set_back(self, post):
        deliver("one")
        Delivery.objects.update(due_at=timezone.now() + timedelta(hours=1))
        assert send_waiting() == 1

    def test_refused_delivery_is_set_aside_and_the_next_one_is_sent(self, post):
        deliver("one", ordering="a")
        deliver("two", ordering="a")
        post.errors = {"one": [RefusedError("no such person")]}
        assert [send_waiting(), send_waiting()] == [1, 1]
        assert post.sent == ["two"]
        row = Delivery.objects.get()
        assert row.set_aside_at is not None
        assert "no such person" in row.error
        assert deliveries.try_again([row]) == 1
        assert send_waiting() == 1

    @pytest.mark.parametrize("error", [PostponedError("later"), ValueError("a fault")])
    def test_failure_of_one_delivery_delays_it_alone(self, post, error):
        deliver("one")
        deliver("two")
        post.errors = {"one": [error]}
        assert send_waiting() == 2
        assert post.sent == ["two"]
        assert not Destination.objects.exists()
        assert send_waiting() == 0
        make_due()
        assert send_waiting() == 1

    def test_order_is_kept_within_a_destination_and_ordering(self, post):
        for template in ("a1", "a2", "b1"):
            deliver(template, ordering=template[0])
        deliver("x1", "elsewhere", ordering="a")
        deliver("free")
        post.errors = {"a1": [PostponedError("later")]}
        assert send_waiting() == 4
        assert sorted(post.sent) == ["b1", "free", "x1"]
        assert send_waiting() == 0
        make_due()
        assert [send_waiting(), send_waiting()] == [1, 1]
        assert post.sent[3:] == ["a1", "a2"]

    def test_delivery_is_set_aside_after_a_day(self, post):
        deliver("one")
        deliver("two")
        Delivery.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        Delivery.objects.filter(template="two").update(
            claim="x", claimed_until=timezone.now() + timedelta(seconds=20)
        )
        deliveries.set_expired_aside()
        row = Delivery.objects.get(template="one")
        assert (row.set_aside_at is not None, row.error) == (True, deliveries.EXPIRED)
        assert Delivery.objects.get(template="two").set_aside_at is None
        assert send_waiting() == 0
        assert deliveries.try_again([row]) == 1
        assert send_waiting() == 1

    def test_trying_again_does_not_wait_for_the_destination(self, post):
        row = deliver("one")
        deliver("three", "elsewhere")
        post.errors = {
            "one": [DestinationError("down")],
            "three": [DestinationError("down")],
        }
        assert send_waiting() == 2
        assert deliveries.try_again([row]) == 1
        assert send_waiting() == 1
        assert post.sent == ["one"]
        assert Destination.objects.get().name == "elsewhere"

    def test_trying_a_destination_again_does_not_wait_for_its_deliveries(self, post):
        deliver("one")
        post.errors = {"one": [DestinationError("down")]}
        assert [send_waiting(), send_waiting()] == [1, 0]
        assert deliveries.try_destinations_again(Destination.objects.all()) == 1
        assert send_waiting() == 1
        assert post.sent == ["one"]

    def test_retries_last_for_more_than_a_day(self):
        delays = [claims.retry_delay(n) for n in range(1, Delivery.FAILURES_MAX)]
        assert sum(delays, timedelta()) > deliveries.EXPIRES_AFTER

    def test_failure_after_a_day_sets_aside(self, post):
        row = deliver("one")
        (claimed,) = deliveries.claim(1, {}, 1, [], "")
        claimed.delivery.expires_at = timezone.now()
        deliveries.fail(claimed, DestinationError("down"), timezone.now())
        row.refresh_from_db()
        assert row.set_aside_at is not None

    def test_delivery_that_was_set_aside_is_forgotten_after_a_month(self, post):
        deliver("old")
        deliver("recent")
        now = timezone.now()
        Delivery.objects.update(set_aside_at=now - timedelta(days=29))
        Delivery.objects.filter(template="old").update(set_aside_at=now - timedelta(days=31))
        purge("deliveries")
        assert Delivery.objects.get().template == "recent"

    def test_destination_is_forgotten_when_nothing_waits_for_it(self, post):
        for name in ("a", "b"):
            row = deliver(name, name)
            post.errors[name] = [DestinationError("down")]
        send_waiting()
        Delivery.objects.filter(pk=row.pk).update(set_aside_at=timezone.now())
        purge("destinations")
        assert Destination.objects.get().name == "a"

    def test_places_are_limited_and_shared_by_destinations(self, post):
        for destination in ("a", "b", "c"):
            for _ in range(5):
                deliver(destination, destination)
        found = deliveries.claim(5, {"a": 1}, 2, [], "")
        assert [each.delivery.destination for each in found] == ["a", "b", "b", "c", "c"]
        found = deliveries.claim(2, {}, 2, [], "b")
        assert [each.delivery.destination for each in found] == ["c", "c"]

    def test_delivery_in_hand_is_not_claimed_again_by_the_same_process(self, post):
        row = deliver("one")
        assert deliveries.claim(5, {}, 5, [row.pk], "") == []

    def test_metrics_count_what_is_waiting(self, post):
        deliver("one")
        deliver("two")
        Delivery.objects.filter(template="two").update(set_aside_at=timezone.now())
        Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=100))
        statistics.update_metrics()
        assert metrics.DELIVERIES_WAITING.labels(KIND)._value.get() == 1
        assert metrics.DELIVERIES_SET_ASIDE.labels(KIND)._value.get() == 1
        assert metrics.DELIVERIES_AGE.labels(KIND)._value.get() >= 100
        Delivery.objects.all().delete()
        statistics.update_metrics()
        assert metrics.DELIVERIES_WAITING.labels(KIND)._value.get() == 0


class Running:
    """Workers, as in several processes. `go`: lets hanging deliveries end."""

    def __init__(self, threads) -> None:
        self.threads = threads
        self.workers: list[Deliveries] = []
        self.tasks: list[asyncio.Task] = []
        self.go = threading.Event()

    def start(self, **options) -> Deliveries:
        worker = Deliveries(self.threads, **options)
        self.workers.append(worker)
        self.tasks.append(asyncio.create_task(worker.run()))
        return worker

    def kill(self, worker: Deliveries) -> None:
        """End it as if its process was killed: nothing is stored any more."""
        self.tasks.pop(self.workers.index(worker)).cancel()
        self.workers.remove(worker)
        for task in worker._running.values():
            task.cancel()

    async def until(self, condition) -> None:
        await eventually(self.threads, condition)

    async def stop(self) -> None:
        self.go.set()
        for worker in self.workers:
            await worker.stop()
        for task in self.tasks:
            task.cancel()


@pytest.fixture
async def running(threads):
    running = Running(threads)
    yield running
    await running.stop()


def none_left() -> bool:
    return not Delivery.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestWorker:
    async def test_commit_wakes_the_worker_and_a_rollback_does_not(
        self, post, running, monkeypatch
    ):
        monkeypatch.setattr(claims, "IDLE_SWEEP_SECONDS", 60.0)
        until_idle = watch_idle(monkeypatch, deliveries)
        running.start()
        assert await until_idle()

        def roll_back():
            with transaction.atomic():
                deliver("never")
                transaction.set_rollback(True)

        await running.threads.run(roll_back)
        await running.threads.run(deliver, "one")
        await running.until(none_left)
        assert post.sent == ["one"]

    async def test_lost_wake_up_is_a_delay(self, post, running, monkeypatch):
        monkeypatch.setattr(claims, "IDLE_SWEEP_SECONDS", 0.1)
        monkeypatch.setattr(wakeups.Wakeups, "send", lambda self: None)
        until_idle = watch_idle(monkeypatch, deliveries)
        running.start()
        assert await until_idle()
        await running.threads.run(deliver, "one")
        await running.until(none_left)

    async def test_hanging_destination_delays_no_other(self, post, running):
        post.hook = lambda template: template == "hangs" and running.go.wait(20)
        await running.threads.run(lambda: [deliver("hangs", "a") for _ in range(30)])
        worker = running.start()
        await running.threads.run(lambda: [deliver("goes", "b") for _ in range(30)])
        await running.until(lambda: not Delivery.objects.filter(destination="b").exists())
        assert post.sent == ["goes"] * 30
        assert worker._destinations["a"] == delivery_worker.DESTINATION_MAX

    async def test_coroutine_is_ended_after_a_time(self, post, running):
        async def send(template):
            await asyncio.sleep(60)

        deliveries._kinds.clear()
        deliveries.register(KIND, post.prepare, send)
        await running.threads.run(deliver, "one")
        running.start(send_seconds=0.1)
        await running.until(lambda: Destination.objects.filter(name="here").exists())
        assert "It took too long." in (await running.threads.run(Destination.objects.get)).error

    async def test_two_workers_send_each_delivery_once(self, post, running):
        names = [f"{number}" for number in range(60)]
        await running.threads.run(lambda: [deliver(name, name[-1]) for name in names])
        running.start()
        running.start()
        await running.until(none_left)
        assert sorted(post.sent) == sorted(names)

    async def test_claim_is_extended_while_it_is_sent(self, post, running, monkeypatch):
        monkeypatch.setattr(deliveries, "LEASE_SECONDS", 0.6)
        monkeypatch.setattr(delivery_worker, "EXTEND_SECONDS", 0.1)
        monkeypatch.setattr(claims, "SWEEP_SECONDS", 0.1)
        extended = []
        real_extend = claims.extend

        def extend(*given, **named):
            real_extend(*given, **named)
            extended.append(given)

        monkeypatch.setattr(claims, "extend", extend)
        post.hook = lambda template: running.go.wait(20)
        await running.threads.run(deliver, "one")
        running.start()
        running.start()
        await running.until(lambda: len(extended) >= 10)
        running.go.set()
        await running.until(none_left)
        assert post.sent == ["one"]

    async def test_killed_process_loses_no_delivery(self, post, running, monkeypatch):
        """Killed before it is sent: sent once. Killed before the end is stored: repeated."""
        monkeypatch.setattr(deliveries, "LEASE_SECONDS", 0.5)
        monkeypatch.setattr(claims, "SWEEP_SECONDS", 0.1)
        monkeypatch.setattr(delivery_worker, "LEFT_SECONDS", 0.1)
        storing = threading.Event()

        def finish(*_, **__):
            storing.set()
            raise OperationalError("the process is about to be killed")

        real_finish = deliveries.finish
        monkeypatch.setattr(deliveries, "finish", finish)
        await running.threads.run(deliver, "one")
        killed = running.start()
        await running.until(storing.is_set)
        running.kill(killed)
        monkeypatch.setattr(deliveries, "finish", real_finish)
        running.start()
        await running.until(none_left)
        assert post.sent == ["one", "one"]

    async def test_sent_delivery_is_not_repeated_while_the_database_is_away(
        self, post, running, monkeypatch
    ):
        monkeypatch.setattr(deliveries, "LEASE_SECONDS", 0.3)
        monkeypatch.setattr(delivery_worker, "EXTEND_SECONDS", 60.0)
        monkeypatch.setattr(claims, "SWEEP_SECONDS", 0.1)
        real_finish = deliveries.finish
        away = threading.Event()
        away.set()

        def finish(*given, **named):
            if away.is_set():
                raise OperationalError("the connection is lost")
            real_finish(*given, **named)

        monkeypatch.setattr(deliveries, "finish", finish)
        await running.threads.run(deliver, "one")
        running.start()
        await running.until(lambda: post.sent)
        await asyncio.sleep(1.5)  # the claim has run out
        away.clear()
        await running.until(none_left)
        assert post.sent == ["one"]

    async def test_late_process_changes_nothing(self, post, running, monkeypatch, caplog):
        """Its claim runs out, and another process sends and removes the delivery."""
        monkeypatch.setattr(deliveries, "LEASE_SECONDS", 0.3)
        monkeypatch.setattr(delivery_worker, "EXTEND_SECONDS", 60.0)
        monkeypatch.setattr(claims, "SWEEP_SECONDS", 0.1)
        hung = []

        def hang_once(template):
            if not hung:
                hung.append(template)
                running.go.wait(20)

        post.hook = hang_once
        await running.threads.run(deliver, "one")
        running.start()
        await running.until(lambda: hung)
        running.start()
        await running.until(none_left)
        running.go.set()
        await running.until(lambda: "ran out" in caplog.text)
        assert post.sent == ["one", "one"]

    async def test_stop_waits_for_what_is_being_sent(self, post, running):
        sending = threading.Event()

        def hook(template):
            sending.set()
            running.go.wait(20)

        post.hook = hook
        await running.threads.run(lambda: [deliver("one") for _ in range(20)])
        worker = running.start()
        await running.until(sending.is_set)
        stop = asyncio.create_task(worker.stop())
        await asyncio.sleep(0.2)
        assert not stop.done()
        running.go.set()
        await stop
        left = await running.threads.run(
            lambda: list(Delivery.objects.values_list("claim", "failures"))
        )
        assert left == [("", 0)] * (20 - len(post.sent))

    async def test_fault_of_a_delivery_does_not_fail_the_stop(
        self, post, running, monkeypatch, caplog
    ):
        def finish(*_, **__):
            raise ValueError

        monkeypatch.setattr(deliveries, "finish", finish)
        sending = threading.Event()
        post.hook = lambda template: sending.set() or running.go.wait(20)
        await running.threads.run(deliver, "one")
        worker = running.start()
        await running.until(sending.is_set)
        stop = asyncio.create_task(worker.stop())
        await worker._ended.wait()
        running.go.set()
        await stop
        assert "could not be handled" in caplog.text

    async def test_stop_does_not_wait_for_a_hanging_server(self, post, running, monkeypatch):
        monkeypatch.setattr(delivery_worker, "STOP_SECONDS", 0.2)
        sending = threading.Event()

        def hook(template):
            sending.set()
            running.go.wait(20)

        post.hook = hook
        await running.threads.run(deliver, "one")
        worker = running.start()
        await running.until(sending.is_set)
        async with asyncio.timeout(5):
            await worker.stop()
        assert await running.threads.run(Delivery.objects.count) == 1


@pytest.mark.django_db(transaction=True)
def test_order_is_kept_by_processes_that_claim_at_once(post):
    for number in range(24):
        deliver(f"{number:02}", ordering="a")
    start = threading.Barrier(3)

    def work():
        try:
            start.wait()
            while Delivery.objects.exists():
                send_waiting()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert post.sent == [f"{number:02}" for number in range(24)]
