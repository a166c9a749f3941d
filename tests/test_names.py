"""Banned names and phrases do not come back: tests/banned.toml lists them with their replacements."""

from __future__ import annotations

import ast
import io
import itertools
import json
import keyword
import re
import subprocess
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests import catalogue

ROOT = Path(__file__).resolve().parent.parent
BANNED = tomllib.loads((ROOT / "tests/banned.toml").read_text())
LANGUAGES = {"python": ".py", "javascript": ".js", "css": ".css"}
_COMMENT = re.compile(r"/\*.*?\*/|(?<![:\w'\"])//[^\n]*", re.DOTALL)
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
    """Yield each name of a source with its line."""
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
def test_banned_names_are_not_used(language: str) -> None:
    banned = BANNED[language]
    assert banned
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name} -> {new}"
        for path in sources(LANGUAGES[language])
        for line, name, new in found_in(path.read_text(), language, banned)
    ]
    assert not found, "\n".join(found)


def prose_in(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each line of prose with its number. In code, only comments and docstrings are prose."""
    text = path.read_text()
    if path.suffix == ".py":
        yield from _python_prose(text)
    elif path.suffix in {".js", ".css"}:
        for found in _COMMENT.finditer(text):
            start = text.count("\n", 0, found.start()) + 1
            yield from zip(found[0].split("\n"), itertools.count(start), strict=False)
    else:
        yield from zip(text.split("\n"), itertools.count(1), strict=False)


def _python_prose(text: str) -> Iterator[tuple[str, int]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string, token.start[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = node.body[:1] and ast.get_docstring(node, clean=False)
            if docstring:
                first = node.body[0].lineno
                yield from zip(docstring.split("\n"), itertools.count(first), strict=False)


def phrases_in(text: str, banned: dict[str, str]) -> list[tuple[str, str]]:
    """Return (phrase, replacement) of each banned phrase, whatever its line breaks.

    Case matters where the phrase has a capital: German "Sie" is not "sie".
    """
    joined = " ".join(text.split())
    folded = joined.lower()
    return [
        (phrase, new)
        for phrase, new in banned.items()
        # Most texts contain none, and "in" finds that out much faster.
        if phrase.lower() in folded
        and re.search(
            rf"(?<![\w-]){re.escape(phrase)}(?![\w-])",
            joined,
            0 if phrase != phrase.lower() else re.IGNORECASE,
        )
    ]


def may_contain(text: str, banned: Iterable[str]) -> bool:
    """Whether the text has a phrase, with spaces and signs between its words. Parsing takes much longer."""
    folded = text.lower()
    each = (phrase.lower().split() for phrase in banned)
    return any(
        all(word in folded for word in words)
        and re.search(r"[\W_]+".join(map(re.escape, words)), folded)
        for words in each
    )


def documents() -> Iterator[Path]:
    """Yield what people read, except where the phrases are quoted as examples."""
    for suffix in (".md", ".html", ".txt", ".py", ".js", ".css", ".env.example"):
        for path in sources(suffix):
            # The messages of the demo are content.
            if path.name not in {"STYLE.md", "glossary.md"} and path.parent.name != "talk":
                yield path


def test_banned_phrases_are_not_used() -> None:
    banned = BANNED["phrases"]
    found = []
    for path in documents():
        if not may_contain(path.read_text(), banned):
            continue
        lines = list(prose_in(path))
        # Most files contain none: search line by line only if the whole file contains one.
        if phrases_in("\n".join(line for line, _ in lines), banned):
            found += [
                f"{path.relative_to(ROOT)}:{number}: {phrase} -> {new}"
                for line, number in lines
                for phrase, new in phrases_in(line, banned)
            ] or [f"{path.relative_to(ROOT)}: a phrase across lines"]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("language", "banned"), [("en", "phrases"), ("de", "phrases_de")])
def test_banned_phrases_are_not_in_catalogues(language: str, banned: str) -> None:
    found = []
    for path in catalogue.catalogues():
        if language in ("en", catalogue.language(path)):
            with path.open("rb") as file:
                for message in read_po(file):
                    strings = message.id if language == "en" else message.string
                    for text in [strings] if isinstance(strings, str) else strings or ():
                        found += [(text, each) for each in phrases_in(text, BANNED[banned])]
    assert found == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", "<p>\n{% translate 'Ask Whoever\nruns it.' %}</p>"),
        ("guide.md", "Ask whoever runs it."),
        ("code.py", "x = 1  # whoever runs it"),
        ("code.py", 'def f():\n    """Ask\n    whoever runs it."""'),
        ("code.js", "let a = 1; // whoever runs it"),
        ("code.css", "/* for\n whoever runs it */"),
    ],
)
def test_phrases_in_finds_banned_phrases(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    banned = {"whoever": "anyone who"}
    assert may_contain(path.read_text(), banned)
    assert [new for line, _ in prose_in(path) for _, new in phrases_in(line, banned)] == [
        "anyone who"
    ]


def test_prose_in_skips_code(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("whoever = 'whoever'\n")
    (tmp_path / "code.js").write_text("const whoever = 'whoever';\n")
    assert [*prose_in(tmp_path / "code.py"), *prose_in(tmp_path / "code.js")] == []


def test_found_in_matches_whole_names_with_their_line() -> None:
    banned = {"deed": "action", "old-class": "new-class"}
    text = "# deed\ndeeds = 'deed'\n\nx.deed(indeed, deed=1)\n"
    assert [line for line, *_ in found_in(text, "python", banned)] == [4, 4]
    text = "// deed\nconst deeds = 'deed'; /*\ndeed */\nx.deed({deed: indeed})\n"
    assert [line for line, *_ in found_in(text, "javascript", banned)] == [4, 4]
    text = ".old-class__part {}\n.old-class .other {}\n"
    assert [line for line, *_ in found_in(text, "css", banned)] == [2]


def test_replacements_are_valid_names() -> None:
    for language in LANGUAGES:
        for name, new in BANNED[language].items():
            assert language == "css" or new.isidentifier(), name
            assert not keyword.iskeyword(new), name
            assert new not in BANNED[language], name


def test_lock_files_name_no_registry():
    """`npm ci` uses the registry that is set up. `.npmrc` says so, in every directory with a lock file."""
    locks = [path for path in sources(".json") if path.name == "package-lock.json"]
    assert len(locks) >= 2
    for lock in locks:
        packages = json.loads(lock.read_text())["packages"]
        assert [name for name, package in packages.items() if "resolved" in package] == [], lock
        assert "omit-lockfile-registry-resolved=true" in (lock.parent / ".npmrc").read_text()
