"""The types of the scripts."""

from __future__ import annotations

from docs import script_types


def test_types_are_up_to_date():
    """`python -m docs.script_types` writes types/wire.d.ts."""
    assert script_types.TYPES.read_text() == script_types.types()


def test_every_shape_has_one_description():
    """Two structs of the same name would be written as one interface."""
    names = [
        line.split()[1]
        for line in script_types.types().splitlines()
        if line.startswith("  interface ")
    ]
    assert len(names) == len(set(names)) > 40
    assert {"Message", "Conversation", "PageData", "HelloFrame", "Send"} <= set(names)
