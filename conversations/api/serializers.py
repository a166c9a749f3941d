"""Request formats of the API. Actions and limits validate the values. Responses are the structs of
conversations/wire/.

Docstrings of serializers appear in the published API schema, so notes for developers are comments.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chatty.api.fields import (
    QueryCursor,
    QueryInt,
    StrictBool,
    StrictChoice,
    StrictInt,
    StrictList,
    StrictQuery,
    StrictSerializer,
    StrictText,
)
from chatty.common.structs import Choices
from conversations import limits
from conversations.content import Content
from conversations.models import Audience, Conversation, Membership


def _text_of(most: int, least: int = 1) -> Any:
    """Document the length of a text. This doesn't enforce it: the actions do."""
    return extend_schema_field({"type": "string", "minLength": least, "maxLength": most})


@_text_of(limits.BODY_MAX)
class Body(StrictText):
    pass


@_text_of(limits.NAME_MAX)
class Name(StrictText):
    pass


@_text_of(limits.TOPIC_MAX, least=0)
class Topic(StrictText):
    pass


def _audience(meaning: str) -> StrictChoice:
    return StrictChoice(Audience, required=False, help_text=meaning)


class PageQuery(StrictQuery):
    cursor = QueryCursor()
    limit = QueryInt(default=limits.PAGE_SIZE, max_value=limits.PAGE_MAX, help_text="Per page.")


class ConversationsQuery(PageQuery):
    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=limits.NAME_MAX,
        help_text="Words that the name contains, in any case and with or without accents.",
    )


class BrowseQuery(PageQuery):
    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=limits.NAME_MAX,
        help_text="Search terms for name and topic.",
    )


class HistoryQuery(StrictQuery):
    """A page of history, or the changes since a version. At most one parameter besides `limit`."""

    before = QueryInt(required=False, help_text="Return the page before this seq.")
    after = QueryInt(required=False, min_value=0, help_text="Return the page after this seq.")
    around = QueryInt(required=False, help_text="Return the page around this seq.")
    since_version = QueryInt(
        required=False, min_value=0, help_text="Return the changes after this version."
    )
    limit = QueryInt(default=limits.PAGE_SIZE, max_value=limits.PAGE_MAX, help_text="Per page.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        several = sorted(set(attrs) - {"limit"})
        if len(several) > 1:
            sentence = _("Use only one of these parameters.")
            raise serializers.ValidationError({name: [sentence] for name in several})
        return attrs


@extend_schema_field({"type": "string", "pattern": f"^{limits.KEY.pattern}$"})
class Key(StrictText):
    """An idempotency key. The actions validate it."""

    def __init__(
        self,
        *,
        required: bool = False,
        help_text: str = "A unique key that you generate for each new one, so that retries are safe.",
    ) -> None:
        super().__init__(required=required, help_text=help_text)


class NewConversation(StrictSerializer):
    key = Key()
    name = Name()
    topic = Topic(default="")
    access = StrictChoice(Conversation.Access, default=Conversation.Access.CLOSED)
    members = StrictList(
        child=StrictInt(), default=list, help_text=f"User ids, at most {limits.ADD_MAX}."
    )


class ConversationChange(StrictSerializer):
    name = Name(required=False)
    topic = Topic(required=False)
    access = StrictChoice(Conversation.Access, required=False)
    archived = StrictBool(required=False)
    posting = _audience("Who can send messages.")
    adding = _audience("Who can add people.")
    inviting = _audience("Who can invite people.")
    renaming = _audience("Who can change name and topic.")
    mentioning_all = _audience("Who can mention everyone with @all.")
    pinning = _audience("Who can pin messages.")
    slow_mode = StrictInt(
        required=False,
        min_value=0,
        max_value=limits.SLOW_MODE_MAX,
        help_text="Seconds between two messages of a member. 0 turns slow mode off.",
    )


class NewDirect(StrictSerializer):
    """Either `user` or `users`."""

    is_needed = True
    user = StrictInt(
        required=False, help_text="The other person's id, or your own for notes to yourself."
    )
    users = StrictList(
        child=StrictInt(),
        required=False,
        allow_empty=False,
        help_text=f"The ids of the other people, at most {limits.ADD_MAX}.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"user": [_("Choose someone to message.")]})
        return attrs


class NewMembers(StrictSerializer):
    users = StrictList(
        child=StrictInt(), allow_empty=False, help_text=f"User ids, at most {limits.ADD_MAX}."
    )


class RoleChange(StrictSerializer):
    role = StrictChoice(Membership.Role)


class Leaving(StrictSerializer):
    owner = StrictInt(required=False, help_text="The id of the member who becomes the next owner.")


class LevelChange(StrictSerializer):
    level = StrictChoice(
        Choices(
            "NewLevel",
            {**dict(Membership.Level.choices), Membership.UNMUTED: "what it was before `nothing`"},
        )
    )


class ReadMark(StrictSerializer):
    seq = StrictInt(min_value=0, help_text="The seq of the last message read.")


class UnreadMark(StrictSerializer):
    seq = StrictInt(help_text="The seq of the first message to mark as unread.")


class NewMessage(Content, frozen=True, kw_only=True):
    """A message to send."""

    key: Annotated[
        str,
        msgspec.Meta(
            description="A unique key that you generate for each message, so that retries are safe.",
            extra_json_schema={"pattern": f"^{limits.KEY.pattern}$"},
        ),
    ]


class MessageChange(StrictSerializer):
    body = Body()
    edited_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="The edited_at of the message that was edited. If the text has changed since, the "
        "error is edit_conflict and nothing is saved.",
    )
