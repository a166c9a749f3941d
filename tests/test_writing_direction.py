"""Style sheets work in both directions: they say start and end, not left and right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversations.templatetags.chatty import POINTING_ICONS

ROOT = Path(__file__).resolve().parent.parent
STYLES = sorted((ROOT / "static/css").rglob("*.css"))

_DECLARATION = re.compile(r"(?<![\w-])(?P<name>[a-z-]+)\s*:\s*(?P<value>[^;{}]+);")
_PHYSICAL_NAME = re.compile(
    r"(left|right)$|(margin|padding|border|scroll-margin|scroll-padding)-(left|right)\b"
    r"|border-(top|bottom)-(left|right)-radius$"
)
_SIDES = {"margin", "padding", "inset", "scroll-margin", "scroll-padding", "border-width"}
_CORNERS = "border-radius"
# (file, declaration) where the sides of the screen are meant.
_ALLOWED = {
    # The place of the menu is set by script, in pixels from the left.
    ("message_actions.css", "inset: 0 auto auto 0"),
}
# Sides of icons' names.
_POINTS = re.compile(
    r"\b(left|right|reply|forward|send|undo|redo|log-(in|out)|panel|indent|outdent)\b"
)


def parts(value: str) -> list[str]:
    """Split a value at its spaces, but not within parentheses."""
    return re.findall(r"(?:[^\s()]|\((?:[^()]|\([^()]*\))*\))+", value)


def physical_in(text: str, file: str = "") -> Iterator[str]:
    """Yield each declaration that is different on the left and on the right of every page."""
    for found in _DECLARATION.finditer(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)):
        name, value = found["name"], " ".join(found["value"].split())
        given = parts(value.removesuffix("!important"))
        says_side = name in {"text-align", "float", "clear"} and bool(
            {"left", "right"} & set(given)
        )
        # A notch is on a side of the device.
        plain = [re.sub(r"safe-area-inset-\w+", "safe-area-inset", part) for part in given]
        is_lopsided = (name in _SIDES and len(plain) == 4 and plain[1] != plain[3]) or (
            name == _CORNERS and len(plain) > 1
        )
        declaration = f"{name}: {value}"
        if (_PHYSICAL_NAME.search(name) or says_side or is_lopsided) and (
            file,
            declaration,
        ) not in _ALLOWED:
            yield declaration


def test_style_sheets_name_no_left_or_right() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): list(physical_in(path.read_text(), path.name))
        for path in STYLES
    }
    assert len(found) > 20
    assert {path: each for path, each in found.items() if each} == {}


@pytest.mark.parametrize(
    ("declaration", "is_physical"),
    [
        ("margin-left: 1px", True),
        ("right: 0", True),
        ("border-top-left-radius: 1px", True),
        ("text-align: right", True),
        ("padding: 1px 2px 3px 4px", True),
        ("inset: 0 auto auto 0", True),
        ("border-radius: 1px 0", True),
        ("margin-inline-start: 1px", False),
        ("padding: 1px 2px 3px 2px", False),
        ("padding: calc(1px + 2px) 2px", False),
        (
            "padding: 1px max(1rem, env(safe-area-inset-right)) 1px max(1rem, env(safe-area-inset-left))",
            False,
        ),
        ("text-align: end", False),
    ],
)
def test_physical_declarations_are_found(declaration: str, is_physical: bool) -> None:
    found = list(physical_in(f"a {{ {declaration}; }} /* left: 0; */"))
    assert found == ([declaration] if is_physical else [])


def test_icons_that_point_are_mirrored_from_right_to_left() -> None:
    used = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'{% (?:icon|symbol) "([\w-]+)"', path.read_text())
    }
    assert len(used) > 30
    assert {name for name in used if _POINTS.search(name)} <= POINTING_ICONS <= used
