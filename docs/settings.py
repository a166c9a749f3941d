"""Writes docs/settings.md and .env.example from the declarations of settings in chatty/conf/.

python -m docs.settings

Both files are committed. A test fails if they are not as this command writes them.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterable
from pathlib import Path

import mdformat

from chatty.conf.known_settings import FOREIGN, GROUPS
from chatty.conf.setting import UNBOUNDED, Group, Setting

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs/settings.md"
EXAMPLE = ROOT / ".env.example"
WIDTH = 100
_NO_BREAK = "\N{NO-BREAK SPACE}"

_INTRODUCTION = """\
<!-- Written by `python -m docs.settings`: edit the declarations in chatty/conf/ instead. -->

# Settings

Every setting of Chatty. None is required: without any, Chatty stores everything in `var/` and
listens on `http://127.0.0.1:8000`. How the settings work together is described in
[Deploying Chatty](deploy.md).

Settings are environment variables. They can also be in a file named `.env` in the directory of
`manage.py`, one `NAME=value` per line; [.env.example](../.env.example) is a template. A variable in
the environment takes precedence over the file.

- An empty value is the same as none.
- To read a value from a file, add `_FILE` to the name: `SECRET_KEY_FILE=/run/secrets/chatty`.
- Changes take effect after a restart.
- An invalid value, an unknown name in `.env`, or an environment variable that looks like a misspelled
  setting stops `setup` and `serve` with an error message.

By topic:
"""

_TYPES = """\
## Types

| Type | Form |
| -- | -- |
| flag | `1`, `true`, `yes` or `on`; `0`, `false`, `no` or `off` |
| number | a decimal number, such as `2.5` |
| whole number | a number without decimals |
| list | items separated by spaces or commas |
| rate | how many per time, such as `10/5m`: see [Rate limits](#rate-limits) |
"""

_FOREIGN = """\
## Variables of other software

These are not settings of Chatty, but can be in `.env` too.

| Variable | Meaning |
| -- | -- |
"""

_HEAD = """\
# Written by `python -m docs.settings`: edit the declarations in chatty/conf/ instead.
#
# Copy this file to .env and change what you need. Nothing is required: without any setting, Chatty
# stores everything in var/ and listens on http://127.0.0.1:8000.
# To read a value from a file, add _FILE to the name: SECRET_KEY_FILE=/run/secrets/chatty
# docs/settings.md describes the settings in more detail.
"""

_TYPE = {
    "text": "text",
    "url": "URL",
    "secret": "text",
    "path": "path of a directory",
    "flag": "flag",
    "list": "list",
    "networks": "list of IP addresses and networks",
    "origins": "list of origins",
    "rate": "rate",
}


def type_of(setting: Setting) -> str:
    """Describe the type of a value, in Markdown."""
    match setting.kind:
        case "choice":
            return _one_of(setting.choices)
        case "number" | "whole number":
            of = f" of {setting.unit}" if setting.unit else ""
            return f"{setting.kind}{of}, {_range(setting)}"
    form = f", {setting.form}" if setting.form else ""
    return f"{_TYPE[setting.kind]}{form}"


def _one_of(choices: Iterable[str]) -> str:
    *others, last = (f"`{choice}`" for choice in choices)
    return f"{', '.join(others)} or {last}"


def _range(setting: Setting) -> str:
    if setting.most == UNBOUNDED:
        return f"at least {setting.least:,}"
    return f"{setting.least:,} to {setting.most:,}"


def default_of(setting: Setting) -> str:
    if setting.default_note:
        return setting.default_note
    return f"`{setting.default}`" if setting.default else "none"


def reference() -> str:
    """Return the contents of docs/settings.md."""
    parts = [
        _INTRODUCTION,
        "\n".join(f"- [{title}](#{_anchor(title)})" for title in _titles()),
        _TYPES,
        *map(_section, GROUPS),
        _FOREIGN + "".join(f"| `{name}` | {text} |\n" for name, text in FOREIGN.items()),
    ]
    options = tomllib.loads((ROOT / ".mdformat.toml").read_text())
    return mdformat.text(
        "\n\n".join(parts), options=options, extensions=[*options["extensions"], "tables"]
    )


def _titles() -> list[str]:
    return ["Types", *(group.title for group in GROUPS), "Variables of other software"]


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def _section(group: Group) -> str:
    entries = [_entry(setting) for setting in group.settings]
    if all(setting.kind == "rate" for setting in group.settings):
        entries = [_table(group.settings)]
    return "\n\n".join(filter(None, [f"## {group.title}", group.description, *entries]))


def _table(settings: Iterable[Setting]) -> str:
    """Return a table, for settings that differ only in what they limit."""
    rows = [f"| `{each.name}` | `{each.default}` | {each.description} |" for each in settings]
    return "\n".join(["| Setting | Default | Limits |", "| -- | -- | -- |", *rows])


def _entry(setting: Setting) -> str:
    lines = [
        f"### {setting.name}",
        setting.description,
        f"- Type: {type_of(setting)}",
        f"- Default: {default_of(setting)}",
    ]
    if setting.example:
        lines.append(f"- Example: `{setting.name}={setting.example}`")
    return "\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:])


def example() -> str:
    """Return the contents of .env.example."""
    return "\n".join([_HEAD, *map(_example_section, GROUPS)])


def _example_section(group: Group) -> str:
    head = f"# --- {group.title} ---\n"
    if group.description:
        head += _comment(group.description) + "\n"
    return head + "".join(f"\n{_example_entry(setting)}" for setting in group.settings)


def _example_entry(setting: Setting) -> str:
    lines = [_comment(setting.description)]
    if setting.kind in {"choice", "number", "whole number"} or setting.form:
        lines.append(_comment(f"Type: {type_of(setting)}"))
    lines.append(f"#{setting.name}={setting.example or setting.default}\n")
    return "\n".join(lines)


def _comment(markdown: str) -> str:
    """Wrap Markdown as comments, without its markup. Inline code stays on one line."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", markdown)
    text = re.sub(r"`([^`]+)`", lambda code: code[1].replace(" ", _NO_BREAK), text)
    filled = textwrap.fill(
        text,
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    return filled.replace(_NO_BREAK, " ")


def main() -> None:
    REFERENCE.write_text(reference())
    EXAMPLE.write_text(example())


if __name__ == "__main__":
    main()
