"""Names and phrases that went do not come back: tests/banned.toml says which, and what to say instead."""

from __future__ import annotations

import io
import keyword
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BANNED = tomllib.loads((ROOT / "tests/banned.toml").read_text())
LANGUAGES = {"python": ".py", "javascript": ".js", "css": ".css"}
_NOT_CODE = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*|'[^'\n]*'|\"[^\"\n]*\"", re.DOTALL)
_JAVASCRIPT_NAME = re.compile(r"(?<![\w$-])[A-Za-z_$][\w$]*(?![\w-])")
_CSS_NAME = re.compile(r"(?<=[.#])[A-Za-z_][\w-]*|--[\w-]+")


def sources(suffix: str) -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", f"*{suffix}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for path in filter(None, listed.split("\0")):
        if "/migrations/" not in path and (ROOT / path).is_file():
            yield ROOT / path


def names_in(text: str, language: str) -> Iterator[tuple[str, int]]:
    """Yield each name of a source and its line."""
    if language == "python":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                yield token.string, token.start[0]
        return
    code = _NOT_CODE.sub(lambda found: "\n" * found[0].count("\n"), text)
    pattern = _JAVASCRIPT_NAME if language == "javascript" else _CSS_NAME
    for number, line in enumerate(code.split("\n"), 1):
        for found in pattern.finditer(line):
            yield found[0], number


def found_in(text: str, language: str, banned: dict[str, str]) -> list[tuple[int, str, str]]:
    """Return (line, name, replacement) of each banned name."""
    if not any(name in text for name in banned):
        return []
    return [(line, name, banned[name]) for name, line in names_in(text, language) if name in banned]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_banned_name_is_used(language: str) -> None:
    banned = BANNED[language]
    assert banned
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name} -> {new}"
        for path in sources(LANGUAGES[language])
        for line, name, new in found_in(path.read_text(), language, banned)
    ]
    assert not found, "\n".join(found)


def test_no_banned_phrase_is_written() -> None:
    assert BANNED["phrases"]
    found = []
    for path in [*ROOT.glob("*.md"), ROOT / "benchmarks/README.md", *(ROOT / "docs").rglob("*.md")]:
        if path.name == "CHANGELOG.md":  # says what was
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for phrase, new in BANNED["phrases"].items():
                if re.search(rf"\b{re.escape(phrase)}\b", line, re.IGNORECASE):
                    found.append(f"{path.relative_to(ROOT)}:{number}: {phrase} -> {new}")
    assert not found, "\n".join(found)


def test_whole_names_are_found_with_their_line() -> None:
    banned = {"deed": "action", "old-class": "new-class"}
    text = "# deed\ndeeds = 'deed'\n\nx.deed(indeed, deed=1)\n"
    assert [line for line, *_ in found_in(text, "python", banned)] == [4, 4]
    text = "// deed\nconst deeds = 'deed'; /*\ndeed */\nx.deed({deed: indeed})\n"
    assert [line for line, *_ in found_in(text, "javascript", banned)] == [4, 4]
    text = ".old-class__part {}\n.old-class .other {}\n"
    assert [line for line, *_ in found_in(text, "css", banned)] == [2]


def test_replacements_are_names() -> None:
    for language in LANGUAGES:
        for name, new in BANNED[language].items():
            assert language == "css" or new.isidentifier(), name
            assert not keyword.iskeyword(new), name
            assert new not in BANNED[language], name
