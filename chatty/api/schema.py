"""The OpenAPI schema: drf-spectacular's, plus structs and the error response of every endpoint."""

from __future__ import annotations

from typing import Any

import msgspec
from drf_spectacular import openapi
from drf_spectacular.extensions import OpenApiSerializerExtension
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
    """Describes structs in requests like serializers: as components with their name."""

    target_class = msgspec.Struct
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        shape = msgspec.json.schema(self.target)["$defs"][self.target.__name__]
        fields = {name: _as_openapi(each) for name, each in shape["properties"].items()}
        return {**shape, "properties": fields, "additionalProperties": False}


def _as_openapi(shape: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of a field in the dialect of OpenAPI 3.0, which writes null in another way."""
    kinds = [kind for kind in shape.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return shape
    rest = {name: value for name, value in shape.items() if name != "anyOf"}
    return {**kinds[0], **rest, "nullable": True}
