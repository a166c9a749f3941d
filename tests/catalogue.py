"""Update and check the catalogues of translated strings in locale/.

`python -m tests.catalogue` collects every string of the code and the templates, merges them into each
locale/*/LC_MESSAGES/django.po and compiles it to the .mo beside it. New strings get an empty translation, and
unused ones are removed. Then it prints what is left to do: fix that and run it again. After a merge conflict
in a catalogue, keep the strings of both sides and run it: the order, duplicates and the .mo are corrected
whichever side was taken.

Both files are committed, because a new machine has no gettext tools.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).parent.parent
LOCALE = ROOT / "locale"
SOURCES = ("accounts", "chatty", "conversations", "templates")
TEMPLATES = (".html", ".txt")

_KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
# The same word in both languages. Any other translation that equals its original was forgotten.
_SAME = {
    *("(optional)", "Admins", "App", "Browser", "Details", "Emoji", "Enter", "Esc", "Indigo"),
    *("Link", "Magenta", "Name", "Online", "Online:", "Orange", "Standard", "Status", "Text"),
    *("Audio", "Code", "Installation", "Person", "Server", "Smileys", "Spoiler", "Video", "Videos"),
    *("%(count)d online", "{n} online", "Online: %(names)s", "Online: {names}", "{name}: {text}"),
}
_GLUED = re.compile(r"[.!?][A-ZÄÖÜ„]")
# Placeholders: %(name)s, %s, {name}.
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


class _Catalogue(Catalog):
    """A catalogue without dates and tools in its header, which would only cause merge conflicts."""

    @property  # type: ignore[misc]  # no one sets them
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Language", str(self.locale)),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", self.plural_forms),
        ]


def catalogues() -> list[Path]:
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def language(path: Path) -> str:
    return path.parent.parent.name


def said() -> Catalog:
    """Return every string that code and templates translate."""
    found = _Catalogue()
    for path in _sources():
        text = path.read_text()
        if path.suffix in TEMPLATES:
            # The tags become Python calls, on lines indented like the page.
            text = "\n".join(line.strip() for line in templatize(text).splitlines())
        source = io.BytesIO(text.encode())
        for _line, string, comments, context in extract(
            "python", source, keywords=_KEYWORDS, comment_tags=("Translators:",)
        ):
            where = [(path.relative_to(ROOT).as_posix(), 0)]
            found.add(string, None, where, auto_comments=comments, context=context)
    return found


def merged(path: Path, strings: Catalog) -> Catalog:
    """Return the strings with their translations from `path`."""
    with path.open("rb") as file:
        before = read_po(file, locale=language(path))
    after = _Catalogue(
        locale=language(path), fuzzy=False, header_comment="# See tests/catalogue.py."
    )
    for message in _messages(strings):
        known = before.get(message.id, message.context)
        after.add(
            message.id,
            known.string if known and _same_kind(known, message) else None,
            message.locations,
            # A fuzzy translation stays fuzzy until someone has checked it.
            {flag for flag in (known.flags if known else ()) if flag == "fuzzy"},
            auto_comments=message.auto_comments,
            user_comments=known.user_comments if known else (),
            context=message.context,
        )
    return after


def as_po(catalogue: Catalog) -> bytes:
    """Sorted by file and without line numbers: branches seldom conflict, and moving code changes nothing."""
    file = io.BytesIO()
    write_po(file, catalogue, width=100, include_lineno=False, sort_by_file=True)
    return file.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def problems(path: Path, strings: Catalog) -> Iterator[str]:
    """Yield a line for each problem of a catalogue and its compiled form."""
    wanted = merged(path, strings)
    for message in _messages(wanted):
        yield from _wrong(message)
    with path.open("rb") as file:
        known = {(m.id, m.context) for m in _messages(read_po(file, locale=language(path)))}
    for ident, _context in known - {(m.id, m.context) for m in _messages(strings)}:
        yield f"no longer used: {ident!r}"
    if path.read_bytes() != as_po(wanted):
        yield f"{path.name} is not as the command writes it"
    compiled = path.with_suffix(".mo")
    if not compiled.exists() or compiled.read_bytes() != as_mo(wanted):
        yield f"{compiled.name} is stale"


def _sources() -> Iterable[Path]:
    for directory in SOURCES:
        for path in sorted((ROOT / directory).rglob("*")):
            # Other text is content, like the messages of the demo.
            is_template = path.suffix == ".html" or directory == "templates"
            is_source = path.suffix == ".py" or (path.suffix in TEMPLATES and is_template)
            if is_source and "tests" not in path.parts[-3:]:
                yield path


def _messages(catalogue: Catalog) -> Iterator[Message]:
    return (message for message in catalogue if message.id)


def _same_kind(one: Message, other: Message) -> bool:
    return isinstance(one.id, str) == isinstance(other.id, str)


def _wrong(message: Message) -> Iterator[str]:
    originals, strings = _forms(message.id), _forms(message.string or "")
    if message.fuzzy:
        yield f"fuzzy, needs review: {message.id!r}"
    if not all(strings):
        yield f"not translated: {message.id!r}"
        return
    for number, string in enumerate(strings):
        original = originals[min(number, len(originals) - 1)]
        if string == original and original not in _SAME:
            yield f"the same as its original: {string!r}"
        if _is_doubled(string, original):
            yield f"contains two translations: {string!r}"
        if _placeholders(string) != _placeholders(original):
            yield f"placeholders differ from {original!r}: {string!r}"
        if original[:1].isspace() != string[:1].isspace() or original[-1:] != string[-1:] == " ":
            yield f"spaces at the ends differ from {original!r}: {string!r}"


def _forms(string: str | Iterable[str]) -> list[str]:
    return [string] if isinstance(string, str) else list(string)


def _is_doubled(string: str, original: str) -> bool:
    """Return True if a merge joined two translations: the same one twice, or sentences without a space."""
    middle = len(string) // 2
    same = middle > 3 and string[:middle].strip() == string[middle:].strip()
    return same or bool(_GLUED.search(string) and not _GLUED.search(original))


def _placeholders(text: str) -> list[str]:
    return sorted(_PLACEHOLDER.findall(text))


def main() -> None:
    strings = said()
    left = 0
    for path in catalogues():
        whole = merged(path, strings)
        path.write_bytes(as_po(whole))
        path.with_suffix(".mo").write_bytes(as_mo(whole))
        for problem in problems(path, strings):
            print(f"{language(path)}: {problem}")
            left += 1
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
