"""Reads the files of `talk/`. Pure: text and the present moment in, scenes with their times out.

A file begins with its heading, `name: value` a line, up to the first empty line (`direct: ann bob`
alone for a direct conversation). Then:

    -- 14 09:10                  14 working days ago, from ten past nine; `-- now 50`: 50 minutes ago
    ann: Words                   said a moment after the line before
    ann #a ^b +20: Words         labelled a, in answer to b, 20 minutes later
        more of the same         further lines, indented by four
      + 👍 bob cat               reactions
      ~ Other words              edited to these soon after
      x                          deleted soon after; `x bob`: by bob
    ! ann adds bob cat           a deed: VERBS
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

TALK = Path(__file__).parent / "talk"
OFFICE = ZoneInfo("Europe/Berlin")  # whose clock the files go by
VERBS = frozenset({"adds", "archives", "joins", "makes", "renames"})

_BLOCK = re.compile(r"-- (?:(?P<days>\d+) (?P<clock>\d\d:\d\d)|now (?P<minutes>\d+))")
_MESSAGE = re.compile(r"(?P<who>[a-z]+)(?P<marks>(?: [#^+]\w+)*): (?P<words>.*)")
_ACTION = re.compile(r"! (?P<who>[a-z]+) (?P<verb>[a-z]+)(?: (?P<rest>.*))?")


@dataclass(slots=True)
class Say:
    """Something said, and what became of it."""

    at: datetime
    who: str
    body: str
    label: str = ""
    answers: str = ""
    reactions: list[tuple[str, str]] = field(default_factory=list)  # (emoji, who)
    edited_to: str = ""
    deleted_by: str = ""


@dataclass(frozen=True, slots=True)
class Do:
    at: datetime
    who: str
    verb: str
    rest: str


@dataclass(slots=True)
class Scene:
    """One conversation from beginning to end. `owner`, of a direct one: who opened it."""

    key: str
    owner: str
    members: list[str]
    name: str = ""  # "" of a direct one
    topic: str = ""
    access: str = "closed"  # as a direct one is
    lines: list[Say | Do] = field(default_factory=list)

    @property
    def is_direct(self) -> bool:
        return not self.name

    @property
    def begins(self) -> datetime:
        return self.lines[0].at - timedelta(minutes=5)


class ScriptError(ValueError):
    """A line that cannot be understood."""


def scenes(now: datetime) -> list[Scene]:
    """Return every conversation of the demo, as a month of talk that ends at `now`."""
    return [read(path.stem, path.read_text("utf-8"), now) for path in sorted(TALK.glob("*.txt"))]


def read(key: str, text: str, now: datetime) -> Scene:
    heading, _, talk = text.partition("\n\n")
    scene = _headed(key, heading)
    clock = _Clock(now, random.Random(key))  # noqa: S311 - the same talk every time
    said: Say | None = None
    for number, line in enumerate(talk.splitlines(), start=heading.count("\n") + 3):
        try:
            said = _read_line(scene, line, said, clock)
        except (KeyError, ScriptError, ValueError) as error:
            raise ScriptError(f"{key}, line {number}: {line!r} ({error})") from error
    for each in scene.lines:
        if isinstance(each, Say):
            each.body = each.body.strip("\n")
    return scene


def _headed(key: str, heading: str) -> Scene:
    about = dict(line.split(": ", 1) for line in heading.splitlines())
    if "direct" in about:
        owner, *others = about["direct"].split()
        return Scene(key, owner, others)
    return Scene(
        key=key,
        owner=about["owner"],
        members=about["members"].split(),
        name=about["name"],
        topic=about.get("topic", ""),
        access=about["access"],
    )


def _read_line(scene: Scene, line: str, said: Say | None, clock: _Clock) -> Say | None:
    """Take in one line and return what the next one may belong to."""
    if said is not None and (not line or line.startswith("    ")):
        said.body += f"\n{line[4:]}"
        return said
    if not line:
        return None
    if said is not None and line.startswith("  "):
        _take_note(said, line[2:])
        return said
    if block := _BLOCK.fullmatch(line):
        clock.start(**block.groupdict())
        return None
    if action := _ACTION.fullmatch(line):
        if action["verb"] not in VERBS:
            raise ScriptError("no such deed")
        scene.lines.append(
            Do(clock.next(line), action["who"], action["verb"], action["rest"] or "")
        )
        return None
    spoken = _MESSAGE.fullmatch(line)
    if spoken is None:
        raise ScriptError("not understood")
    marks = {mark[0]: mark[1:] for mark in spoken["marks"].split()}
    at = clock.next(line, minutes=int(marks.get("+", "0")))
    words = Say(at, spoken["who"], spoken["words"], marks.get("#", ""), marks.get("^", ""))
    scene.lines.append(words)
    return words


def _take_note(said: Say, note: str) -> None:
    sign, _, rest = note.partition(" ")
    if sign == "+":
        emoji, *people = rest.split()
        said.reactions += [(emoji, person) for person in people]
    elif sign == "~":
        said.edited_to = rest
    elif sign == "x":
        said.deleted_by = rest or said.who
    else:
        raise ScriptError("no such note")


class _Clock:
    """Tells when each line was said: as long after the last one as people take to write it."""

    def __init__(self, now: datetime, dice: random.Random) -> None:
        self._now = now
        self._at = now
        self._dice = dice

    def start(self, *, days: str | None, clock: str | None, minutes: str | None) -> None:
        if minutes is not None:
            self._at = self._now - timedelta(minutes=int(minutes))
        else:
            day = _working_day(self._now.astimezone(OFFICE), int(days or 0))
            self._at = datetime.combine(day, time.fromisoformat(clock or ""), OFFICE)

    def next(self, line: str, *, minutes: int = 0) -> datetime:
        seconds = self._dice.uniform(8, 80) + len(line) * self._dice.uniform(0.1, 0.3)
        self._at = min(self._at + timedelta(minutes=minutes, seconds=seconds), self._now)
        return self._at


def _working_day(today: datetime, ago: int) -> datetime:
    """Return the day so many working days before today; 1 is the latest before it."""
    day = today
    while ago:
        day -= timedelta(days=1)
        ago -= day.weekday() < 5
    return day


def bodies(of: list[Scene]) -> Iterator[str]:
    """Yield everything that is said, as it was first said."""
    for scene in of:
        yield from (line.body for line in scene.lines if isinstance(line, Say))
