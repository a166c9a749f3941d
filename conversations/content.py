"""What a person supplies for a message, from any client to the database.

A frame, a JSON request and a form are parsed into one Content, and everything after that passes it on whole.
A new field is declared, validated and given its column here and in models.py; nothing in between names it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Self

import msgspec
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chatty.common import structs
from chatty.common.errors import ChatError
from chatty.common.numbers import NUMBER_MAX
from chatty.common.text import clean_body, clean_line
from conversations import capabilities, limits, markdown, mentions

# Characters of a text that nearly always contain the whole excerpt, even with long runs of white space.
_BEGINNING = 8 * limits.EXCERPT_MAX

_NOTHING = markdown.Parts("", "", "")
_encode = json.JSONEncoder(sort_keys=True).encode  # of fingerprints: never change it
_IN_LIST = ("body", "reply_to")  # in the list of the fingerprint, since its first version
_CLAIMED = ("files",)  # see capabilities.ClaimedPart


class FileReference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An upload that is sent with a message."""

    upload: Annotated[str, msgspec.Meta(description="The id of a complete upload of yours.")]
    alt: Annotated[
        str,
        msgspec.Meta(
            description="What a picture shows, for people who can't see it. One line.",
            extra_json_schema={"maxLength": limits.ALT_MAX},
        ),
    ] = ""


