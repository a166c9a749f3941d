"""Makes static/emoji/, the data of the emoji picker: a part of emojibase-data, by Miles Johnson.

    npm pack emojibase-data@17.0.0 && tar xzf emojibase-data-17.0.0.tgz
    python -m docs.emoji package

`package` is the folder of the npm package. Also copies the licence (MIT). There is a file for each language
of Chatty: `{"groups": [[key, [line, ...]], ...]}`. A line has five parts with tabs between them: the emoji,
its name, further words to find it by, its shortcodes, and the emoji with the lightest skin tone, if it can
have one. The shortcodes are GitHub's, then others in use. See static/js/lib/emoji.js.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from conversations.emoji import qualified

FOLDER = Path(__file__).resolve().parent.parent / "static/emoji"
LANGUAGES = ("en", "de")
NEWEST = 15.1  # of the Unicode versions: many devices have no pictures for newer ones
COMPONENTS = 2  # a group with skin tones and hair, which are no emoji on their own
SHORTCODES_MAX = 4
_TONES = ("🏻", "🏼", "🏽", "🏾", "🏿")


def lines_of(package: Path, language: str) -> dict[str, list[str]]:
    """Return the lines of each group, in the order of Unicode."""
    known = _read(package, language, "data")
    github, others = (
        _read(package, "en", f"shortcodes/{name}") for name in ("github", "emojibase")
    )
    keys = {each["order"]: each["key"] for each in _read(package, "en", "messages")["groups"]}
    found: dict[str, list[str]] = {}
    for each in sorted(known, key=lambda each: each.get("order", 0)):
        group = each.get("group")
        if group is None or group == COMPONENTS or each["version"] > NEWEST:
            continue
        name = each["label"]
        words = [word for word in each.get("tags", ()) if word.lower() not in name.lower()]
        codes = [*_listed(github, each), *_listed(others, each)]
        parts = (
            qualified(each["emoji"]),
            name,
            " ".join(words),
            " ".join(list(dict.fromkeys(codes))[:SHORTCODES_MAX]),
            _lightest(each.get("skins", ())),
        )
        found.setdefault(keys[group], []).append("\t".join(parts).rstrip("\t"))
    return found


def _read(package: Path, language: str, name: str) -> Any:
    return json.loads((package / language / f"{name}.json").read_text())


def _listed(codes: dict[str, Any], each: dict[str, Any]) -> list[str]:
    found = codes.get(each["hexcode"], [])
    return [found] if isinstance(found, str) else found


def _lightest(skins: list[dict[str, Any]]) -> str:
    """Return the form with the lightest tone. The others only differ in the tone: checked here."""
    forms = {
        each["tone"]: qualified(each["emoji"]) for each in skins if isinstance(each["tone"], int)
    }
    for number, form in forms.items():
        assert form == forms[1].replace(_TONES[0], _TONES[number - 1])
    return str(forms.get(1, ""))


def make(package: Path) -> None:
    """Write the files and the licence."""
    FOLDER.mkdir(exist_ok=True)
    for language in LANGUAGES:
        groups = [[key, lines] for key, lines in lines_of(package, language).items()]
        text = json.dumps({"groups": groups}, ensure_ascii=False, indent=0)
        (FOLDER / f"{language}.json").write_text(f"{text}\n")
    shutil.copyfile(package / "LICENSE", FOLDER / "emojibase.LICENSE.txt")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make(Path(sys.argv[1]))
