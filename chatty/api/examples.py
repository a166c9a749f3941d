"""Examples of requests and responses, for the OpenAPI schema.

They are in `examples.json` beside the views of each app: for each operation, requests with their responses,
in the order in which they were sent. `python -m tests.api_examples` sends the requests and writes the
responses; a test fails if they are not what the code returns now.

Bytes can't be in a JSON document, so those that are sent or returned are files in static/examples/, and the
schema has their addresses (`externalValue`). A form is shown by its fields, with the name of its file.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.conf import settings

FILE = "examples.json"
_JSON = "application/json"
_FORM = "multipart/form-data"

Example = dict[str, Any]


@cache
def read(directory: Path) -> dict[str, list[Example]]:
    """Return the examples of each operation of the views in this directory."""
    path = directory / FILE
    return json.loads(path.read_text()) if path.exists() else {}


def add_to(operation: dict[str, Any], path: str, *, view: type) -> None:
    """Add the examples of an operation to its parameters, its request and its responses."""
    found = read(Path(inspect.getfile(view)).parent).get(operation["operationId"], [])
    for example in reversed(found):  # the first one has the last word about parameters
        _add_parameters(operation, path, example["path"])
    if "requestBody" in operation:
        _add(operation["requestBody"]["content"], found, "body")
        files = [_link(example) for example in found if "body_file" in example]
        if files:  # Swagger UI shows neither examples of bytes nor the description of their body
            operation["description"] += f"\n\nBodies, for example: {', '.join(files)}."
    for status, response in operation["responses"].items():
        answers = [each for each in found if str(each.get("status")) == status]
        _add(response.get("content", {}), answers, "answer")


def with_errors(response: dict[str, Any], statuses: str) -> dict[str, Any]:
    """Return the response that all operations share, with examples. `statuses`: "4XX" or "5XX"."""
    _add(response["content"], read(Path(__file__).parent).get(statuses, []), "answer")
    return response


def _add(content: dict[str, Any], found: Iterable[Example], part: str) -> None:
    """`part`: "body" or "answer". Bytes are in "body_file" and "answer_file", with their type in "type"."""
    added: list[Any] = []
    for example in found:
        if part in example:
            media_type, shown = _JSON, {"value": example[part]}
        elif f"{part}_file" in example:
            shown = {"externalValue": _address(example[f"{part}_file"])}
            media_type = example["type"]
        elif part == "body" and "form" in example:
            media_type, shown = _FORM, {"value": example["form"]}
        else:
            continue
        if media_type in content and shown not in added:
            added.append(shown)
            key = re.sub(r"\W+", "-", example["name"].lower()).strip("-")
            examples = content[media_type].setdefault("examples", {})
            examples[key] = {"summary": example["name"], **shown}


def _link(example: Example) -> str:
    return f"[{example['body_file']}]({_address(example['body_file'])})"


def _address(file: str) -> str:
    # Not static(): the schema is also made before files are collected, by `manage.py check`.
    return f"{settings.STATIC_URL}examples/{file}"


def _add_parameters(operation: dict[str, Any], path: str, sent: str) -> None:
    parts = urlsplit(sent)
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
    match = re.fullmatch(pattern, parts.path)
    if match is None:
        raise ValueError(f"{sent} is not a path of {path}")
    given = {name: unquote(value) for name, value in match.groupdict().items()}
    given |= dict(parse_qsl(parts.query))
    for parameter in operation.get("parameters", ()):
        if parameter["in"] in ("path", "query") and parameter["name"] in given:
            value: Any = given[parameter["name"]]
            is_number = parameter["schema"].get("type") == "integer"
            parameter["example"] = int(value) if is_number else value
