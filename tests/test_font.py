"""The font of the pages is the one that docs/font.py makes."""

from __future__ import annotations

import re
from pathlib import Path

from docs.font import FONTS, RANGES

ROOT = Path(__file__).resolve().parent.parent
MAX = 60 * 1024  # bytes


def test_styles_name_the_letters_that_the_font_has():
    styles = (ROOT / "static/css/base.css").read_text()
    face = re.search(r'font-family: "Inter";.*?unicode-range:(.*?);', styles, re.DOTALL)
    assert " ".join(face[1].split()) == " ".join(RANGES.split())


def test_font_is_small_and_has_its_licence():
    assert (FONTS / "inter.woff2").stat().st_size <= MAX
    assert "SIL Open Font License" in (FONTS / "inter.LICENSE.txt").read_text()
