"""What the API takes, strictly: nothing is converted on the quiet and nothing unknown is passed over.

A number is a number, a text is a text, and a misspelt name is refused instead of being ignored: a
program that writes `befor=` would otherwise get the latest page for ever and never learn why.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from chatty.common.numbers import NUMBER_MAX

_DIGITS_MAX = len(str(NUMBER_MAX))
_ECHO_MAX = 50


class StrictSerializer(serializers.Serializer[Any]):
    """A body of which every field is known and may be given."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            faults = {}
            for name in sorted(data):
                if name not in self.fields:
                    faults[name] = [_("Unknown field.")]
                elif self.fields[name].read_only:
                    faults[name] = [_("This field is read-only.")]
            if faults:
                raise serializers.ValidationError(faults)
        return super().to_internal_value(data)


class StrictSerializerSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Tells the OpenAPI description that Given knows its fields."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        shape = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        # Answers may get more fields in a later version.
        return {**shape, "additionalProperties": False} if direction == "request" else shape


class StrictQuery(serializers.Serializer[Any]):
    """Parameters of an address: each is known and stands there once."""

    def to_internal_value(self, data: Any) -> Any:
        faults = {}
        for name, values in data.lists():
            if name not in self.fields:
                faults[name] = [_("Unknown parameter.")]
            elif len(values) > 1:
                faults[name] = [_("This parameter can be given only once.")]
        if faults:
            raise serializers.ValidationError(faults)
        return super().to_internal_value(data.dict())


class StrictText(serializers.CharField):
    """A text as it was written: the rules for texts, and the codes of what breaks them, are those of
    the actions, the same as in every other interface."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "allow_blank": True, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class StrictChoice(serializers.ChoiceField):
    """One of these texts. What is none of them is quoted in part: it may be long."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=str(data)[:_ECHO_MAX])
        return super().to_internal_value(data[:_ECHO_MAX])


class StrictInt(serializers.IntegerField):
    """A whole number in JSON. Not "5", not 5.0, not true."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": NUMBER_MAX, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class QueryInt(StrictInt):
    """A whole number in an address: digits and nothing else."""

    def to_internal_value(self, data: Any) -> int:
        if not data.isascii() or not data.isdigit() or len(data) > _DIGITS_MAX:
            self.fail("invalid")
        return int(data)


class StrictBool(serializers.BooleanField):
    """true or false in JSON. Not "yes", not 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
