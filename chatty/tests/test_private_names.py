"""Private names get shorter, and nothing else changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from rjsmin import jsmin

from chatty.assets.private_names import shorten_private_names

pytestmark = pytest.mark.once

SOURCES = sorted((Path(settings.BASE_DIR) / "static/js").rglob("*.js"))

_CLASS = jsmin(
    """export class Counter {
    #total = 0;
    static #made = 0;
    #step;
    constructor(step) { this.#step = step; Counter.#made += 1; }
    get #doubled() { return this.#total * 2; }
    async #load(other) { await other?.#save(all[0].#total); }
    *#each() { yield this.#total; }
    #save(total) { this.#total = total; return `${total}#total ${this.#doubled}`; }
    find() { return document.querySelector("#total > .step") ?? "#step"; }
}"""
)
_SHORT = (
    _CLASS.replace(".#total", ".#a")
    .replace("{#total", "{#a")
    .replace("#made", "#b")
    .replace("#step;", "#c;")
    .replace(".#step", ".#c")
    .replace("#doubled", "#d")
    .replace("#save", "#e")
    .replace("#load", "#f")
    .replace("#each", "#g")
)


def test_declarations_and_uses_get_the_same_short_names() -> None:
    assert shorten_private_names(_CLASS) == _SHORT
    assert shorten_private_names(_SHORT) == _SHORT


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_private_name_of_a_script_is_shortened(path: Path) -> None:
    """A name that is only found in some places would be another name there."""
    before = jsmin(path.read_text())
    after = shorten_private_names(before)
    used = set(re.findall(r"(?<!\w)this\.#(\w+)", before))
    left = re.findall(r"#(\w+)", re.sub(r"#[a-zA-Z]{1,2}\b", "", after))
    strings = re.findall(r"[\"'`][^\"'`\n]*[\"'`]", before)
    assert not [name for name in left if name in used and not any(f"#{name}" in s for s in strings)]
    assert _texts(before) == _texts(after)


_LITERAL = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`""")


def _texts(code: str) -> list[str]:
    """Return all strings, those in backquotes without their expressions, which are code."""
    return [re.sub(r"\${[^}]*}", "", literal) for literal in _LITERAL.findall(code)]
