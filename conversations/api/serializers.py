"""The shapes the API takes and gives. The rules are in actions and limits."""

from __future__ import annotations

from typing import Any

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
from conversations.models import Conversation, Membership, Message


def _text_of(most: int, least: int = 1) -> Any:
    """Describe a text whose length the actions check: here it is only told."""
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


@extend_schema_field({"type": "string", "pattern": f"^{limits.KEY.pattern}$"})
class Key(StrictText):
    pass


# --- what the API gives --------------------------------------------------------------------------


class WhoSerializer(serializers.Serializer[Any]):
    """wire.person_to_wire makes it in messages; a User is described alike."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    hue = serializers.IntegerField(help_text="Colour of the face, 0 to 11.")
    picture = serializers.CharField(
        source="picture_url",
        allow_null=True,
        help_text="Address of the picture; null: initials on the colour.",
    )


class ConversationSerializer(serializers.Serializer[Any]):
    """A conversation as its member sees it: queries.SidebarRow."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Conversation.Kind.choices)
    access = serializers.ChoiceField(Conversation.Access.choices)
    name = serializers.CharField(help_text="Of a direct conversation: the other person's.")
    topic = serializers.CharField(allow_blank=True)
    archived = serializers.BooleanField()
    version = serializers.IntegerField(help_text="The conversation's clock: see since_version.")
    last_seq = serializers.IntegerField()
    last_text_at = serializers.DateTimeField()
    role = serializers.ChoiceField(Membership.Role.choices, help_text="Your own.")
    level = serializers.ChoiceField(Membership.Level.choices, help_text="What you are notified of.")
    last_read_seq = serializers.IntegerField()
    unread = serializers.IntegerField(
        help_text="Others' messages among the first 200 entries after last_read_seq."
    )
    unread_more = serializers.BooleanField(help_text="There are entries beyond those 200.")
    mentions = serializers.ListField(
        child=serializers.IntegerField(), help_text="The seqs of unread ones that call you by name."
    )
    other = WhoSerializer(allow_null=True, help_text="The other person of a direct one.")


