"""Parses the files of `talk/` into scenes, with times relative to now. Has no side effects.

A file begins with a header of `name: value` lines, up to the first empty line (just `direct: ann bob` for a
direct message). Then:

    -- 14 09:10                  14 working days ago, starting at 09:10; `-- now 50`: 50 minutes ago
    ann: Text                    a message from ann, a moment after the previous line
    ann #a ^b +20: Text          with the label a, replying to b, 20 minutes later
        more text                further lines of the message, indented by four
      + 👍 bob cat               reactions
      ~ Other text               edited to this soon afterwards
      x                          deleted soon afterwards; `x bob`: by bob
    ! ann adds bob cat           another action, see VERBS
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
OFFICE = ZoneInfo("Europe/Berlin")  # the time zone of the files
VERBS = frozenset({"adds", "archives", "joins", "makes", "renames"})

_BLOCK = re.compile(r"-- (?:(?P<days>\d+) (?P<clock>\d\d:\d\d)|now (?P<minutes>\d+))")
_MESSAGE = re.compile(r"(?P<who>[a-z]+)(?P<marks>(?: [#^+]\w+)*): (?P<words>.*)")
_ACTION = re.compile(r"! (?P<who>[a-z]+) (?P<verb>[a-z]+)(?: (?P<rest>.*))?")


@dataclass(slots=True)
class MessageLine:
    """A message and its changes."""

    at: datetime
    who: str
    body: str
    label: str = ""
    answers: str = ""
    reactions: list[tuple[str, str]] = field(default_factory=list)  # (emoji, handle)
    edited_to: str = ""
    deleted_by: str = ""


@dataclass(frozen=True, slots=True)
class ActionLine:
    at: datetime
    who: str
    verb: str
    rest: str


@dataclass(slots=True)
class Scene:
    """A conversation. `owner`: for a direct message, the person who started it."""

    key: str
    owner: str
    members: list[str]
    name: str = ""  # "" for a direct message
    topic: str = ""
    access: str = "closed"  # also for direct messages
    lines: list[MessageLine | ActionLine] = field(default_factory=list)

    @property
    def is_direct(self) -> bool:
        return not self.name

    @property
    def begins(self) -> datetime:
        return self.lines[0].at - timedelta(minutes=5)


class ScriptError(ValueError):
    """A line of a script is invalid."""


def scenes(now: datetime) -> list[Scene]:
    """Return all conversations of the demo, with times in the month before `now`."""
    return [read(path.stem, path.read_text("utf-8"), now) for path in sorted(TALK.glob("*.txt"))]


def read(key: str, text: str, now: datetime) -> Scene:
    heading, _, talk = text.partition("\n\n")
    scene = _headed(key, heading)
    clock = _Clock(now, random.Random(key))  # noqa: S311 - must give the same data every time
    said: MessageLine | None = None
    for number, line in enumerate(talk.splitlines(), start=heading.count("\n") + 3):
        try:
            said = _read_line(scene, line, said, clock)
        except (KeyError, ScriptError, ValueError) as error:
            raise ScriptError(f"{key}, line {number}: {line!r} ({error})") from error
    for each in scene.lines:
        if isinstance(each, MessageLine):
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


def _read_line(
    scene: Scene, line: str, said: MessageLine | None, clock: _Clock
) -> MessageLine | None:
    """Parse a line. Returns the message that the next line may belong to, if any."""
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
            raise ScriptError("unknown action")
        scene.lines.append(
            ActionLine(clock.next(line), action["who"], action["verb"], action["rest"] or "")
        )
        return None
    spoken = _MESSAGE.fullmatch(line)
    if spoken is None:
        raise ScriptError("invalid line")
    marks = {mark[0]: mark[1:] for mark in spoken["marks"].split()}
    at = clock.next(line, minutes=int(marks.get("+", "0")))
    words = MessageLine(at, spoken["who"], spoken["words"], marks.get("#", ""), marks.get("^", ""))
    scene.lines.append(words)
    return words


def _take_note(said: MessageLine, note: str) -> None:
    sign, _, rest = note.partition(" ")
    if sign == "+":
        emoji, *people = rest.split()
        said.reactions += [(emoji, person) for person in people]
    elif sign == "~":
        said.edited_to = rest
    elif sign == "x":
        said.deleted_by = rest or said.who
    else:
        raise ScriptError("unknown change")


class _Clock:
    """Computes the time of each line: as long after the previous one as it takes to write."""

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
    """Return the day that is this many working days ago. 1 is the last working day before today."""
    day = today
    while ago:
        day -= timedelta(days=1)
        ago -= day.weekday() < 5
    return day


def bodies(of: list[Scene]) -> Iterator[str]:
    """Yield the original text of all messages."""
    for scene in of:
        yield from (line.body for line in scene.lines if isinstance(line, MessageLine))
