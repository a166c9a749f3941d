"""The style sheets degrade in older browsers: see tests/browser/test_old_browsers.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_STYLES = Path(__file__).resolve().parent.parent / "static/css"
_SHEETS = sorted(_STYLES.rglob("*.css"))
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SELECTORS = re.compile(r"([^{};]+)\{")


def _split(selectors: str) -> list[str]:
    """Return the selectors of a list. Those within brackets belong to the one around them."""
    found, depth = [""], 0
    for letter in selectors:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return found


@pytest.mark.parametrize("sheet", _SHEETS, ids=lambda sheet: sheet.stem)
def test_has_is_not_in_a_list_with_other_selectors(sheet: Path) -> None:
    """A browser that doesn't know one selector of a list ignores the whole rule."""
    for selectors in _SELECTORS.findall(_COMMENT.sub("", sheet.read_text())):
        if ":has(" in selectors and not selectors.lstrip().startswith("@"):
            listed = _split(selectors)
            assert len(listed) == 1 or all(":has(" in each for each in listed), selectors.strip()


def test_colours_need_no_light_dark() -> None:
    """One unknown function in a variable makes everything that uses it transparent."""
    for sheet in _SHEETS:
        assert "light-dark(" not in _COMMENT.sub("", sheet.read_text()), sheet.name


def test_pages_with_a_card_keep_its_styles_beside_their_own() -> None:
    """Otherwise the form to sign in would be spread over the window."""
    templates = [path.read_text() for path in (_STYLES.parents[1] / "templates").rglob("*.html")]
    cards = [text for text in templates if '{% extends "base_signed_out.html" %}' in text]
    own = [text for text in cards if "{% block styles %}" in text]
    assert len(own) > 2
    for text in own:
        assert (
            "{{ block.super }}" in text.partition("{% block styles %}")[2].partition("endblock")[0]
        )
