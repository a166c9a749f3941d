"""Bundles the modules of static/js, so that a page loads a few files instead of seventy.

Each module is just its code, or a function that returns what it exports if a name of its own is in another
module, too. Their order is preserved. All modules of a bundle see the names of its other modules, so none
may have the name of a global of browsers (tests/browser/test_modules.py). The import map points from each
bundled module to the bundle, so other modules import from it as before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

Source = Callable[[str], str]
"""Returns the source of a module by its name below static/js, such as "chat/store.js"."""

_IMPORT = re.compile(
    r'^import (?P<names>\{[^}]*\}) from "chatty/(?P<module>[^"]+)";$', re.MULTILINE
)
_EXPORT = re.compile(
    r"^export (?P<what>(?:async )?(?:class|function|const) (?P<name>\w+))", re.MULTILINE
)
# At the beginning of a line: of the module, as our scripts are indented.
_DECLARATION = re.compile(r"^(?:async )?(?:class|function|const|let) ([\w{\[]+)", re.MULTILINE)
# Of several names, or perhaps so: then only the first is known.
_SEVERAL = re.compile(r"^(?:const|let) .*(?:,$|, *\w+ *(?:=(?!>)|;))", re.MULTILINE)
_PAIR = re.compile(r"[{,]\s*(\w+(?: as \w+)?)")
_NAME = re.compile(r"[{,]\s*(\w+)")  # an imported name, as its module exports it
_FILE_IMPORT = re.compile(r'^import \{(?P<names>[^}]*)\} from "(?P<file>[^"]+)";$\n?', re.MULTILINE)
_CONNECT = "connect"
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


def imported_names(importers: Iterable[str], source: Source) -> set[str]:
    """Return the names that these modules import from any other, as those export them."""
    imports = (found for module in importers for found in _IMPORT.finditer(source(module)))
    return {name for found in imports for name in _NAME.findall(found["names"])}


def exported_names(modules: Iterable[str], source: Source) -> set[str]:
    """Return the names that these modules export."""
    return {found["name"] for module in modules for found in _EXPORT.finditer(source(module))}


def bundle(
    modules: list[str],
    source: Source,
    *,
    needed: Collection[str] | None = None,
    files: Mapping[str, str] | None = None,
    views: Collection[str] = (),
) -> str:
    """Return the source of one module that contains `modules`, in order, with their exports.

    `needed`: the only names to export. `files`: the file to import a module from, if that is another bundle.
    `views`: modules that export `connect`. As several have that name, the bundle exports `views` instead, by
    their names, such as `views.badge(element, page)`. See static/js/views/loader.js.
    Raises ValueError if two modules export the same name, if one imports a name that another does not
    export, or for a form of import or export that is not supported.
    """
    files = files or {}
    outside: dict[str, set[str]] = {}  # names to import, by file
    parts: list[str] = []
    exporters: dict[str, str] = {}
    connects: dict[str, str] = {}  # name of a view -> of its connect() here

    def taken(imported: re.Match[str]) -> str:
        module = imported["module"]
        pairs = [pair.split(" as ") for pair in _PAIR.findall(imported["names"])]
        if module not in modules:
            outside.setdefault(files.get(module, module), set()).update(pair[0] for pair in pairs)
        for name, *_ in pairs if module in modules else ():
            if exporters.get(name) != module:
                raise ValueError(f"{module} does not export {name}.")
        return "\n".join(f"const {pair[1]} = {pair[0]};" for pair in pairs if len(pair) > 1)

    declarations = _count_declarations(modules, source)
    for module in modules:
        text = _IMPORT.sub(taken, source(module))
        names = [export["name"] for export in _EXPORT.finditer(text)]
        text = _EXPORT.sub(r"\g<what>", text)
        if unknown := _OTHERWISE.search(text):
            raise ValueError(f"{module} cannot be joined with others: {unknown[0]}")
        held = list(names)
        if module in views and _CONNECT in names:
            view = module.removeprefix("views/").removesuffix(".js")
            connects[view] = held[names.index(_CONNECT)] = f"{_CONNECT}_{view}"
        for name in held:
            if exporters.setdefault(name, module) != module:
                raise ValueError(f"{exporters[name]} and {module} both export {name}.")
        own = set(_DECLARATION.findall(text)) - set(names)
        is_alone = all(name.isidentifier() and declarations[name] == 1 for name in own)
        if held == names and is_alone and not _SEVERAL.search(text):
            parts.append(text)
        else:
            parts.append(
                f"const [{', '.join(held)}] = (() => {{\n{text}\nreturn [{', '.join(names)}];\n}})();"
            )

    for file, found in outside.items():
        if twice := found & exporters.keys():
            raise ValueError(f"{file} and a module of the bundle both export {min(twice)}.")
    imports = [
        f'import {{ {", ".join(sorted(found))} }} from "chatty/{file}";'
        for file, found in outside.items()
    ]
    hidden = set(connects.values())
    exported = [
        name for name in exporters if name not in hidden and (needed is None or name in needed)
    ]
    parts.append(f"export {{ {', '.join(exported)} }};")
    if connects:
        each = ", ".join(f"{view}: {name}" for view, name in connects.items())
        parts.append(f"export const views = {{ {each} }};")
    return "\n".join([*imports, *parts]) + "\n"


def _count_declarations(modules: list[str], source: Source) -> Counter[str]:
    """Return in how many of these modules each name is declared. One that is imported from elsewhere counts,
    too: it is declared by the bundle."""
    declared: Counter[str] = Counter()
    elsewhere: set[str] = set()
    for module in modules:
        text = source(module)
        found = set(_DECLARATION.findall(_EXPORT.sub(r"\g<what>", text)))
        for imported in _IMPORT.finditer(text):
            for name, *alias in (each.split(" as ") for each in _PAIR.findall(imported["names"])):
                found.update(alias)
                if imported["module"] not in modules:
                    elsewhere.add(name)
        declared.update(found)
    declared.update(elsewhere)
    return declared


def merge_imports(text: str) -> str:
    """Return a module with one import for each file, instead of several with the same file."""
    names: dict[str, list[str]] = {}
    for found in _FILE_IMPORT.finditer(text):
        listed = (" ".join(name.split()) for name in found["names"].split(","))
        names.setdefault(found["file"], []).extend(filter(None, listed))
    imports = (f'import {{ {", ".join(each)} }} from "{file}";\n' for file, each in names.items())
    return "".join(imports) + _FILE_IMPORT.sub("", text) if names else text
