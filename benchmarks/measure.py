"""CPU time and memory of processes, and tables of figures with their medians."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
_JIFFIES = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that all threads of a process have used so far.

    Uses the process's CPU clock (clock_getcpuclockid(3)). It counts the same as /proc/<pid>/stat, but
    in nanoseconds instead of hundredths of a second.
    """
    return time.clock_gettime((~pid << 3) | 2)


def family_cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process and its children have used so far, including ended children.

    PostgreSQL has one process per connection, and others that write and clean up. The kernel counts
    ended children in hundredths of a second, and running ones in nanoseconds.
    """
    used = cpu_seconds(pid)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(OSError):  # it has just ended
            used += cpu_seconds(int(child))
    # After the name, which may contain spaces; see proc_pid_stat(5).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return used + (int(fields[13]) + int(fields[14])) / _JIFFIES


class CpuTime(NamedTuple):
    """Seconds of CPU time: of the processes of a server, and of all processes of PostgreSQL."""

    app: float
    database: float

    def since(self, before: CpuTime) -> CpuTime:
        return CpuTime(self.app - before.app, self.database - before.database)

    def plus(self, other: CpuTime) -> CpuTime:
        return CpuTime(self.app + other.app, self.database + other.database)

    def per(self, units: float) -> CpuTime:
        return CpuTime(self.app / units, self.database / units)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


class Memory:
    """The peak memory of a process since this object was made. `before`: its memory then.

    The kernel knows the peak. Looking repeatedly would miss what is used for some milliseconds only, such as
    the 19 MiB for hashing a password, or not, which made a difference of that much between two runs.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins again: see proc(5)
        self.before = resident_bytes(pid)

    @property
    def most(self) -> int:
        told = self._status.read_text()
        (line,) = [each for each in told.splitlines() if each.startswith("VmHWM:")]
        return 1024 * int(line.split()[1])

    @property
    def grown(self) -> int:
        return self.most - self.before


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed, or infinity if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


@dataclass
class Figure:
    """One measurement of one contender, with its value in every round."""

    scenario: str
    what: str
    unit: str
    contender: str
    digits: int
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def shown(self) -> str:
        return self.in_unit(self.median)

    def in_unit(self, value: float) -> str:
        return f"{value:,.{self.digits}f} {self.unit}".rstrip()


def ratio_to(what: str, base: str = "Chatty") -> str:
    """Return the label of the ratios of note_ratios(), which are in the columns of the others."""
    return f"{base}'s {what} relative to it"


class Sheet:
    """All figures of a run, in the order they were first noted."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, str, str], Figure] = {}
        self._shown: set[str] = set()

    def note(
        self, scenario: str, what: str, contender: str, value: float, unit: str, digits: int = 1
    ) -> None:
        figure = self._figures.setdefault(
            (scenario, what, contender), Figure(scenario, what, unit, contender, digits)
        )
        figure.values.append(value)

    def note_ratios(self, scenario: str, what: str, base: str) -> None:
        """Note the ratio of `base` to each other contender in every round.

        Within a round, other load on the machine affects both.
        """
        noted = [each for each in self.figures() if (each.scenario, each.what) == (scenario, what)]
        own = next(figure.values for figure in noted if figure.contender == base)
        for figure in noted:
            if figure.contender != base:
                for one, other in zip(own, figure.values, strict=True):
                    ratio = one / other
                    self.note(scenario, ratio_to(what, base), figure.contender, ratio, "times", 2)

    def find(self, scenario: str, what: str, contender: str) -> Figure | None:
        return self._figures.get((scenario, what, contender))

    def figures(self) -> list[Figure]:
        return list(self._figures.values())

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "scenario": figure.scenario,
                "what": figure.what,
                "unit": figure.unit,
                "contender": figure.contender,
                "median": figure.median,
                "values": figure.values,
            }
            for figure in self.figures()
        ]

    def as_markdown(self, *, fresh: bool = False) -> str:
        """Return a table for each scenario, with a column for each contender.

        `fresh`: only scenarios that have not been returned before.
        """
        scenarios: dict[str, list[Figure]] = defaultdict(list)
        for figure in self.figures():
            if not (fresh and figure.scenario in self._shown):
                scenarios[figure.scenario].append(figure)
        self._shown.update(scenarios)
        return "\n\n".join(_table(name, figures) for name, figures in scenarios.items())


def _table(scenario: str, figures: list[Figure]) -> str:
    contenders = list(dict.fromkeys(figure.contender for figure in figures))
    cells = {(figure.what, figure.contender): figure.shown for figure in figures}
    rows = [
        [what, *[cells.get((what, contender), "") for contender in contenders]]
        for what in dict.fromkeys(figure.what for figure in figures)
    ]
    return markdown_table([scenario, *contenders], rows)


def markdown_table(head: list[str], rows: list[list[str]], *, words: int = 1) -> str:
    """`words`: how many of the first columns are text. All others are aligned right."""
    line = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, line, *rows))
