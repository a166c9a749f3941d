"""The OpenAPI schema: drf-spectacular's, with structs as requests and responses, open choices, the errors of
every endpoint, and examples (chatty/api/examples.py)."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from drf_spectacular import openapi
from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent
from msgspec import UNSET, UnsetType

from chatty.api import examples
from chatty.common.errors import CODES
from chatty.common.structs import Choices, known_choices, one_of

_CODES = Choices("ErrorCode", {name: code.detail for name, code in CODES.items()})


class ErrorOut(msgspec.Struct, frozen=True):
    """Why a request was rejected."""

    code: Annotated[str, one_of(_CODES)]
    detail: Annotated[str, msgspec.Meta(description="What is wrong, as a sentence for people.")]
    fields: Annotated[
        dict[str, list[str]],
        msgspec.Meta(description="What is wrong with each field or parameter, by its name."),
    ]
    retry: Annotated[bool, msgspec.Meta(description="Whether the same request can succeed later.")]
    retry_after: Annotated[
        float | UnsetType,
        msgspec.Meta(description="Seconds to wait, if it is known. Also the header `Retry-After`."),
    ] = UNSET


_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of an earlier response. If there was a change since, nothing is changed and "
    "the error is `precondition_failed`.",
}
_ETAG = {
    "schema": {"type": "string"},
    "description": "Changes with what can be edited. Send it as `If-Match` to change nothing newer.",
}
# Responses that every endpoint can have: their name, and a description.
_ERRORS = {
    "4XX": ("Error", "The request was rejected. `code` says why."),
    "5XX": ("ServerError", "The server could not handle the request. `retry` is true."),
}

# Of responses without a description of their own.
_DESCRIPTIONS = {
    "200": "Done.",
    "201": "Created.",
    "202": "Accepted.",
    "204": "Done. No body.",
    "409": "A conflict.",
}

# Last parts of paths that say what is done.
_VERBS = (
    *("accept", "block", "browse", "decline", "direct", "join", "leave", "logout", "look_up"),
    *("read", "refresh", "register", "token", "unblock", "unread"),
)
_WORDS = {"user": "person", "sid": "session", "digest": "picture"}  # what parameters are the ID of
_DONE = {"retrieve": "get", "destroy": "delete"}
_BLANK = {"type": "string", "maxLength": 0}
_REF = "#/components/schemas/"


class AutoSchema(openapi.AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if not operation:
            return operation
        operation.setdefault("security", [])  # none is needed
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and "description" not in parameter:
                name = parameter["name"]
                parameter["description"] = f"The ID of the {_WORDS.get(name, name)}."
        conditional = getattr(self.view, "conditional", ())
        if self.method in conditional:
            operation.setdefault("parameters", []).append(_IF_MATCH)
        for status, response in operation["responses"].items():
            if response.get("description") in ("", "No response body"):
                response["description"] = _DESCRIPTIONS[status]
            if conditional and status.startswith("2") and "content" in response:
                response.setdefault("headers", {})["ETag"] = _ETAG
        if "requestBody" in operation:
            # Its fields can all be optional, though one of them is needed.
            needed = getattr(self.get_request_serializer(), "is_needed", False)
            if needed or self.method in ("PATCH", "PUT"):
                operation["requestBody"]["required"] = True
        examples.add_to(operation, self.path, view=type(self.view))
        return operation

    def get_tags(self) -> list[str]:
        tag = getattr(self.view, "tag", None)
        return [tag] if tag else super().get_tags()

    def get_summary(self) -> str | None:
        """Return the first sentence of the description."""
        first = " ".join(self.get_description().split("\n\n")[0].split())
        return re.split(r" \(\d|[.:](?:\s|$)", first)[0] or None

    def get_operation_id(self) -> str:
        """Return the path and what is done: conversations_members_list, messages_update."""
        generated: str = super().get_operation_id()
        name, _, done = generated.rpartition("_")
        if generated.endswith("_partial_update"):
            return generated.removesuffix("_partial_update") + "_update"
        if done == "create" and name.endswith(_VERBS):
            return name
        return f"{name}_{_DONE.get(done, done)}" if name else generated

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        # Not in get_response_serializers(): @extend_schema(responses=...) replaces that one.
        bodies = super()._get_response_bodies(direction)
        for status, (name, description) in _ERRORS.items():
            # Also registers the component of the struct.
            response = self._get_response_for_code(ErrorOut, status)  # type: ignore[no-untyped-call]
            component = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name,
                type=ResolvedComponent.RESPONSE,
                object=name,
                schema=examples.with_errors({**response, "description": description}, status),
            )
            self.registry.register_on_missing(component)
            bodies[status] = {"$ref": f"#/components/responses/{name}"}
        return bodies


class StructSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Lets @extend_schema describe requests and responses by their structs. `MessageOut` becomes the
    component `Message`, and so do the structs in it."""

    target_class = msgspec.Struct
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        # A component that was registered by name, as part of another struct, is not a collision.
        set_override(self.target, "suppress_collision_warning", True)
        return _component(self.target.__name__)

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        _, components = msgspec.json.schema_components([self.target], ref_template="{name}")
        for name, schema in components.items():
            if name != self.target.__name__:
                component = ResolvedComponent(  # type: ignore[no-untyped-call]
                    name=_component(name),
                    type=ResolvedComponent.SCHEMA,
                    object=_component(name),
                    schema=_openapi(schema),
                )
                auto_schema.registry.register_on_missing(component)
        schema = _openapi(components[self.target.__name__])
        return {**schema, "additionalProperties": False} if direction == "request" else schema


