"""Modules of static/js joined into few files, so that a page waits for two and not for forty.

What is joined keeps its own scope and its order; nothing is renamed. The import map names the
bundle wherever it named the module, so modules outside import from it as before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Source = Callable[[str], str]
"""The text of a module by its name below static/js: "chat/store.js"."""

_IMPORT = re.compile(
    r'^import (?P<names>\{[^}]*\}) from "chatty/(?P<module>[^"]+)";$', re.MULTILINE
)
_EXPORT = re.compile(
    r"^export (?P<what>(?:async )?(?:class|function|const) (?P<name>\w+))", re.MULTILINE
)
_PAIR = re.compile(r"[{,]\s*(\w+(?: as \w+)?)")
_NAME = re.compile(r"[{,]\s*(\w+)")  # of what is imported, as its module calls it
_OTHERWISE = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def needed(entries: Iterable[str], source: Source, *, without: Iterable[str] = ()) -> list[str]:
    """Return `entries` and all they import by name, each after what it imports itself.

    Left out are those in `without`. ValueError: modules import each other in a circle.
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
    """Return one module that is all of `modules`, in their order, and exports what they export.

    ValueError: two export the same name, which nobody outside could tell apart; one imports what
    another does not export; or one imports or exports in a way this does not know.
    """
    outside: dict[str, str] = {}  # what is in another file, by what it is called here
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
        # Under names no module uses: what one leaves undeclared is the browser's, never another's.
        held = ", ".join(f"$${name}" for name in names)
        parts.append(f"const [{held}] = (() => {{\n{text}\nreturn [{', '.join(names)}];\n}})();")

    imports = [f'import * as {name} from "chatty/{module}";' for module, name in outside.items()]
    exports = ", ".join(f"$${name} as {name}" for name in exporters)
    return "\n".join([*imports, *parts, f"export {{ {exports} }};"]) + "\n"
