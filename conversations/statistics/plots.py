"""Plots as SVG, drawn by the server: positions are attributes, looks are in admin.css."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

WIDTH = 406.0
HEIGHT = 148.0
_LEFT, _RIGHT = 40.0, 406.0
_TOP, _BOTTOM = 12.0, 126.0
_BAR = 0.6  # of the space of a value


class Value(msgspec.Struct, frozen=True):
    """`label`: below the axis, "" for none; not shown at the end, where it has no room. `name`: what a
    screen reader says instead."""

    number: int
    name: str
    label: str = ""


class Line(msgspec.Struct, frozen=True):
    y: float
    label_y: float
    number: int


class Mark(msgspec.Struct, frozen=True):
    """Where a value is drawn: the middle of its bar or its point on the curve. `now`: it is the last one."""

    x: float
    y: float
    left: float
    width: float
    height: float
    value: Value
    now: bool


class Plot(msgspec.Struct, frozen=True):
    """`curve` and `area`: paths through all marks, for plots without bars."""

    lines: list[Line]
    marks: list[Mark]
    curve: str
    area: str


def draw(values: Sequence[Value]) -> Plot:
    most = _round_up(max((value.number for value in values), default=0))
    space = (_RIGHT - _LEFT) / max(len(values), 1)
    marks = [_place(number, value, space, most, len(values)) for number, value in enumerate(values)]
    curve = " ".join(f"{'L' if i else 'M'}{each.x} {each.y}" for i, each in enumerate(marks))
    area = f"{curve} L{marks[-1].x} {_BOTTOM} L{marks[0].x} {_BOTTOM}Z" if marks else ""
    return Plot(_grid(most), marks, curve, area)


def _place(number: int, value: Value, space: float, most: int, count: int) -> Mark:
    height = round((_BOTTOM - _TOP) * value.number / most, 1)
    left = _LEFT + space * (number + (1 - _BAR) / 2)
    return Mark(
        x=round(_LEFT + space * (number + 0.5), 1),
        y=round(_BOTTOM - height, 1),
        left=round(left, 1),
        width=round(space * _BAR, 1),
        height=height,
        value=value,
        now=number == count - 1,
    )


def _grid(most: int) -> list[Line]:
    numbers = sorted({0, most // 2, most}) if most % 2 == 0 else [0, most]
    lines = []
    for number in numbers:
        y = round(_BOTTOM - (_BOTTOM - _TOP) * number / most, 1)
        lines.append(Line(y=y, label_y=y + 4, number=number))
    return lines


def _round_up(number: int) -> int:
    """Return 1, 2, 4, 6 or 8 times a power of ten, or ten: at least `number`, and at least 2."""
    power = 1
    while power * 10 < number:
        power *= 10
    return max(2, next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= number))