@extend_schema_serializer(component_name="OpenConversation")
class FoundSerializer(serializers.Serializer[Any]):
    """An open conversation, for people who are not in it too."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    topic = serializers.CharField(allow_blank=True)
    members_count = serializers.IntegerField()
    joined = serializers.BooleanField(help_text="You are a member already.")
    removed = serializers.BooleanField(help_text="You were removed and cannot join by yourself.")


class MemberSerializer(serializers.Serializer[Any]):
    """A membership.

    `shows_presence` and `online` (user ids) of the context: see serialize_members() in views.py.
    """

    user = WhoSerializer()
    role = serializers.ChoiceField(Membership.Role.choices)
    joined_at = serializers.DateTimeField()
    last_read_seq = serializers.SerializerMethodField(
        help_text="How far they have read; null where that is not told."
    )
    online = serializers.SerializerMethodField(
        help_text="They have Chatty open; null where that is not told."
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
    next = serializers.URLField(allow_null=True, help_text="The next page.")


@extend_schema_serializer(component_name="OpenConversationPage")
class FoundPageSerializer(serializers.Serializer[Any]):
    results = FoundSerializer(many=True)
    next = serializers.URLField(allow_null=True, help_text="The next page.")


class MembersSerializer(serializers.Serializer[Any]):
    results = MemberSerializer(many=True)


class NoticeSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="What happened, as a sentence.")
    data = serializers.DictField(help_text="The same for programs: whom, which role, old and new.")  # type: ignore[assignment]


class QuoteSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    seq = serializers.IntegerField()
    version = serializers.IntegerField(help_text="The version of the quoted message shown here.")
    author = WhoSerializer(allow_null=True)
    excerpt = serializers.CharField(allow_blank=True)
    deleted = serializers.BooleanField()


class ReactionGroupSerializer(serializers.Serializer[Any]):
    emoji = serializers.CharField()
    count = serializers.IntegerField()
    users = serializers.ListField(
        child=serializers.IntegerField(), help_text="The first 20 who used it."
    )


class MessageSerializer(serializers.Serializer[Any]):
    """wire.message_to_wire makes it, here and on the sockets; this only describes it."""

    id = serializers.IntegerField()
    conversation = serializers.IntegerField()
    seq = serializers.IntegerField(help_text="Its place: 1, 2, 3... without holes.")
    version = serializers.IntegerField(help_text="The conversation's clock when it last changed.")
    kind = serializers.ChoiceField(Message.Kind.choices)
    author = WhoSerializer(allow_null=True)
    key = serializers.CharField(allow_null=True)
    body = serializers.CharField(allow_blank=True, help_text="Markdown, as written.")
    html = serializers.CharField(allow_blank=True, help_text="Sanitised.")
    excerpt = serializers.CharField(
        allow_blank=True, help_text="Its beginning as one line of plain text: what a quote shows."
    )
    notice = NoticeSerializer(allow_null=True, help_text="Of every kind but text.")
    mentions = serializers.ListField(
        child=serializers.IntegerField(), help_text="The members it calls by name."
    )
    reply_to = QuoteSerializer(allow_null=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted_at = serializers.DateTimeField(allow_null=True)
    reactions = ReactionGroupSerializer(many=True)


class HistorySerializer(serializers.Serializer[Any]):
    """queries.History"""

    messages = MessageSerializer(many=True, help_text="Oldest first.")
    position = serializers.IntegerField(
        help_text="All of this is known as of this version: ask since_version from here."
    )
    has_older = serializers.BooleanField()
    has_newer = serializers.BooleanField()


class ChangesSerializer(serializers.Serializer[Any]):
    """queries.Changes"""

    messages = MessageSerializer(many=True, help_text="In order of version.")
    version = serializers.IntegerField(help_text="Your position, once you have applied them.")
    more = serializers.BooleanField(help_text="Ask again from that version.")
    reset = serializers.BooleanField(help_text="Too far behind: load the latest page instead.")


# --- what the API takes --------------------------------------------------------------------------


class PageQuery(StrictQuery):
    cursor = serializers.CharField(required=False, max_length=1000)
    limit = QueryInt(default=limits.PAGE_SIZE, max_value=limits.PAGE_MAX)


class BrowseQuery(PageQuery):
    q = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=limits.NAME_MAX,
        help_text="Words of name or topic.",
    )


class HistoryQuery(StrictQuery):
    """A page of history by place, or what changed since a version: one of these at most."""

    before = QueryInt(required=False, help_text="The page before this seq.")
    after = QueryInt(required=False, min_value=0, help_text="The page after this seq.")
    around = QueryInt(required=False, help_text="The page around this seq.")
    since_version = QueryInt(
        required=False, min_value=0, help_text="What changed after this version."
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
        child=StrictInt(), default=list, help_text=f"User ids, {limits.ADD_MAX} at most."
    )


class ConversationChange(StrictSerializer):
    name = Name(required=False)
    topic = Topic(required=False)
    access = StrictChoice(Conversation.Access.choices, required=False)
    archived = StrictBool(required=False)


class NewDirect(StrictSerializer):
    user = StrictInt(help_text="The other person's id; your own opens a place for notes.")


class NewMembers(StrictSerializer):
    users = serializers.ListField(
        child=StrictInt(), allow_empty=False, help_text=f"User ids, {limits.ADD_MAX} at most."
    )


class RoleChange(StrictSerializer):
    role = StrictChoice(Membership.Role.choices)


class LevelChange(StrictSerializer):
    level = StrictChoice(Membership.Level.choices)


class ReadMark(StrictSerializer):
    seq = StrictInt(min_value=0, help_text="The last one seen.")


class UnreadMark(StrictSerializer):
    seq = StrictInt(help_text="The first one that is to be unread again.")


class NewMessage(StrictSerializer):
    key = Key(help_text="Made by you, one per message: sending it again is safe.")
    body = Body()
    reply_to = StrictInt(allow_null=True, default=None, help_text="Id of a message here.")


class MessageChange(StrictSerializer):
    body = Body()
    edited_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="As it was in the message the edit began from. An edit made since then is not "
        "written over: the answer is edit_conflict.",
    )