class Content(msgspec.Struct, frozen=True):
    """Everything a person supplies for a message.

    Values have the right types and can exist in the database, but are not clean yet: see cleaned().
    Constraints that are declared as `extra_json_schema` are documentation; cleaned() enforces them, so that
    every client gets the same error for the same value.

    A new field must have a default. It must never change, because fingerprints leave out defaults.
    """

    body: Annotated[
        str,
        msgspec.Meta(
            description="Markdown. It can only be empty in a message with files.",
            extra_json_schema={"maxLength": limits.BODY_MAX},
        ),
    ]
    reply_to: Annotated[
        int | None,
        msgspec.Meta(
            description="Id of a message in this conversation.",
            extra_json_schema={"minimum": 1, "maximum": NUMBER_MAX},
        ),
    ] = None
    files: Annotated[
        tuple[FileReference, ...],
        msgspec.Meta(
            description="Uploads, in the order in which they are shown. Without any, there must be a text.",
            extra_json_schema={"maxItems": limits.FILES_MAX},
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Raise ChatError("invalid") for ids that no row can have: databases raise errors for them."""
        if self.reply_to is not None and not 1 <= self.reply_to <= NUMBER_MAX:
            raise unknown_reply_to("invalid")

    @staticmethod
    def within(envelope: Content) -> Content:
        """Return the content of a frame or request that has it among its own fields."""
        return Content(*[getattr(envelope, name) for name in Content.__struct_fields__])

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Parse the fields of a form, which may have others. An empty one means the default, and a body that
        is missing is empty. Raises ChatError("invalid") with `fields`.
        """
        texts = {name: form[name] for name in cls.__struct_fields__ if form.get(name)}
        return structs.parse_texts(cls, {"body": "", **texts})

    def cleaned(self) -> Self:
        """Return what is stored. Raises ChatError with `fields`: empty, too_long, bad_text, and of files
        too_many, invalid."""
        if self.files:
            return self._cleaned_with_files()
        body = clean_body(self.body, max_length=limits.BODY_MAX)
        return self if body == self.body else msgspec.structs.replace(self, body=body)

    def _cleaned_with_files(self) -> Self:
        body = clean_body(self.body, max_length=limits.BODY_MAX, required=False)
        if len(self.files) > limits.FILES_MAX:
            raise too_many_files()
        if len({each.upload for each in self.files}) < len(self.files):
            raise ChatError("invalid", fields={"files": [_("Each upload can only be used once.")]})
        files = tuple(
            FileReference(
                each.upload,
                clean_line(each.alt, field="files", max_length=limits.ALT_MAX, required=False),
            )
            for each in self.files
        )
        return msgspec.structs.replace(self, body=body, files=files)

    def fingerprint(self, conversation_id: int, secret: str) -> bytes:
        """Return a hash of clean content, which distinguishes a retry from a different message with the same
        key. It is keyed, so that a text can't be guessed from the hash in the database.

        Compared with stored ones, so it must stay the same for everything that could be sent before. Newer
        fields are therefore only included if they differ from their default.
        """
        values: list[object] = [conversation_id, self.body, self.reply_to]
        newer = {
            field.name: msgspec.to_builtins(getattr(self, field.name))
            for field in _newer_fields(type(self))
            if getattr(self, field.name) != _default(field)
        }
        if newer:
            values.append(newer)
        keyed = _keyed_hash(secret).copy()
        keyed.update(_encode(values).encode())
        return keyed.digest()


class Rendered(msgspec.Struct, frozen=True):
    """What is shown of a message and follows from its content alone.

    `text`: the author's own words as a reader sees them, without tags, with the numbers of lists, and without
    what spoilers hide. `calls`: for each "@" in them, but not in code, quotations and addresses, the folded
    text after it: see mentions.py. `marked` and `words`: see markdown.Parts.
    """

    html: str
    text: str
    calls: list[str]
    marked: str = ""
    words: str = ""

    @property
    def excerpt(self) -> str:
        return excerpt_of(self.text)


def render(
    content: Content, parse: Callable[[str], markdown.Parts] = markdown.render_with_parser
) -> Rendered:
    """Render clean content. Pure. `parse` is called for a body that needs the parser."""
    body = _NOTHING
    if content.body:  # a message with files can have none
        body = markdown.render_without_parser(content.body) or parse(content.body)
    html, text, marked = body.html, body.text, body.marked
    for name, render_part in capabilities.parts().items():
        value = getattr(content, name)
        if value != _defaults(type(content))[name]:
            part = render_part(value)
            html, text = html + part.html, f"{text}\n{part.text}".strip()
            marked = marked and marked + part.html
    return Rendered(html, text, mentions.find_calls(body.words), marked, body.words)


def excerpt_of(text: str) -> str:
    """Return the beginning of a text as one line, for quotes."""
    most = limits.EXCERPT_MAX
    line = " ".join(text[:_BEGINNING].split())
    if len(line) <= most and len(text) > _BEGINNING:
        line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def too_many_files() -> ChatError:
    sentence = format_lazy(_("A message can have up to {max} files."), max=limits.FILES_MAX)
    return ChatError("too_many", sentence, fields={"files": [sentence]})


def unknown_reply_to(code: str) -> ChatError:
    detail = _("The message you’re replying to isn’t in this conversation.")
    return ChatError(code, detail, fields={"reply_to": [detail]})


def _empty() -> dict[str, Any]:
    return {"body": "", **{n: v for n, v in _defaults(Content).items() if n not in _CLAIMED}}


@lru_cache(maxsize=8)
def _newer_fields(kind: type[Content]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return tuple(field for field in msgspec.structs.fields(kind) if field.name not in _IN_LIST)


@lru_cache(maxsize=8)
def _defaults(kind: type[Content]) -> dict[str, Any]:
    return {field.name: _default(field) for field in _newer_fields(kind)}


def _default(field: msgspec.structs.FieldInfo) -> Any:
    made = field.default_factory
    return field.default if made is msgspec.NODEFAULT else made()


@lru_cache(maxsize=8)
def _keyed_hash(secret: str) -> hashlib.blake2b:
    """Return an empty keyed hash. It is shared: update copies of it only."""
    key = hashlib.blake2b(secret.encode(), digest_size=32).digest()
    return hashlib.blake2b(key=key, digest_size=16, person=b"chatty.message")


# The columns of a message with the same name as a field, and their values once it is deleted. Not among them
# are `reply_to`, which refers to a message that must be looked up first, and stays; and claimed parts, whose
# columns have other values.
EMPTY_COLUMNS = _empty()
