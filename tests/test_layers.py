"""What import-linter cannot check about the layers. Its contracts are in pyproject.toml.

docs/architecture.md describes the layers. These tests read the source.
"""

from __future__ import annotations

import ast
import functools
import posixpath
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
from django.contrib.staticfiles import finders

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """Yield the names of imported modules, except those imported only for type checking."""
        for node in _running(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield inner if is_module(inner) else node.module


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _running(node)


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


@functools.cache
def modules() -> list[Module]:
    found = []
    for app in ("accounts", "chatty", "conversations"):
        for path in sorted((ROOT / app).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if {"tests", "migrations"} & set(parts):
                continue
            name = ".".join(part for part in parts if part != "__init__")
            found.append(Module(name, path, ast.parse(path.read_text())))
    return found


def belongs(name: str, to: str) -> bool:
    return name == to or name.startswith(f"{to}.")


INTERFACES = {
    f"{app}.{folder}"
    for app in (
        "accounts",
        "conversations",
        "conversations.invitations",
        "conversations.join_requests",
        "conversations.search",
        "conversations.statistics",
        "conversations.attachments",
        "conversations.custom_emoji",
        "conversations.pins",
    )
    for folder in ("admin", "api", "management", "sockets", "web")
}


def is_interface(name: str) -> bool:
    return any(belongs(name, interface) for interface in INTERFACES)


def test_imports_follow_the_contracts():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_modules_are_found():
    names = {module.name for module in modules()}
    assert {"accounts.models", "conversations.actions", "chatty.settings"} <= names
    actions = next(module for module in modules() if module.name == "conversations.actions.log")
    assert "conversations.publisher" in set(actions.imports())


API = [
    *("accounts.api", "chatty.api", "conversations.api"),
    *(
        "conversations.invitations.api",
        "conversations.join_requests.api",
        "conversations.search.api",
        "conversations.attachments.api",
        "conversations.custom_emoji.api",
        "conversations.pins.api",
    ),
]


@pytest.mark.parametrize(
    ("library", "packages"),
    [
        ("rest_framework", API),
        ("drf_spectacular", API),
        ("rest_framework_simplejwt", [*API, "accounts.tokens"]),
        ("uvicorn", ["chatty.server"]),
    ],
)
def test_libraries_are_used_only_in_their_packages(library, packages):
    wrong = [
        f"{module.name} imports {name}"
        for module in modules()
        for name in module.imports()
        if belongs(name, library) and not any(belongs(module.name, each) for each in packages)
    ]
    assert wrong == []


def calls_of(*names: str) -> set[str]:
    """Return the modules that call something.<name>(...)."""
    return {
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    }


def test_only_the_publisher_sends_to_groups():
    """Except the relay's probe, which only checks whether the channel layer works."""
    senders = {
        (module.name, ast.unparse(node.args[0]))
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "group_send"
    }
    publishers = {name for name, group in senders if not group.endswith("_probe_group")}
    assert publishers == {"conversations.publisher"}


def test_relay_rooms_import_nothing_with_side_effects():
    """They do not wait and read nothing, not even the time."""
    rooms = next(module for module in modules() if module.name == "conversations.realtime.rooms")
    ours = {"conversations.events", "conversations.protocol"}
    assert {name for name in rooms.imports() if name.startswith("conversations")} == ours
    others = {"__future__", "collections.abc", "dataclasses", "logging", "typing"}
    assert set(rooms.imports()) <= ours | others


def test_models_do_not_publish():
    models = {module.name: module for module in modules() if "models" in module.name.split(".")}
    assert {"conversations.models.messages", "chatty.jobs.models"} <= models.keys()
    imported = {name for module in models.values() for name in module.imports()}
    assert not {name for name in imported if "realtime" in name or name == "channels.layers"}


def test_accounts_name_no_page_of_conversations():
    """The names of pages are strings, so contracts of imports don't see them."""
    named = [
        (module.name, node.value)
        for module in modules()
        if belongs(module.name, "accounts") and ".tests" not in module.name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert [each for each in named if each[1].startswith("conversations:")] == []


def test_views_and_api_do_not_write_rows():
    """Only actions change rows, with their locks and events."""
    writers = calls_of("create", "bulk_create", "bulk_update", "get_or_create", "update_or_create")
    commands = ("conversations.management",)  # they create past data
    writing = {name for name in writers if is_interface(name)}
    assert {name for name in writing if not any(belongs(name, c) for c in commands)} == set()


def test_store_js_does_not_touch_the_page():
    source = (ROOT / "static/js/chat/store.js").read_text()
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)
    assert "export" in code
    touched = re.findall(r"\b(?:document|window|localStorage|navigator|location|fetch)\b", code)
    assert touched == []


def test_scripts_measure_durations_with_elapsed_js():
    """A difference of two readings of the clock is below zero after the clock was corrected."""
    measured = re.compile(r"Date\.now\(\)\s*[-<>]|[-<>]=?\s*Date\.now\(\)")
    scripts = (ROOT / "static/js").rglob("*.js")
    found = {str(path.relative_to(ROOT)) for path in scripts if measured.search(path.read_text())}
    assert found == {"static/js/lib/elapsed.js"}


def test_few_scripts_turn_text_into_elements_or_script_addresses():
    """Browsers with Trusted Types refuse it elsewhere; this test finds it before a browser does."""
    sink = re.compile(
        r"\b(?:(?:inner|outer)HTML|srcdoc)\s*\+?=(?!=)|\b(?:parseFromString|insertAdjacentHTML"
        r"|createContextualFragment|setHTMLUnsafe|parseHTMLUnsafe|createPolicy|Worker|register)\s*\("
        r"|document\.write|createElement\(\"script|lib/trusted_types.js"
    )
    scripts = ROOT / "static/js"
    found = {
        path.relative_to(scripts).as_posix()
        for path in scripts.rglob("*.js")
        if sink.search(re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.DOTALL))
    }
    policy = "lib/trusted_types.js"
    assert found == {policy, "lib/pages.js", "views/offline_reading.js", "views/dom.js"}


def test_templates_have_no_inline_scripts_handlers_or_styles():
    """The Content-Security-Policy would block them; this test finds them before a browser does."""
    inside = re.compile(
        r"<style\b|<script(?![^>]*\b(?:src|nonce)=)|\son[a-z]+\s*=|\sstyle\s*=", re.IGNORECASE
    )
    wrong = [
        f"{path.relative_to(ROOT)}: {match.group(0).strip()}"
        for path in sorted((ROOT / "templates").rglob("*.html"))
        for match in inside.finditer(re.sub(r"{%.*?%}|{#.*?#}", "", path.read_text()))
    ]
    assert wrong == []


def test_static_files_named_in_templates_exist():
    """A missing one would cause a 500 where hashed file names are looked up."""
    named = {
        (path.name, match.group(1))
        for path in sorted((ROOT / "templates").rglob("*.html"))
        for match in re.finditer(r"{%\s*static\s+[\"']([^\"']+)[\"']", path.read_text())
    }
    assert named
    assert [pair for pair in named if finders.find(pair[1]) is None] == []


def test_files_named_in_stylesheets_exist():
    static = ROOT / "static"
    named = [
        (path.relative_to(static).as_posix(), match.group(1))
        for path in sorted(static.rglob("*.css"))
        for match in re.finditer(r"url\(\s*[\"']?([^\"')#:?]+)[\"'?#)]", path.read_text())
    ]
    missing = [
        (sheet, name)
        for sheet, name in named
        if finders.find(posixpath.normpath(posixpath.join(posixpath.dirname(sheet), name))) is None
    ]
    assert missing == []


def test_product_files_are_short():
    """Longer ones have more than one subject."""
    folders = {"accounts": "py", "chatty": "py", "conversations": "py", "static": "js css"}
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines())
        for folder, extensions in folders.items()
        for extension in extensions.split()
        for path in (ROOT / folder).rglob(f"*.{extension}")
        if "tests" not in path.parts
    }
    assert len(lines) > 250
    assert {"static/js/main.js", "static/css/tokens.css"} <= set(lines)
    assert {path: count for path, count in lines.items() if count > 400} == {}
    assert median(lines.values()) < 120
