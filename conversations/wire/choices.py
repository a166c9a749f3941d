"""Fields with a fixed set of values."""

from __future__ import annotations

import msgspec
from django.db.models import TextChoices


def one_of(choices: type[TextChoices], description: str | None = None) -> msgspec.Meta:
    """Describe a text field that has one of these values.

    chatty/api/schema.py replaces `x-choices` with their labels, in the language of the request.
    """
    return msgspec.Meta(
        description=description,
        extra_json_schema={
            "enum": [str(value) for value in choices.values],
            "x-choices": f"{choices.__module__}:{choices.__qualname__}",
        },
    )
