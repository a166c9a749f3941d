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
    """Each request and response of each operation, of each media type, and each parameter of a path."""
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
                absent += [
                    f"{name} {part} {media_type}"
                    for media_type, shown in described_part.get("content", {}).items()
                    if not shown.get("examples")
                ]
            absent += [
                f"{name} {parameter['name']}"
                for parameter in operation.get("parameters", ())
                if parameter["in"] == "path" and "example" not in parameter
            ]
    for name in ("Error", "ServerError"):
        assert described["components"]["responses"][name]["content"]["application/json"]["examples"]
    assert absent == []
    assert unused == set()


def test_examples_of_bytes_are_files_that_can_be_loaded():
    operation = SharedSchemaGenerator().get_schema()["paths"]["/api/uploads/{upload}/"]["patch"]
    shown = operation["requestBody"]["content"]["application/octet-stream"]["examples"]
    (example,) = shown.values()
    assert example == {"summary": "The rest", "externalValue": "/static/examples/seeds-end.txt"}
    files = set(api_examples.FILES.iterdir())
    named = "".join(path.read_text() for path in api_examples.files())
    assert files == {path for path in files if f'"{path.name}"' in named}


def test_examples_succeed():
    """Those of errors are meant."""
    for path in api_examples.files():
        for name, found in json.loads(path.read_text()).items():
            for example in found:
                meant = {"4XX": 400, "5XX": 500}.get(name, 200) // 100
                is_conflict = (name, example["status"]) == ("messages_update", 409)
                assert example["status"] // 100 == meant or is_conflict, (name, example)
