"""Examples of requests and responses, for the OpenAPI schema.

They are in `examples.json` beside the views of each app: for each operation, requests with their responses,
in the order in which they were sent. `python -m tests.api_examples` sends the requests and writes the
responses; a test fails if they are not what the code returns now.
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

FILE = "examples.json"
_JSON = "application/json"

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
        content = operation["requestBody"]["content"]
        _add(content, found, "body")
    for status, response in operation["responses"].items():
        answers = [each for each in found if str(each.get("status")) == status]
        _add(response.get("content", {}), answers, "answer")


def with_errors(response: dict[str, Any], statuses: str) -> dict[str, Any]:
    """Return the response that all operations share, with examples. `statuses`: "4XX" or "5XX"."""
    _add(response["content"], read(Path(__file__).parent).get(statuses, []), "answer")
    return response


def _add(content: dict[str, Any], found: Iterable[Example], part: str) -> None:
    values: list[Any] = []
    for example in found:
        if _JSON in content and part in example and example[part] not in values:
            values.append(example[part])
            key = re.sub(r"\W+", "-", example["name"].lower()).strip("-")
            shown = {"summary": example["name"], "value": example[part]}
            content[_JSON].setdefault("examples", {})[key] = shown


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
