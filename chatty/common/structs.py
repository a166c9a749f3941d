"""Structs from untrusted values, with an error for each field.

Values are not converted: `5` is not a string, and `"5"`, `5.0` and `true` are not integers. Sentences about
types are for developers, so they are not translated.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, TypeVar, cast

import msgspec
from django.db.models import TextChoices
from django.forms import Field
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from msgspec import inspect

from chatty.common.errors import ChatError, Sentence
from chatty.common.names import nearest_name

T = TypeVar("T", bound=msgspec.Struct)

_REQUIRED = cast(Sentence, Field.default_error_messages["required"])  # translated by Django
_INTEGER = re.compile(r"-?[0-9]{1,1000}")  # Python converts up to 4,300 digits
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`(?: - at `[^`]*`)?", re.DOTALL)

# The `next` of a page of results.
NextPage = Annotated[
    str | None,
    msgspec.Meta(
        description="URL of the next page. Null on the last page.",
        extra_json_schema={"format": "uri"},
    ),
]


known_choices: dict[str, Choices] = {}  # all that have a schema, by name


class Choices(NamedTuple):
    """The values of a text field. `name`: of their component in the OpenAPI schema. `labels`: for people."""

    name: str
    labels: Mapping[str, Sentence]

    @classmethod
    def of(cls, kind: type[TextChoices]) -> Choices:
        """Of a model's `Kind`, for example: MessageKind."""
        return cls(kind.__qualname__.replace(".", ""), dict(kind.choices))

    def as_schema(self) -> dict[str, Any]:
        """Return a JSON Schema. chatty/api/schema.py makes components of these, by their name."""
        known_choices[self.name] = self
        return {"type": "string", "enum": list(self.labels), "x-choices": self.name}


def one_of(choices: Choices | type[TextChoices], description: str | None = None) -> msgspec.Meta:
    """Describe a text field that has one of these values."""
    known = choices if isinstance(choices, Choices) else Choices.of(choices)
    return msgspec.Meta(description=description, extra_json_schema=known.as_schema())


def parse(kind: type[T], given: object) -> T:
    """Return the struct with these values. Raises ChatError("invalid") with `fields`: all unknown, missing
    and wrong ones, and what __post_init__() of the struct raises.
    """
    if not isinstance(given, Mapping):
        raise ChatError("invalid", fields={"non_field_errors": ["Expected an object."]})
    unknown = sorted(str(name) for name in given if name not in kind.__struct_fields__)
    del unknown[UNKNOWN_MAX:]
    try:
        if not unknown:
            return msgspec.convert(given, kind)
    except msgspec.ValidationError:
        pass
    raise ChatError("invalid", fields=_find_faults(kind, given, unknown))


def parse_texts(kind: type[T], texts: Mapping[str, str]) -> T:
    """Return the struct with values from a form, where "5" is an integer unless the field is a text.

    Not with strict=False of msgspec: that also takes "null" as None, and "7.0" and "1e3" as integers. Raises
    as parse() does.
    """
    values: dict[str, Any] = dict(texts)
    for field in msgspec.structs.fields(kind):
        text = texts.get(field.name, "")
        if text.startswith("["):  # a list, in a hidden field
            with contextlib.suppress(msgspec.MsgspecError, RecursionError, UnicodeError):
                msgspec.json.decode(text, type=field.type)
                values[field.name] = msgspec.json.decode(text)
        if _INTEGER.fullmatch(text):
            try:
                msgspec.convert(text, field.type)
            except msgspec.ValidationError:
                values[field.name] = int(text)
    return parse(kind, values)


# Unknown names that one response tells about: looking for what was meant takes time.
UNKNOWN_MAX = 20


def unknown_field(name: str, known: Iterable[str]) -> list[Sentence]:
    """Return what is wrong with an unknown field, and the name that was probably meant."""
    return [with_suggestion(_("Unknown field."), name, known)]


def with_suggestion(sentence: Sentence, name: str, known: Iterable[str]) -> Sentence:
    """Add the known name that was probably meant to a sentence about an unknown one, if there is one."""
    return _suggesting(sentence, nearest_name(name, known))


def _suggesting(sentence: Sentence, nearest: str | None) -> Sentence:
    if nearest is None:
        return sentence
    hint = format_lazy(_("Did you mean “{name}”?"), name=nearest)
    return format_lazy("{} {}", sentence, hint)


def nearest_within(error: msgspec.ValidationError, kind: Any) -> str | None:
    """Return the name that was probably meant, if the error is an unknown field of a struct within `kind`."""
    unknown = _UNKNOWN.fullmatch(str(error))
    return unknown and nearest_name(unknown[1], _names_within(inspect.type_info(kind)))


def _names_within(shape: inspect.Type) -> Iterator[str]:
    match shape:
        case inspect.StructType(fields=fields):
            for field in fields:
                yield field.encode_name
                yield from _names_within(field.type)
        case inspect.Metadata(type=inner):
            yield from _names_within(inner)
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            yield from _names_within(item)
        case inspect.UnionType(types=types):
            for each in types:
                yield from _names_within(each)


def _find_faults(
    kind: type[msgspec.Struct], given: Mapping[Any, Any], unknown: list[str]
) -> dict[str, list[Sentence]]:
    faults: dict[str, list[Sentence]] = {
        name: unknown_field(name, kind.__struct_fields__) for name in unknown
    }
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name in given:
            try:
                values[field.name] = msgspec.convert(given[field.name], field.type)
                continue
            except msgspec.ValidationError as error:  # names types, and repeats no values
                nearest = nearest_within(error, field.type)
                faults[field.name] = [_suggesting(f"{error}.", nearest)]
        elif field.required:
            faults[field.name] = [_REQUIRED]
        if field.required:
            values[field.name] = None
    try:
        kind(**values)  # only for its own checks: constructors don't check types
    except ChatError as error:
        faults.update({name: list(told) for name, told in error.fields.items()})
    return faults
