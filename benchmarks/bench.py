"""Runs the contenders of a scenario in turns, and collects their figures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tqdm import tqdm

from benchmarks.contenders import (
    Chatty,
    ChattySmall,
    Contender,
    OtherChatty,
    OtherChattySmall,
)
from benchmarks.measure import Sheet, percentile
from benchmarks.site import Plan, Site
from benchmarks.traffic import Faults, Outcome

MICRO, MILLI = 1e6, 1e3
Some = TypeVar("Some", bound=Contender)
_OTHER: dict[type[Any], type[Any]] = {Chatty: OtherChatty, ChattySmall: OtherChattySmall}


@dataclass
class Bench:
    site: Site
    rounds: int
    quick: bool = False
    full: bool = False
    alone: bool = False  # measure only Chatty
    sheet: Sheet = field(default_factory=Sheet)
    absent: dict[str, str] = field(default_factory=dict)  # contender: what is not installed for it

    def available(self, kinds: Sequence[type[Some]]) -> list[type[Some]]:
        """Return the contenders that can run here and are selected. Adds the others to `absent`.

        With `--against` the other checkout follows this one.
        """
        if self.site.against is not None:
            both = [each for kind in kinds for each in (kind, _OTHER.get(kind))]
            kinds = [kind for kind in both if kind is not None]
        if self.alone:
            return [kind for kind in kinds if issubclass(kind, Chatty)]
        for kind in kinds:
            if kind.missing():
                self.absent[kind.name] = kind.missing()
        return [kind for kind in kinds if not kind.missing()]

    @contextlib.contextmanager
    def running(self, contender: Contender, plan: Plan) -> Iterator[Contender]:
        try:
            contender.start(plan)
            yield contender
        finally:
            contender.stop()

    def turns(self, contenders: Sequence[Some], title: str) -> Iterator[Some]:
        """Yield each contender once per round, every second round in reverse order.

        Taking turns spreads disturbances by other load on the machine over all contenders.
        """
        order = [
            contender
            for number in range(self.rounds)
            for contender in (contenders if number % 2 == 0 else contenders[::-1])
        ]
        yield from tqdm(order, desc=title, disable=None, leave=False)

    def note_deliveries(self, scenario: str, contender: str, outcome: Outcome) -> None:
        """Note the 99th percentile of the delays, and the faults."""
        waited = percentile(outcome.waits, 0.99) * MILLI
        self.sheet.note(scenario, "p99 of a message", contender, waited, "ms")
        self.note_faults(scenario, contender, outcome.faults)

    def note_waits(
        self, scenario: str, what: str, contender: str, seconds: Sequence[float]
    ) -> None:
        """Note the median and the 99th percentile, in milliseconds."""
        for share in (0.5, 0.99):
            waited = percentile(seconds, share) * MILLI
            self.sheet.note(scenario, f"p{share * 100:.0f} {what}", contender, waited, "ms", 2)

    def note_faults(self, scenario: str, contender: str, faults: Faults) -> None:
        for what in ("missing", "late", "duplicated", "disordered"):
            label = "out of order" if what == "disordered" else what
            self.sheet.note(scenario, label, contender, getattr(faults, what), "", 0)
