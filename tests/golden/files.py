"""The files of golden cases."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Rule = Callable[[Any], Any]
# Characters that can't be seen or change their neighbours are written as escapes.
_HIDDEN = {"Cc", "Cf", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"}
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"


def rewritten(name: str, rule: Rule) -> str:
    """Return the file of a rule with the results that the Python code has now."""
    cases = [{"input": case["input"], "expected": rule(case["input"])} for case in cases_of(name)]
    lines = ",\n".join(f"    {_encoded(case)}" for case in cases)
    return f'{{\n  "cases": [\n{lines}\n  ]\n}}\n'


def cases_of(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads(path_of(name).read_text())["cases"]
    return cases


def path_of(name: str) -> Path:
    return HERE / f"{name}.json"


def difference(name: str, rule: Rule) -> str:
    """Return what rewriting the file would change: inputs with both results; "" if nothing."""
    then, now = path_of(name).read_text(), rewritten(name, rule)
    if then == now:
        return ""
    pairs = zip(cases_of(name), json.loads(now)["cases"], strict=True)
    changed = [(old, new) for old, new in pairs if old != new]
    return (
        "\n".join(
            f"{name}: {_encoded(new['input'])}\n- {_encoded(old.get('expected'))}"
            f"\n+ {_encoded(new['expected'])}"
            for old, new in changed
        )
        or f"{name}: only the format"
    )


def _encoded(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "".join(json.dumps(each)[1:-1] if _is_hidden(each) else each for each in text)


def _is_hidden(character: str) -> bool:
    if character.isascii():
        return False
    is_changed = unicodedata.normalize("NFC", character) != character
    return is_changed or character in _BLANKS or unicodedata.category(character) in _HIDDEN
