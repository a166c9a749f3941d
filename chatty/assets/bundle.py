"""Bundles the modules of static/js, so that a page loads two files instead of forty.

Each module keeps its scope, and their order is preserved; nothing is renamed. The import map points
from each bundled module to the bundle, so other modules import from it as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Source = Callable[[str], str]
"""Returns the source of a module by its name below static/js, such as "chat/store.js"."""

_IMPORT = re.compile(
    r'^import (?P<names>\{[^}]*\}) from "chatty/(?P<module>[^"]+)";$', re.MULTILINE
)
_EXPORT = re.compile(
    r"^export (?P<what>(?:async )?(?:class|function|const) (?P<name>\w+))", re.MULTILINE
)
_PAIR = re.compile(r"[{,]\s*(\w+(?: as \w+)?)")
_NAME = re.compile(r"[{,]\s*(\w+)")  # an imported name, as its module exports it
_OTHERWISE = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def collect_modules(
    entries: Iterable[str], source: Source, *, without: Iterable[str] = ()
) -> list[str]:
    """Return `entries` and everything they import, each module after its own imports.

    Modules in `without`, and their imports, are left out. Raises ValueError for a circular import.
    """
    found: list[str] = []
    left_out = set(without)

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            raise ValueError(
                f"Modules import each other in a circle: {' -> '.join((*path, module))}."
            )
        if module in left_out:
            return
        for imported in _IMPORT.finditer(source(module)):
            visit(imported["module"], (*path, module))
        left_out.add(module)
        found.append(module)

    for entry in entries:
        visit(entry, ())
    return found


def bundle(modules: list[str], source: Source) -> str:
    """Return the source of one module that contains `modules`, in order, with all their exports.

    Raises ValueError if two modules export the same name, if one imports a name that another does not
    export, or for a form of import or export that is not supported.
    """
    outside: dict[str, str] = {}  # from a module in another file to its namespace here
    parts: list[str] = []
    exporters: dict[str, str] = {}

    def taken(imported: re.Match[str]) -> str:
        module = imported["module"]
        for name in _NAME.findall(imported["names"]) if module in modules else ():
            if exporters.get(name) != module:
                raise ValueError(f"{module} does not export {name}.")
        if module in modules:
            pairs = (pair.split(" as ") for pair in _PAIR.findall(imported["names"]))
            return f"const {', '.join(f'{pair[-1]} = $${pair[0]}' for pair in pairs)};"
        names = imported["names"].replace(" as ", ": ")
        return f"const {names} = {outside.setdefault(module, f'$_{len(outside)}')};"

    for module in modules:
        text = _IMPORT.sub(taken, source(module))
        names = [export["name"] for export in _EXPORT.finditer(text)]
        text = _EXPORT.sub(r"\g<what>", text)
        if unknown := _OTHERWISE.search(text):
            raise ValueError(f"{module} cannot be joined with others: {unknown[0]}")
        for name in names:
            if exporters.setdefault(name, module) != module:
                raise ValueError(f"{exporters[name]} and {module} both export {name}.")
        # The prefix $$ keeps exports from hiding globals: an undeclared name in a module must mean
        # the browser's, never another module's.
        held = ", ".join(f"$${name}" for name in names)
        parts.append(f"const [{held}] = (() => {{\n{text}\nreturn [{', '.join(names)}];\n}})();")

    imports = [f'import * as {name} from "chatty/{module}";' for module, name in outside.items()]
    exports = ", ".join(f"$${name} as {name}" for name in exporters)
    return "\n".join([*imports, *parts, f"export {{ {exports} }};"]) + "\n"
