"""A bundle does what its modules did."""

from __future__ import annotations

import re

import pytest

from chatty.assets.bundle import bundle, collect_modules

pytestmark = pytest.mark.once

MODULES = {
    "main.js": """import { greet, LOUD } from "chatty/greet.js";
greet(LOUD);
""",
    "greet.js": """import {
  shout as cry,
  whisper,
} from "chatty/voice.js";
import { name } from "chatty/names.js";
export const LOUD = true;
export async function greet(isLoud) {
  return isLoud ? cry(name) : whisper(name);
}
""",
    "voice.js": """const OWN = "!";
export function shout(text) { return text + OWN; }
export function whisper(text) { return text; }
""",
    "names.js": "const OWN = 1;\nexport const name = `Ada`;\n",
}


def test_needed_lists_imports_first() -> None:
    assert collect_modules(["main.js"], MODULES.__getitem__) == [
        "voice.js",
        "names.js",
        "greet.js",
        "main.js",
    ]
    assert collect_modules(["greet.js"], MODULES.__getitem__, without=["names.js"]) == [
        "voice.js",
        "greet.js",
    ]


def test_circular_import_is_an_error() -> None:
    circle = {
        "a.js": 'import { b } from "chatty/b.js";\n',
        "b.js": 'import { a } from "chatty/a.js";\n',
    }
    with pytest.raises(ValueError, match=re.escape("a.js -> b.js -> a.js")):
        collect_modules(["a.js"], circle.__getitem__)


def test_modules_keep_their_scope_and_exports() -> None:
    text = bundle(["voice.js", "names.js", "greet.js"], MODULES.__getitem__)
    assert "import" not in text
    assert text.count("const OWN =") == 2  # each in its own block
    assert text.count("(() => {") == 2
    assert "const cry = shout;" in text
    assert text.endswith("export { shout, whisper, name, LOUD, greet };\n")


def test_module_that_exports_everything_needs_no_scope() -> None:
    module = "export class Voice {\n  speak() {}\n}\nexport const LOUD = true;\n"
    assert bundle(["a.js"], lambda _module: module) == (
        "class Voice {\n  speak() {}\n}\nconst LOUD = true;\n\nexport { Voice, LOUD };\n"
    )


@pytest.mark.parametrize(
    ("own", "needs_scope"),
    [
        ("let first = 1;", False),
        ("class First {}", False),
        ("const first = (one, other) => one;", False),
        ("function first(one, other) {\n  const second = one;\n}", False),
        ("const second = 1;", True),  # declared by the other module
        ("function exported() {}", True),  # exported by it
        ("const alias = 1;", True),  # imported there by this name
        ("class Elsewhere {}", True),  # imported from another bundle
        ("const { first } = {};", True),
        ("const [first] = [];", True),
        ("let first, second;", True),
        ("const first = 1, second = 2;", True),
        ("const first = 1,\n  second = 2;", True),
    ],
)
def test_module_needs_a_scope_for_names_that_are_not_its_own(own, needs_scope) -> None:
    modules = {
        "a.js": f"export const LOUD = true;\n{own}\n",
        "b.js": (
            'import { LOUD as alias } from "chatty/a.js";\n'
            'import { Elsewhere } from "chatty/c.js";\n'
            "const second = 2;\nexport const exported = alias;\n"
        ),
    }
    text = bundle(["a.js", "b.js"], modules.__getitem__, files={"c.js": "others.js"})
    assert ("const [LOUD] = (() => {" in text) == needs_scope


def test_views_are_exported_by_their_names() -> None:
    modules = {
        "views/a.js": "export function connect() {}\nexport const x = 1;\n",
        "views/b.js": "export function connect() {}\n",
        "c.js": "export const connect = 1;\n",
    }
    text = bundle(
        list(modules), modules.__getitem__, needed={"x"}, views=["views/a.js", "views/b.js"]
    )
    assert "const [connect_a, x] = " in text
    assert text.endswith("export { x };\nexport const views = { a: connect_a, b: connect_b };\n")


def test_external_module_is_imported_once() -> None:
    modules = {
        name: f'import {{ x, {name} as y }} from "chatty/x.js";\nexport const {name}{name} = x;\n'
        for name in "ab"
    }
    text = bundle(["a", "b"], modules.__getitem__)
    assert text.startswith('import { a, b, x } from "chatty/x.js";\n')
    assert text.count("import") == 1
    assert "const y = a;" in text


def test_import_with_the_name_of_an_export_is_an_error() -> None:
    modules = {"a.js": 'import { x } from "chatty/x.js";\n', "b.js": "export const x = 1;\n"}
    with pytest.raises(
        ValueError, match=re.escape("x.js and a module of the bundle both export x.")
    ):
        bundle(["a.js", "b.js"], modules.__getitem__)


@pytest.mark.parametrize(
    "line",
    [
        'import x from "chatty/x.js";',
        'import "chatty/x.js";',
        'import { x } from "elsewhere";',
        "export default 1;",
        "export { x };",
        "export let x = 1;",
    ],
)
def test_unsupported_syntax_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=re.escape("a.js cannot be joined")):
        bundle(["a.js"], {"a.js": line}.__getitem__)


def test_duplicate_export_is_an_error() -> None:
    modules = dict.fromkeys(("a.js", "b.js"), "export const x = 1;\n")
    with pytest.raises(ValueError, match=re.escape("a.js and b.js both export x")):
        bundle(["a.js", "b.js"], modules.__getitem__)


def test_missing_export_is_an_error() -> None:
    modules = {
        "a.js": "export const x = 1, y = 2;\n",
        "b.js": 'import { x, y as z } from "chatty/a.js";\n',
    }
    with pytest.raises(ValueError, match=re.escape("a.js does not export y.")):
        bundle(["a.js", "b.js"], modules.__getitem__)
