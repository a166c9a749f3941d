"""The targets: the most that each of these figures should be. A run ends with those it measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.contenders import Chatty, ChattySmall, SocketIO
from benchmarks.measure import Figure, Sheet, markdown_table, ratio_to
from benchmarks.scenarios import (
    connect,
    files,
    history,
    hostile,
    page,
    readers,
    rooms,
    search,
    sends,
)


@dataclass(frozen=True)
class Target:
    """`most`: in the unit of the figure. `contender`: whose column the figure is in, for a ratio the
    other server's."""

    scenario: str
    what: str
    most: float
    contender: str = Chatty.name

    @property
    def label(self) -> str:
        return self.what.replace("relative to it", f"relative to {self.contender}")

    def figure(self, sheet: Sheet) -> Figure | None:
        return sheet.find(self.scenario, self.what, self.contender)


_TEN, _TWO_HUNDRED = (rooms.scenario_of(members) for members in (10, 200))

TARGETS = (
    Target(_TEN, rooms.PER_MESSAGE, 0.45),
    Target(_TEN, ratio_to(rooms.PER_DELIVERY), 2.5, SocketIO.name),
    Target(_TEN, rooms.DATABASE, 0.3),
    Target(_TEN, f"p50 {rooms.UNTIL_ALL}", 3.5),
    Target(_TWO_HUNDRED, ratio_to(rooms.PER_DELIVERY), 0.9, SocketIO.name),
    Target(sends.RICH, ratio_to(sends.COST), 1.2, SocketIO.name),
    *(
        Target(
            readers.SCENARIO, ratio_to(what, kind.name), most, contender=readers.WithoutReaders.name
        )
        for kind, cost in ((readers.IdleReader, 1.15), (readers.SearchIndex, 1.4))
        for what, most in ((sends.COST, cost), (readers.P50, 1.15), (readers.P99, 1.15))
    ),
    Target(connect.SCENARIO, connect.COST, 1.2),
    Target(files.SCENARIO, files.MEMORY, 16),
    Target(files.SCENARIO, files.BESIDE, 2),
    Target(connect.SCENARIO, connect.DATABASE, 0.8),
    Target(history.SCENARIO, history.cpu_for(history.latest_of(history.SHORT)), 4),
    Target(history.SCENARIO, history.cpu_for(history.RICH), 4),
    # For fifty messages as people write them: "large" has forty reactions on each.
    Target(page.SCENARIO, page.cpu_for(page.SMALL), 10),
    Target(page.SCENARIO, page.cpu_for(page.RICH), 10),
    Target(page.SCENARIO, page.html_of(page.SMALL), 70),
    *(
        Target(search.SCENARIO, search.time_of(query, person), 50, kind.name)
        for query in ("a common word", "a rare word", "a common letter of Chinese")
        for person in search.PEOPLE
        for kind in (Chatty, ChattySmall)
    ),
    Target(hostile.SCENARIO, hostile.RELATIVE, 2),
    Target(hostile.SCENARIO, hostile.MEMORY, 64),
    Target(hostile.SCENARIO, hostile.SLOWEST, 2),
)


def as_json(sheet: Sheet, *, quick: bool) -> list[dict[str, Any]]:
    """Return all targets. `median` is None if it was not measured, `met` also in a quick run."""
    found = []
    for target in TARGETS:
        figure = target.figure(sheet)
        met = None if figure is None or quick else figure.median <= target.most
        found.append(
            {
                "scenario": target.scenario,
                "what": target.what,
                "contender": target.contender,
                "most": target.most,
                "median": figure and figure.median,
                "met": met,
            }
        )
    return found


def as_markdown(sheet: Sheet, *, quick: bool) -> str:
    """Return the table of the targets that were measured."""
    if quick:
        return "Targets: not checked, because the figures of a quick run mean nothing."
    measured = [(target, target.figure(sheet)) for target in TARGETS]
    rows = [
        [
            target.scenario,
            target.label,
            figure.shown,
            figure.in_unit(target.most),
            "yes" if figure.median <= target.most else "**no**",
        ]
        for target, figure in measured
        if figure is not None
    ]
    unmeasured = len(TARGETS) - len(rows)
    lines = (
        [markdown_table(["target", "figure", "measured", "at most", "met"], rows, words=2)]
        if rows
        else []
    )
    if unmeasured:
        lines.append(f"{unmeasured} of {len(TARGETS)} targets were not measured.")
    return "\n\n".join(lines)
