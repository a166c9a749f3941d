"""Runs the unit tests of the JavaScript modules in Chromium: all `export … test_…` of tests/js/*.test.js.

There is no build step: the browser loads the modules with an import map, as pages do.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.test import RequestFactory
from django.utils import translation
from playwright.sync_api import Browser, BrowserContext, Page

from conversations.web import script_plurals
from conversations.web import script_templates as templates_module
from tests import pseudo_language
from tests.browser.rooms import wait_until
from tests.golden import files
from tests.golden.rules import RULES
from tests.markers import first_of

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "js"
PAGE = """<!doctype html><title>Modules</title>
<script type="importmap">{"imports": {
  "chatty/templates.js": "/golden/en/templates.js",
  "chatty/writing_templates.js": "/golden/en/writing-templates.js",
  "chatty/": "/static/js/", "tests/": "/tests/js/"
}}</script>"""
# For tests/js/golden.test.js.
GOLDEN_PAGE = """<!doctype html><html lang="{language}"><title>Golden cases</title>
<script type="importmap">{{"imports": {{
  "chatty/templates.js": "/golden/{language}/templates.js",
  "chatty/files_templates.js": "/golden/{language}/files-templates.js",
  "chatty/": "/static/js/", "tests/": "/tests/js/"
}}}}</script>
<script type="module">import * as golden from "tests/golden.js"; window.golden = golden;</script>"""
# Of modules, not of what is in their functions. And what an import is called.
NAMES = sorted(
    {
        name
        for path in (ROOT / "static" / "js").rglob("*.js")
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:class|function|const|let) (\w+)|\bas (\w+)(?=[,} ].*from|,$)",
            path.read_text(),
            re.MULTILINE,
        )
        for name in name
        if name
    }
)
TESTS = [
    (path.name, name)
    for path in sorted(HERE.glob("*.test.js"))
    for name in re.findall(
        r"^export (?:async )?function (test_\w+)", path.read_text(), re.MULTILINE
    )
]


class _Files(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(PAGE)
        elif self.path == "/golden/files/":
            self._answer(json.dumps({name: files.cases_of(name) for name in RULES}))
        elif page := re.fullmatch(r"/golden/(\w\w)/", self.path):
            self._answer(GOLDEN_PAGE.format(language=page[1]))
        elif templates := re.fullmatch(r"/golden/(\w\w)/([a-z]+-)?templates.js", self.path):
            language, name = templates.groups("")
            response = templates_module.script_templates(
                RequestFactory().get("/", {"retry": templates_module.RETRIES}), language, name
            )
            self._answer(response.content.decode(), "text/javascript")
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()

    def _answer(self, text: str, kind: str = "text/html") -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    handler = functools.partial(_Files, directory=str(ROOT))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Shared, so that its cache keeps the modules."""
    context = browser.new_context()
    yield context
    context.close()


# A storage that a closed page has still open is deleted a moment later.
_CLEAR_STORAGE = """async () => {
    localStorage.clear();
    for (const { name } of await indexedDB.databases()) {
        await new Promise((resolve, reject) => {
            const request = indexedDB.deleteDatabase(name);
            request.onsuccess = resolve;
            request.onerror = () => reject(request.error);
        });
    }
}"""


@pytest.fixture(scope="module")
def tab(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def page(tab: Page, address: str) -> Page:
    """A new document without anything that an earlier test has stored."""
    tab.goto(address)
    tab.evaluate(_CLEAR_STORAGE)
    return tab


def test_module_tests_are_found() -> None:
    assert len(TESTS) > 30


def test_every_string_used_by_scripts_is_translated() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "static" / "js").rglob("*.js"))
    words = (ROOT / "templates" / "_script_strings.html").read_text()
    there = set(re.findall(r'data-i18n="([^"]+)"', words))
    counted = set(re.findall(r'\btn\(\s*"([^"]+)"', scripts))
    plain = set(re.findall(r'(?<![#.\w])t\(\s*"([^"]+)"', scripts))
    # Names in expressions, as in t(isFailed ? "status.retry" : "copy"), are recognised by their prefix.
    heads = "|".join({name.partition(".")[0] for name in there if "." in name})
    plain |= set(re.findall(rf'"((?:{heads})\.\w+)"', scripts)) - counted
    assert plain
    assert plain <= there
    assert counted == set(script_plurals.STRINGS)


@pytest.fixture
def language(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Iterator[str]:
    """A pseudo-language with the plural forms of this language."""
    pseudo_language.write(tmp_path, request.param)
    settings.LANGUAGES = [*settings.LANGUAGES, (request.param, "Pseudo")]
    settings.LOCALE_PATHS = [tmp_path]
    yield request.param
    templates_module._draw.cache_clear()


@pytest.mark.parametrize(
    ("language", "forms"),
    first_of(("ar", 6), ("sl", 4), ("pl", 3), ("fr", 3), ("ja", 1)),
    indirect=["language"],
)
def test_plural_forms_of_any_language_are_those_of_the_server(
    page: Page, address: str, language: str, forms: int
) -> None:
    numbers = [*range(250), 1000, 1001, 1_000_000]
    with translation.override(language):
        ours = [script_plurals.STRINGS["new"](n).replace("{n}", str(n)) for n in numbers]
    assert len({text[-1] for text in ours}) == forms
    page.goto(f"{address}golden/{language}/")
    wait_until(page, "Boolean(globalThis.golden)")
    theirs = page.evaluate(
        """async (numbers) => {
            const { tn } = await import("chatty/views/i18n.js");
            return numbers.map((number) => tn("new", number));
        }""",
        numbers,
    )
    assert theirs == ours


def test_every_translated_string_is_used_by_a_script() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "static" / "js").rglob("*.js"))
    strings = (ROOT / "templates" / "_script_strings.html").read_text()
    # Names are literal, or built as in t(`status.${state}`), with the last part as a literal elsewhere.
    begun = set(re.findall(r"[`]([a-z_]+\.)\$\{", scripts))
    unused = []
    for name in re.findall(r'data-i18n="([^"{]+)"', strings):
        head, _dot, rest = name.partition(".")
        last = re.escape(rest.removesuffix(".way"))
        is_made = f"{head}." in begun and re.search(rf'["`]{last}["`]|\b{last}:', scripts)
        if f'"{name}"' not in scripts and not is_made:
            unused.append(name)
    assert unused == []


@pytest.mark.parametrize(("file", "name"), TESTS, ids=[name for _, name in TESTS])
def test_module(page: Page, file: str, name: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    page.evaluate(
        "async ([file, name, seed]) => (await import(`tests/${file}`))[name](seed)",
        [file, name, seed],
    )


def test_no_name_of_a_module_is_that_of_a_global(browser: Browser) -> None:
    """In a bundle, other modules would find it instead of the global."""
    with contextlib.closing(browser.new_page()) as page:
        assert len(NAMES) > 300
        assert page.evaluate("names => names.filter(name => name in window)", NAMES) == []


def test_common_passwords_are_hardly_ever_called_good(page: Page) -> None:
    """The server refuses all of these, and the page doesn't have the list."""
    levels = page.evaluate(
        """async (passwords) => {
            const { strengthOf } = await import("chatty/views/strength.js");
            return passwords.map((each) => strengthOf(each, { least: 8 }).level);
        }""",
        sorted(CommonPasswordValidator().passwords),
    )
    assert len(levels) > 10_000
    assert sum(level > 2 for level in levels) < len(levels) / 500
