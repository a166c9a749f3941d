"""Strict serializers and fields: no type coercion, and no unknown names.

A misspelt name is an error instead of being ignored. Otherwise a program that sends `befor=` would
always get the latest page, without any hint why.
"""

from __future__ import annotations

from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chatty.common.numbers import NUMBER_MAX
from chatty.common.structs import UNKNOWN_MAX, Choices, unknown_field, with_suggestion
from chatty.common.text import counted

_DIGITS_MAX = len(str(NUMBER_MAX))
_ECHO_MAX = 50
_LIST_MAX = 1_000


class StrictSerializer(serializers.Serializer[Any]):
    """A request body. Unknown and read-only fields are errors."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            faults: dict[str, list[str]] = {}
            for name in sorted(data):
                if len(faults) == UNKNOWN_MAX:
                    break
                if name not in self.fields:
                    writable = (key for key, field in self.fields.items() if not field.read_only)
                    faults[name] = [str(each) for each in unknown_field(name, writable)]
                elif self.fields[name].read_only:
                    faults[name] = [_("This field is read-only.")]
            if faults:
                raise serializers.ValidationError(faults)
        return super().to_internal_value(data)


class StrictSerializerSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Adds "additionalProperties": false to request bodies in the OpenAPI schema."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        shape = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        if not vars(type(self.target))["__doc__"]:
            shape.pop("description", None)  # that of a base class
        # Not for responses: later versions may add fields to them.
        return {**shape, "additionalProperties": False} if direction == "request" else shape


class StrictQuery(serializers.Serializer[Any]):
    """A query string. Unknown and repeated parameters are errors."""

    def to_internal_value(self, data: Any) -> Any:
        faults: dict[str, list[str]] = {}
        for name, values in data.lists():
            if len(faults) == UNKNOWN_MAX:
                break
            if name not in self.fields:
                told = with_suggestion(_("Unknown parameter."), name, self.fields)
                faults[name] = [str(told)]
            elif len(values) > 1:
                faults[name] = [_("This parameter can be given only once.")]
        if faults:
            raise serializers.ValidationError(faults)
        return super().to_internal_value(data.dict())


class StrictText(serializers.CharField):
    """Text, exactly as sent. The actions validate it, so all interfaces share rules and error codes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "allow_blank": True, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class StrictChoice(serializers.ChoiceField):
    """One of the given strings. The error message quotes at most _ECHO_MAX characters of a wrong one."""

    def __init__(self, choices: Choices | type[TextChoices], **kwargs: Any) -> None:
        self.known = choices if isinstance(choices, Choices) else Choices.of(choices)
        super().__init__(list(self.known.labels.items()), **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=str(data)[:_ECHO_MAX])
        return super().to_internal_value(data[:_ECHO_MAX])


class StrictChoiceSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Describes the choices as those of structs are."""

    target_class = StrictChoice

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        known: Choices = self.target.known
        return known.as_schema()


class StrictInt(serializers.IntegerField):
    """A JSON integer. Not "5", 5.0 or true."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": NUMBER_MAX, **kwargs})

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class QueryInt(StrictInt):
    """An integer in a query string: only ASCII digits."""

    def to_internal_value(self, data: Any) -> int:
        if not data.isascii() or not data.isdigit() or len(data) > _DIGITS_MAX:
            self.fail("invalid")
        return int(data)


class QueryCursor(serializers.CharField):
    """Where a page begins."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=1000,
            help_text="Comes with `next` of the page before: follow that URL instead.",
        )


class StrictList(serializers.ListField):
    """A list, of which the action says how long it can be. One that is far too long is rejected before its
    values are looked at."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > _LIST_MAX:
            raise serializers.ValidationError(
                [_("List at most {max}.").format(max=counted(_LIST_MAX))]
            )
        return list(super().to_internal_value(data))


@extend_schema_field({"type": "string", "pattern": "^[0-9]+(,[0-9]+)*$"})
class QueryIds(serializers.Field[list[int], str, Any, Any]):
    """Ids in a query string, separated by commas: "3,8". Reads as a list of integers."""

    def __init__(self, *, most: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data: Any) -> list[int]:
        parts = data.split(",")
        if len(parts) > self.most:
            raise serializers.ValidationError(
                [_("List at most {max}.").format(max=counted(self.most))]
            )
        return [QueryInt().run_validation(part) for part in parts]


class StrictBool(serializers.BooleanField):
    """A JSON boolean. Not "yes" or 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
