"""Writes types/wire.d.ts: what the server sends to scripts, and what they send, as types for tsc.

python -m docs.script_types

They are made from the structs of conversations/wire/, of the frames and of page_data.py. The file is
committed. A test fails if it is not as this command writes it.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import django
import msgspec

TYPES = Path(__file__).resolve().parent.parent / "types/wire.d.ts"
WIDTH = 100
_HEAD = """\
// Written by `python -m docs.script_types`: edit the structs in conversations/wire/, conversations/frames.py,
// conversations/protocol.py and conversations/web/page_data.py instead.

declare namespace Wire {
"""
_NAMES = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}


def types() -> str:
    """Return the contents of types/wire.d.ts. Django must be set up."""
    from accounts.wire import PeopleOut
    from conversations import frames, protocol, wire
    from conversations.web.page_data import PageData

    server = [frame for frame in _structs(protocol, frames) if _is(frame, protocol.ServerFrame)]
    client = [frame for frame in _structs(protocol) if _is(frame, protocol.ClientFrame)]
    others = [PageData, PeopleOut, *_structs(wire)]
    _, components = msgspec.json.schema_components(
        [*others, *server, *client], ref_template="{name}"
    )
    parts = [
        *(_interface(name, components[name]) for name in sorted(components, key=_name)),
        _union("ServerFrame", server),
        _union("ClientFrame", client),
    ]
    return _HEAD + textwrap.indent("\n".join(parts), "  ") + "}\n"


def _structs(*modules: Any) -> list[type[msgspec.Struct]]:
    found = (each for module in modules for each in vars(module).values())
    return list(dict.fromkeys(each for each in found if _is(each, msgspec.Struct)))


def _is(each: Any, base: type[msgspec.Struct]) -> bool:
    return isinstance(each, type) and issubclass(each, base) and each is not base


def _name(struct: str) -> str:
    return struct.removesuffix("Out")


def _union(name: str, structs: Iterable[type[msgspec.Struct]]) -> str:
    members = "".join(f"\n  | {each}" for each in sorted(struct.__name__ for struct in structs))
    return f"type {name} ={members};\n"


def _interface(struct: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    fields = "".join(
        textwrap.indent(
            _comment(field) + f"{name}{'' if name in required else '?'}: {_type(field)};\n", "  "
        )
        for name, field in schema["properties"].items()
    )
    return f"{_comment(schema)}interface {_name(struct)} {{\n{fields}}}\n"


def _comment(schema: dict[str, Any]) -> str:
    if "description" not in schema:
        return ""
    text = " ".join(schema["description"].split())
    if len(text) + 7 <= WIDTH - 4:
        return f"/** {text} */\n"
    lines = textwrap.fill(text, WIDTH - 4, initial_indent=" * ", subsequent_indent=" * ")
    return f"/**\n{lines}\n */\n"


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": name}:
            return _name(name)
        case {"allOf": [schema]}:
            return _type(schema)
        case {"anyOf": kinds}:
            return " | ".join(map(_type, kinds))
        case {"enum": values}:
            return " | ".join(json.dumps(value) for value in values)
        case {"type": "array", "items": items}:
            each = _type(items)
            return f"({each})[]" if " | " in each else f"{each}[]"
        case {"type": "object"}:
            return "Record<string, any>"
        case {"type": "null"}:
            return "null"
        case {"type": kind}:
            return _NAMES[kind]
    raise ValueError(f"no type for {schema}")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatty.settings")
    django.setup()
    TYPES.write_text(types())


if __name__ == "__main__":
    main()
