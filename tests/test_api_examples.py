"""The examples in the API's description are what the server accepts and returns."""

from __future__ import annotations

import json

import pytest

from chatty.api.views import SharedSchemaGenerator
from tests import api_examples

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_examples_are_what_the_server_responds():
    changed = []
    with api_examples.world() as here:
        for path in api_examples.files():
            made = api_examples.results(path, here)
            if api_examples.encoded(made) != path.read_text():
                then = json.loads(path.read_text())
                changed += [
                    (name, then[name], made[name]) for name in made if then[name] != made[name]
                ]
                changed += [str(path)]
    assert changed == [], "Run `python -m tests.api_examples` and read what it changes."


def test_everything_has_an_example():
    """Each request and response of each operation, and each parameter of a path."""
    absent, unused = [], set()
    described = SharedSchemaGenerator().get_schema()
    for path in api_examples.files():
        unused |= json.loads(path.read_text()).keys() - {"4XX", "5XX"}
    for operations in described["paths"].values():
        for operation in operations.values():
            name = operation["operationId"]
            unused.discard(name)
            parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for part, described_part in parts.items():
                shown = described_part.get("content", {}).get("application/json")
                if shown is not None and not shown.get("examples"):
                    absent.append(f"{name} {part}")
            absent += [
                f"{name} {parameter['name']}"
                for parameter in operation.get("parameters", ())
                if parameter["in"] == "path" and "example" not in parameter
            ]
    for name in ("Error", "ServerError"):
        assert described["components"]["responses"][name]["content"]["application/json"]["examples"]
    assert absent == []
    assert unused == set()


def test_examples_succeed():
    """Those of errors are meant."""
    for path in api_examples.files():
        for name, found in json.loads(path.read_text()).items():
            for example in found:
                meant = {"4XX": 400, "5XX": 500}.get(name, 200) // 100
                is_conflict = (name, example["status"]) == ("messages_update", 409)
                assert example["status"] // 100 == meant or is_conflict, (name, example)
