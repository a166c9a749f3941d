"""Request and response formats of the API. Values are validated by actions and limits.

Docstrings of serializers appear in the published API schema, so notes for developers are comments.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from chatty.api.fields import (
    QueryInt,
    StrictBool,
    StrictChoice,
    StrictInt,
    StrictQuery,
    StrictSerializer,
    StrictText,
)
from conversations import limits
from conversations.content import Content
from conversations.models import Conversation, Membership, Message


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


# --- responses -----------------------------------------------------------------------------------


class WhoSerializer(serializers.Serializer[Any]):
    """A person."""

    # Must match wire.person_to_wire(), which builds the authors of messages.
    id = serializers.IntegerField()
    name = serializers.CharField()
    hue = serializers.IntegerField(help_text="Avatar colour, 0 to 11.")
    picture = serializers.CharField(
        source="picture_url",
        allow_null=True,
        help_text="URL of the picture. Null: show initials on the avatar colour.",
    )


class ConversationSerializer(serializers.Serializer[Any]):
    """A conversation as you see it as a member."""

    # Serializes queries.SidebarRow.
    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Conversation.Kind.choices)
    access = serializers.ChoiceField(Conversation.Access.choices)
    name = serializers.CharField(help_text="In a direct message, the other person's name.")
    topic = serializers.CharField(allow_blank=True)
    archived = serializers.BooleanField()
    version = serializers.IntegerField(
        help_text="Counts the changes in the conversation: see since_version."
    )
    last_seq = serializers.IntegerField()
    last_text_at = serializers.DateTimeField()
    role = serializers.ChoiceField(Membership.Role.choices, help_text="Your role.")
    level = serializers.ChoiceField(
        Membership.Level.choices, help_text="Which messages you are notified of."
    )
    last_read_seq = serializers.IntegerField()
    unread = serializers.IntegerField(
        help_text="Number of messages from others in the 200 entries after last_read_seq."
    )
    unread_more = serializers.BooleanField(help_text="There are more entries after those 200.")
    mentions = serializers.ListField(
        child=serializers.IntegerField(), help_text="The seqs of unread messages that mention you."
    )
    other = WhoSerializer(
        allow_null=True, help_text="The other person in a direct message. Null for groups."
    )


@extend_schema_serializer(component_name="OpenConversation")
class FoundSerializer(serializers.Serializer[Any]):
    """A public conversation, as people who are not members can see it."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    topic = serializers.CharField(allow_blank=True)
    members_count = serializers.IntegerField()
    joined = serializers.BooleanField(help_text="You are a member.")
    removed = serializers.BooleanField(help_text="You were removed and can't join again.")


class MemberSerializer(serializers.Serializer[Any]):
    """A member of a conversation."""

    # Needs `shows_presence` and `online` (user ids) in its context: see serialize_members() in views.py.
    user = WhoSerializer()
    role = serializers.ChoiceField(Membership.Role.choices)
    joined_at = serializers.DateTimeField()
    last_read_seq = serializers.SerializerMethodField(
        help_text="The last message they have read. Null in large conversations."
    )
    online = serializers.SerializerMethodField(
        help_text="They have Chatty open. Null in large conversations."
    )

    def get_last_read_seq(self, member: Membership) -> int | None:
        return member.last_read_seq if self.context["shows_presence"] else None

    def get_online(self, member: Membership) -> bool | None:
        return member.user_id in self.context["online"] if self.context["shows_presence"] else None


class RemovalSerializer(serializers.Serializer[Any]):
    user = WhoSerializer()
    removed_at = serializers.DateTimeField()


class RemovalsSerializer(serializers.Serializer[Any]):
    results = RemovalSerializer(many=True)


class ConversationsSerializer(serializers.Serializer[Any]):
    results = ConversationSerializer(many=True)
    next = serializers.URLField(
        allow_null=True, help_text="URL of the next page. Null on the last page."
    )


@extend_schema_serializer(component_name="OpenConversationPage")
class FoundPageSerializer(serializers.Serializer[Any]):
    results = FoundSerializer(many=True)
    next = serializers.URLField(
        allow_null=True, help_text="URL of the next page. Null on the last page."
    )


class MembersSerializer(serializers.Serializer[Any]):
    results = MemberSerializer(many=True)


class NoticeSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="What happened, as a sentence.")
    data = serializers.DictField(  # type: ignore[assignment]
        help_text="The same as data, such as the user, the role, or the old and new value."
    )


class QuoteSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    seq = serializers.IntegerField()
    version = serializers.IntegerField(help_text="The version of the quoted message.")
    author = WhoSerializer(allow_null=True)
    excerpt = serializers.CharField(allow_blank=True)
    deleted = serializers.BooleanField()


class ReactionGroupSerializer(serializers.Serializer[Any]):
    emoji = serializers.CharField()
    count = serializers.IntegerField()
    users = serializers.ListField(
        child=serializers.IntegerField(), help_text="Ids of the first 20 users who added it."
    )


class MessageSerializer(serializers.Serializer[Any]):
    """A message, or a notice about something that happened in the conversation."""

    # Only for the schema: wire.message_to_wire() builds messages, for REST and for sockets.
    id = serializers.IntegerField()
    conversation = serializers.IntegerField()
    seq = serializers.IntegerField(
        help_text="Its number in the conversation: 1, 2, 3 and so on, without gaps."
    )
    version = serializers.IntegerField(
        help_text="The conversation's version after the message last changed."
    )
    kind = serializers.ChoiceField(Message.Kind.choices)
    author = WhoSerializer(allow_null=True)
    key = serializers.CharField(allow_null=True)
    body = serializers.CharField(allow_blank=True, help_text="Markdown, as written.")
    html = serializers.CharField(allow_blank=True, help_text="The body as sanitised HTML.")
    excerpt = serializers.CharField(
        allow_blank=True, help_text="The beginning as one line of plain text, for quotes."
    )
    notice = NoticeSerializer(
        allow_null=True, help_text="Null for kind text; set for all other kinds."
    )
    mentions = serializers.ListField(
        child=serializers.IntegerField(), help_text="Ids of the members it mentions."
    )
    reply_to = QuoteSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    reactions = ReactionGroupSerializer(many=True)


class HistorySerializer(serializers.Serializer[Any]):
    """A page of messages."""

    # The fields of queries.History.
    messages = MessageSerializer(many=True, help_text="Oldest first.")
    position = serializers.IntegerField(
        help_text="The version this page reflects. Pass it as since_version to get later changes."
    )
    has_older = serializers.BooleanField()
    has_newer = serializers.BooleanField()


class ChangesSerializer(serializers.Serializer[Any]):
    """The messages that changed after a version."""

    # The fields of queries.Changes.
    messages = MessageSerializer(many=True, help_text="Sorted by version.")
    version = serializers.IntegerField(help_text="Your position after applying these changes.")
    more = serializers.BooleanField(help_text="There are more: repeat the request from version.")
    reset = serializers.BooleanField(
        help_text="You are too far behind: load the latest page instead."
    )


# --- requests ------------------------------------------------------------------------------------


class PageQuery(StrictQuery):
    cursor = serializers.CharField(required=False, max_length=1000)
    limit = QueryInt(default=limits.PAGE_SIZE, max_value=limits.PAGE_MAX)


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
    limit = QueryInt(default=limits.PAGE_SIZE, max_value=limits.PAGE_MAX)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        several = sorted(set(attrs) - {"limit"})
        if len(several) > 1:
            sentence = _("Use only one of these parameters.")
            raise serializers.ValidationError({name: [sentence] for name in several})
        return attrs


class NewConversation(StrictSerializer):
    name = Name()
    topic = Topic(default="")
    access = StrictChoice(Conversation.Access.choices, default=Conversation.Access.CLOSED)
    members = serializers.ListField(
        child=StrictInt(), default=list, help_text=f"User ids, at most {limits.ADD_MAX}."
    )


class ConversationChange(StrictSerializer):
    name = Name(required=False)
    topic = Topic(required=False)
    access = StrictChoice(Conversation.Access.choices, required=False)
    archived = StrictBool(required=False)


class NewDirect(StrictSerializer):
    user = StrictInt(help_text="The other person's id, or your own for notes to yourself.")


class NewMembers(StrictSerializer):
    users = serializers.ListField(
        child=StrictInt(), allow_empty=False, help_text=f"User ids, at most {limits.ADD_MAX}."
    )


class RoleChange(StrictSerializer):
    role = StrictChoice(Membership.Role.choices)


class LevelChange(StrictSerializer):
    level = StrictChoice(Membership.Level.choices)


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
