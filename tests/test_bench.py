"""`make bench`: each scenario runs and counts correctly. The costs are not checked here."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from array import array
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import __main__ as bench
from benchmarks import client, graphs, targets
from benchmarks.client import HEARD, Line, LoadClients, LoadError, number_of
from benchmarks.graphs import GRAPHS
from benchmarks.measure import CpuTime, Sheet, cpu_seconds, family_cpu_seconds, percentile, ratio_to
from benchmarks.scenarios import SCENARIOS, readers
from benchmarks.traffic import Faults, burst
from tests.installations import ROOT, eventually


def test_faults_distinguish_missing_duplicated_and_disordered():
    faults = Faults()
    faults.compare(array("L", [1, 2, 3, 4]), range(1, 5))
    assert faults == Faults()
    faults.compare([1, 3, 4], range(1, 5))
    assert faults == Faults(missing=1)
    faults.compare([1, 2, 2, 3, 4], range(1, 5))
    assert faults == Faults(missing=1, duplicated=1)
    faults.compare([2, 1, 3, 4], range(1, 5))
    assert faults == Faults(missing=1, duplicated=1, disordered=1)


class Pieces:
    """A socket that returns the given pieces, as if the network had split the data there."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def recv(self, _size: int) -> bytes:
        return self.pieces.pop(0)


def test_number_split_across_reads_counts_once():
    text = b"".join(b'{"body":"%s hello"}' % number_of(n).encode() for n in range(20))
    for cut in range(1, len(text)):
        clients = LoadClients()
        line = Line(Pieces(text[:cut], text[cut:]))
        for _ in range(2):
            clients._read(line)
        assert list(line.heard) == list(range(20)), cut
        clients._epoll.close()


def test_pings_are_answered():
    ours, theirs = socket.socketpair()
    with ours, theirs, LoadClients() as clients:
        line = Line(ours)
        theirs.sendall(b"\x81\x02{}\x89\x04ab\x89d\x81\x02{}")
        clients._read(line)
        assert theirs.recv(100).startswith(b"\x8a\x84\0\0\0\0ab\x89d")


