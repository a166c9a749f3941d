"""Makes static/fonts/inter.woff2, the font of the pages: a part of Inter, by Rasmus Andersson.

    npm pack inter-ui@4.1.1 && tar xzf inter-ui-4.1.1.tgz
    pip install fonttools==4.68.0 brotli==1.2.1
    python -m docs.font package

`package` is the folder of the npm package. Also copies the licence (SIL Open Font License 1.1). The letters
that are kept are those of the languages of Europe, Vietnamese, Greek and Cyrillic, in the weights that the
pages use; the font has no others, so browsers use the next one of the list in tokens.css for them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

FONTS = Path(__file__).resolve().parent.parent / "static/fonts"
# As in static/css/base.css; a test compares them.
RANGES = (
    "U+0020-007E, U+00A0-017F, U+01A0-01A1, U+01AF-01B0, U+0218-021B, U+02BB-02BC, U+02C6-02DD,"
    " U+0386-03CE, U+0401-045F, U+0490-0491, U+1E9E, U+1EA0-1EF9, U+2010-2027, U+2030-203A, U+2044, U+20AC,"
    " U+2116, U+2122, U+2190-2199, U+2212, U+2260-2265, U+25CF, U+2713"
)
# Kerning, combining marks, forms of some languages, figures of equal width, and forms next to capitals.
FEATURES = ("kern", "ccmp", "mark", "mkmk", "locl", "tnum", "calt", "case")
WEIGHTS = (400, 400, 600)  # least, default, most
OPTICAL_SIZE = 14  # the smallest, for text


def codes() -> set[int]:
    """Return the code points of RANGES."""
    found: set[int] = set()
    for span in RANGES.replace("U+", "").split(","):
        first, _, last = span.strip().partition("-")
        found |= set(range(int(first, 16), int(last or first, 16) + 1))
    return found


def make(package: Path) -> int:
    """Write the font and its licence; return its size in bytes."""
    from fontTools import subset  # only needed for this
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer

    font = TTFont(package / "variable/InterVariable.woff2", recalcTimestamp=False)
    options = subset.Options()
    options.layout_features = list(FEATURES)
    options.notdef_outline = True
    options.hinting = False
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes())
    subsetter.subset(font)
    font = instancer.instantiateVariableFont(font, {"opsz": OPTICAL_SIZE, "wght": WEIGHTS})
    font.flavor = "woff2"
    target = FONTS / "inter.woff2"
    font.save(target)
    shutil.copyfile(package / "LICENSE.txt", FONTS / "inter.LICENSE.txt")
    return target.stat().st_size


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(f"static/fonts/inter.woff2: {make(Path(sys.argv[1])):,} bytes")
