"""The OpenAPI schema: drf-spectacular's, with structs as responses, plus the error of every endpoint."""

from __future__ import annotations

import re
from pkgutil import resolve_name
from typing import Any

import msgspec
from drf_spectacular import openapi
from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent, build_choice_field
from rest_framework import serializers

from chatty.common.errors import CODES


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField([(name, code.detail) for name, code in CODES.items()])
    detail = serializers.CharField()
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField())
    )
    retry = serializers.BooleanField()
    retry_after = serializers.FloatField(required=False)


_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": {"type": "string"},
    "description": "The `ETag` of an earlier response. If there was a change since, nothing is changed and "
    "the error is `precondition_failed`.",
}


# Last parts of paths that say what is done.
_VERBS = {
    *("browse", "direct", "join", "leave", "logout"),
    *("read", "refresh", "register", "token", "unread"),
}
_DONE = {"retrieve": "get", "destroy": "delete"}
_BLANK = {"type": "string", "maxLength": 0}


class AutoSchema(openapi.AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation and self.method in getattr(self.view, "conditional", ()):
            operation.setdefault("parameters", []).append(_IF_MATCH)
        if operation and "requestBody" in operation:
            # Its fields can all be optional, though one of them is needed.
            needed = getattr(self.get_request_serializer(), "is_needed", False)
            if needed or self.method in ("PATCH", "PUT"):
                operation["requestBody"]["required"] = True
        return operation

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
        if done == "create" and name.rpartition("_")[2] in _VERBS:
            return name
        return f"{name}_{_DONE.get(done, done)}" if name else generated

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        # Not in get_response_serializers(): @extend_schema(responses=...) replaces that one.
        answers = super()._get_response_bodies(direction)
        error = self._get_response_for_code(  # type: ignore[no-untyped-call]
            ErrorSerializer, "4XX", direction=direction
        )
        return {**answers, "4XX": error, "5XX": error}


def refine(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """Refine the components, before drf-spectacular makes components of the choices in them.

    Choices in responses are open, so that generated clients don't fail at one that a later version adds:
    `x-extensible-enum` lists the ones of this version.
    """
    for name, component in result["components"].get("schemas", {}).items():
        _refine(component, opened=not name.endswith("Request"))
    return result


def _refine(shape: Any, *, opened: bool) -> None:
    if isinstance(shape, list):
        for each in shape:
            _refine(each, opened=opened)
    if not isinstance(shape, dict):
        return
    if opened and len(shape.get("enum", ())) > 1:  # a single one tells types apart
        shape["x-extensible-enum"] = shape.pop("enum")
    if _BLANK in shape.get("oneOf", []):  # texts have their own description of what can be empty
        (kind,) = (each for each in shape.pop("oneOf") if each != _BLANK)
        shape.update({**kind, **shape})
    for each in shape.values():
        _refine(each, opened=opened)


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
    """Return a JSON Schema as OpenAPI 3.0 writes it."""
    if isinstance(schema, list):
        return [_openapi(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    mapped = {name: _openapi(value) for name, value in schema.items() if name != "title"}
    if "$ref" in mapped:
        mapped["$ref"] = f"#/components/schemas/{_component(mapped['$ref'])}"
    if "x-choices" in mapped:
        mapped = _choices(mapped)
    if "anyOf" in mapped:
        mapped = _nullable(mapped)
    return mapped


def _choices(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe the choices as drf-spectacular describes those of a serializer, so that both are one
    component."""
    choices = resolve_name(schema["x-choices"]).choices
    described = build_choice_field(serializers.ChoiceField(choices))
    own = schema.get("description")
    return {
        **described,
        "description": f"{own}\n\n{described['description']}" if own else described["description"],
    }


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0 has no type "null"."""
    kinds = [each for each in schema["anyOf"] if each != {"type": "null"}]
    if len(kinds) == len(schema["anyOf"]):
        return schema
    (kind,) = kinds  # nullable unions of several types aren't needed yet
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**({"allOf": [kind]} if "$ref" in kind else kind), **rest, "nullable": True}
