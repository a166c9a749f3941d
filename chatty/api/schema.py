"""The OpenAPI schema: drf-spectacular's, with structs as responses, plus the error of every endpoint."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any

import msgspec
from drf_spectacular import openapi
from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent, build_choice_field
from rest_framework import serializers


class ErrorSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField())
    )
    retry = serializers.BooleanField()
    retry_after = serializers.FloatField(required=False)


class AutoSchema(openapi.AutoSchema):
    def _get_response_bodies(self, direction: Any = "response") -> Any:
        # Not in get_response_serializers(): @extend_schema(responses=...) replaces that one.
        answers = super()._get_response_bodies(direction)
        error = self._get_response_for_code(  # type: ignore[no-untyped-call]
            ErrorSerializer, "4XX", direction=direction
        )
        return {**answers, "4XX": error, "5XX": error}


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
