"""The OpenAPI description: what drf-spectacular finds out, plus the one shape of every refusal."""

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
    def get_response_serializers(self) -> Any:
        answers = super().get_response_serializers()
        if not isinstance(answers, dict):
            answers = {"204" if self.method == "DELETE" else self._success(): answers}
        return {"4XX": ErrorSerializer, "5XX": ErrorSerializer, **answers}

    def _success(self) -> str:
        return "201" if self.method == "POST" else "200"