def _component(struct: str) -> str:
    return struct.removesuffix("Out")


def _openapi(schema: Any) -> Any:
    """Return a JSON Schema of msgspec with our names, and without those it derives from fields."""
    if isinstance(schema, list):
        return [_openapi(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    mapped = {name: _openapi(value) for name, value in schema.items()}
    # These can also be the names of properties.
    if isinstance(mapped.get("title"), str):
        del mapped["title"]
    if isinstance(mapped.get("description"), str):
        mapped["description"] = " ".join(mapped["description"].split())
    if "$ref" in mapped:
        mapped["$ref"] = _REF + _component(mapped["$ref"])
    if len(mapped.get("enum", ())) == 1:  # tells types apart
        mapped = {"type": "string", "const": mapped["enum"][0]}
    return mapped


def refine(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """Give the choices components of their own.

    In requests they are closed: everything else is rejected. In responses they are open, so that generated
    clients don't fail at one that a later version adds.
    """
    schemas = result["components"]["schemas"]
    choices: dict[str, Any] = {}
    for name, component in schemas.items():
        is_request = component.get("additionalProperties") is False
        schemas[name] = _refined(component, choices, opened=not is_request)
    result["components"]["schemas"] = dict(sorted({**schemas, **choices}.items()))
    return result


def _refined(shape: Any, choices: dict[str, Any], *, opened: bool) -> Any:
    if isinstance(shape, list):
        return [_refined(each, choices, opened=opened) for each in shape]
    if not isinstance(shape, dict):
        return shape
    shape = {name: _refined(each, choices, opened=opened) for name, each in shape.items()}
    if "enum" in shape:
        return _reference(shape, choices, opened=opened)
    if _BLANK in shape.get("oneOf", []):  # texts have their own description of what can be empty
        (kind,) = (each for each in shape.pop("oneOf") if each != _BLANK)
        shape = {**kind, **shape}
    return shape


def _reference(shape: dict[str, Any], choices: dict[str, Any], *, opened: bool) -> dict[str, Any]:
    """Return a reference to the component with these choices, which is added to `choices`."""
    known = known_choices[shape["x-choices"]]
    choices[known.name] = {"type": "string", "enum": shape["enum"], **_described(known)}
    rest = {key: value for key, value in shape.items() if key in ("description", "default")}
    reference: dict[str, Any] = {"$ref": _REF + known.name}
    if opened:
        return {"anyOf": [reference, {"type": "string"}], **rest}
    return {"allOf": [reference], **rest} if rest else reference


def _described(choices: Choices) -> dict[str, str]:
    """Describe choices by their labels, in the language of the request, if these say more than the values."""
    lines = [
        f"* `{value}`" if str(label).casefold() == value else f"* `{value}`: {label}"
        for value, label in choices.labels.items()
    ]
    return {"description": "\n".join(lines)} if any(": " in line for line in lines) else {}