class Refusing:
    """A server that rejects the first `refusals` clients, with 503 or by disconnecting."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.kept: list[socket.socket] = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            for number in itertools.count():
                caller, _address = self.listener.accept()
                caller.recv(1000)
                if number >= self.refusals:
                    caller.sendall(b"HTTP/1.1 101 Switching\r\n\r\nhello")
                    self.kept.append(caller)
                else:
                    caller.sendall(b"HTTP/1.1 503 Busy\r\n\r\n" if number % 2 else b"")
                    caller.close()


@pytest.mark.parametrize(("refusals", "seated"), [(0, 10), (5, 10), (6, 0)])
def test_refused_clients_are_counted_and_retried(refusals, seated):
    server = Refusing(refusals)
    port = server.listener.getsockname()[1]
    with server.listener, LoadClients() as clients:
        if seated:
            clients.connect(port, [b"hi"] * seated, ((b"hello", b""),), at_once=3)
            assert (len(clients.lines), clients.refused) == (seated, refusals)
        else:
            with pytest.raises(LoadError, match="refused"):
                clients.connect(port, [b"hi"] * 10, ((b"hello", b""),), at_once=3)


def test_graphs_show_every_contender_sorted_by_cost(tmp_path, capsys):
    sheet = Sheet()
    for graph in GRAPHS:
        for contender, cost in (("Chatty", 8.0), ("bare <send>", 4.0), ("slow", 800.0)):
            sheet.note(graph.scenario, graph.what, contender, cost, "µs", 2)
    about = {"machine": "A CPU, 2 cores, 24 GiB, Linux 6", "date": "2026-11-26T10:00:00+00:00"}
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({**about, "figures": sheet.as_json()}))
    assert graphs.main([str(figures), str(tmp_path)]) == 0
    for graph in GRAPHS:
        root = ElementTree.fromstring((tmp_path / graph.file).read_text())
        text = [each.text for each in root.iter() if each.tag.endswith("text")]
        assert {"bare <send>", "Chatty", "slow", "800 µs", "8.0 µs", "4.0 µs"} <= set(text)
        assert "A CPU, 2 cores, 24 GiB, 2026-11-26, median of 1." in text[1]
        bars = [float(each.get("width", 0)) for each in root.iter() if each.get("rx") == "5"]
        assert bars == sorted(bars)
    figures.write_text(json.dumps({**about, "figures": []}))
    assert graphs.main([str(figures), str(tmp_path)]) == 1
    assert "No figures of fan-out to 200" in capsys.readouterr().err


def test_heard_matches_every_message_format():
    for text in (
        b'{"body":"n00000007 x"}',
        b'{"body": "n00000007 x"}',
        b'42["m",{"body":"n00000007',
    ):
        assert HEARD.findall(text) == [b"00000007"]
    assert HEARD.findall(b'{"key":"n00000007","html":"<p>n00000007</p>"}') == []


def test_cpu_seconds_measures_another_process():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            before = cpu_seconds(busy.pid)
            with pytest.raises(subprocess.TimeoutExpired):
                busy.wait(0.5)
            assert cpu_seconds(busy.pid) > before
        finally:
            busy.kill()


def test_family_cpu_seconds_includes_running_and_ended_children():
    """As PostgreSQL does: the parent waits, its children work, and one of them ends."""
    parent = (
        "import subprocess, sys\n"
        "burn = 'import time\\nwhile time.process_time() < {}: pass'\n"
        "subprocess.run([sys.executable, '-c', burn.format(0.4)])\n"
        "print('ended', flush=True)\n"
        "subprocess.run([sys.executable, '-c', burn.format(60)])\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as family:
        try:
            assert family.stdout.readline() == b"ended\n"
            ended = family_cpu_seconds(family.pid)
            assert ended - cpu_seconds(family.pid) > 0.35
            eventually(lambda: family_cpu_seconds(family.pid) > ended + 0.2)
        finally:
            for child in Path(f"/proc/{family.pid}/task/{family.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            family.kill()


def test_cpu_time_is_calculated_for_server_and_database():
    spent = CpuTime(5.0, 3.0).since(CpuTime(4.0, 1.0))
    assert spent == CpuTime(1.0, 2.0)
    assert spent.plus(CpuTime(2.0, 2.0)).per(10) == CpuTime(0.3, 0.4)


class Acknowledging:
    """A server that delivers each message to two sockets, and then acknowledges it to the first."""

    def __init__(self, delay: float) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.delay = delay
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            sockets = [self.listener.accept()[0] for _ in range(2)]
            for each in sockets:
                each.sendall(b"hello")
            while data := sockets[0].recv(9):
                for each in sockets:
                    each.sendall(b'{"body":"%s"}' % data)
                time.sleep(self.delay)
                sockets[0].sendall(b'{"type":"sent","key":"%s"}' % data)


def test_burst_measures_acknowledgements_apart_from_deliveries():
    server = Acknowledging(0.05)
    with server.listener, LoadClients() as clients:
        clients.connect(server.port, [b"", b""], ((b"hello", b""),))
        outcome = burst(clients, lambda n: number_of(n).encode(), range(5, 10), window=1)
    assert outcome.faults == Faults()
    assert (len(outcome.waits), outcome.deliveries) == (5, 10)
    assert len(outcome.answers) == 5
    assert min(outcome.answers) >= 0.05
    assert percentile(outcome.waits[:1], 0.5) < min(outcome.answers)


def test_sheet_shows_medians_and_each_table_once():
    sheet = Sheet()
    for value in (3.0, 1.0, 2.0):
        sheet.note("tea", "time", "Chatty", value, "ms")
    assert sheet.as_markdown(fresh=True) == "| tea | Chatty |\n| --- | ---: |\n| time | 2.0 ms |"
    assert sheet.as_markdown(fresh=True) == ""
    assert percentile([], 0.99) == float("inf")
    assert percentile(range(100), 0.99) == 99


def test_ratios_compare_the_same_round():
    sheet = Sheet()
    for ours, theirs in ((1.0, 2.0), (10.0, 20.0), (2.0, 4.0)):
        sheet.note("tea", "CPU", "Chatty", ours, "µs")
        sheet.note("tea", "CPU", "peer", theirs, "µs")
    sheet.note_ratios("tea", "CPU", "Chatty")
    (ratio,) = (each for each in sheet.figures() if "relative" in each.what)
    assert (ratio.contender, ratio.values) == ("peer", [0.5, 0.5, 0.5])


TEA = (
    targets.Target("tea", "CPU", 2.0),
    targets.Target("tea", ratio_to("CPU"), 0.9, "peer"),
    targets.Target("coffee", "CPU", 1_000),
)


@pytest.fixture
def tea(monkeypatch) -> Sheet:
    """Costs 2 ms with Chatty and 2 ms with a peer. There is no coffee."""
    monkeypatch.setattr(targets, "TARGETS", TEA)
    sheet = Sheet()
    for contender in ("Chatty", "peer"):
        sheet.note("tea", "CPU", contender, 2.0, "ms", 2)
    sheet.note_ratios("tea", "CPU", "Chatty")
    return sheet


def test_targets_are_met_up_to_their_value(tea):
    assert targets.as_markdown(tea, quick=False) == (
        "| target | figure | measured | at most | met |\n"
        "| --- | --- | ---: | ---: | ---: |\n"
        "| tea | CPU | 2.00 ms | 2.00 ms | yes |\n"
        "| tea | Chatty's CPU relative to peer | 1.00 times | 0.90 times | **no** |\n\n"
        "1 of 3 targets were not measured."
    )
    judged = targets.as_json(tea, quick=False)
    assert [(each["median"], each["met"]) for each in judged] == [
        (2.0, True),
        (1.0, False),
        (None, None),
    ]


def test_quick_runs_are_not_checked_against_targets(tea):
    assert "not checked" in targets.as_markdown(tea, quick=True)
    judged = targets.as_json(tea, quick=True)
    assert [each["median"] for each in judged] == [2.0, 1.0, None]
    assert {each["met"] for each in judged} == {None}


def test_targets_of_unmeasured_scenarios_are_counted(monkeypatch):
    monkeypatch.setattr(targets, "TARGETS", TEA)
    assert targets.as_markdown(Sheet(), quick=False) == "3 of 3 targets were not measured."


def test_invalid_options_are_rejected(capsys):
    for wrong in (["--only", "tea"], ["--rounds", "0"], ["--against", "/nowhere"]):
        with pytest.raises(SystemExit) as error:
            bench.parsed(wrong)
        assert error.value.code == 2
    said = capsys.readouterr().err
    assert "Unknown scenario: tea" in said
    assert "No Chatty checkout in /nowhere" in said


def measured(tmp_path: Path, *options: str, seconds: float) -> tuple[str, dict[str, Any]]:
    """Run the benchmarks with nothing else running; return the output and the JSON."""
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--alone", "--json", str(figures), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(figures.read_text())


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("scenarios", [["rooms"], list(SCENARIOS)], ids=["one", "all"])
def test_scenarios_run_without_losses(tmp_path: Path, scenarios: list[str]):
    options = ("--quick", "--rounds", "1", "--only", ",".join(scenarios))
    printed, found = measured(tmp_path, *options, seconds=300)
    assert found["quick"]
    noted = {
        (each["scenario"], each["what"], each["contender"]): each["median"]
        for each in found["figures"]
    }
    # "rooms" has two tables, and in a quick run all others have one.
    tables = len(scenarios) + ("rooms" in scenarios)
    assert len({scenario for scenario, *_ in noted}) == tables
    harm = {"missing", "duplicated", "out of order", "not acknowledged", "connections closed"}
    assert {what: count for what, count in noted.items() if what[1] in harm and count} == {}
    assert {what for what, cost in noted.items() if "CPU" in what[1] and not cost > 0} == set()
    for scenario, *_ in noted:
        first = "without readers" if scenario == readers.SCENARIO else "Chatty"
        assert f"| {scenario} | {first} |" in printed
    measured_scenarios = {scenario for scenario, *_ in noted}
    own = [each for each in found["targets"] if each["contender"] == "Chatty"]
    checked = [each for each in own if each["scenario"] in measured_scenarios]
    assert [each for each in checked if each["median"] is None] == []
    assert len(checked) == (len(own) if scenarios == list(SCENARIOS) else 3)
    assert "Targets: not checked" in printed


@pytest.mark.servers
@pytest.mark.long
def test_another_checkout_runs_in_every_scenario_that_compares_checkouts(tmp_path: Path):
    scenarios = [name for name in SCENARIOS if name not in {"hostile", "readers"}]
    options = ("--quick", "--rounds", "1", "--against", ".", "--only", ",".join(scenarios))
    _, found = measured(tmp_path, *options, seconds=300)
    assert found["against"] == found["commit"]
    contenders: dict[str, set[str]] = {}
    for each in found["figures"]:
        contenders.setdefault(each["scenario"], set()).add(each["contender"])
    assert len(contenders) >= len(scenarios)
    assert [
        name for name, seen in contenders.items() if "Chatty of the other checkout" not in seen
    ] == []


@pytest.mark.servers
@pytest.mark.long
def test_four_hostile_clients_barely_affect_fifty_people(tmp_path: Path):
    _, found = measured(tmp_path, "--rounds", "3", "--only", "hostile", seconds=400)
    judged = [each for each in found["targets"] if each["median"] is not None]
    assert len(judged) == 3
    assert [each for each in judged if not each["met"]] == []
    noted = {each["what"]: each["median"] for each in found["figures"]}
    assert noted["missing"] == noted["duplicated"] == noted["out of order"] == 0


def test_frame_length_is_not_mistaken_for_a_ping():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = Line(ours)
        client._answer_pings(line, b"\x81\x7e\x01\x89" + b"x" * 0x189)
        client._answer_pings(line, b"\x89\x02hi")
        assert theirs.recv(100) == b"\x8a\x82\0\0\0\0hi"
