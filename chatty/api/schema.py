"""The OpenAPI schema: drf-spectacular's, plus the error response of every endpoint."""

from __future__ import annotations

from typing import Any

from drf_spectacular import openapi
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
