"""Request formats of the API of requests to join. The actions validate the values."""

from __future__ import annotations

from chatty.api.fields import StrictBool, StrictSerializer, StrictText
from conversations.join_requests.links import TOKEN_MAX
from conversations.join_requests.models import NOTE_MAX


class AskSerializer(StrictSerializer):
    token = StrictText(
        max_length=TOKEN_MAX, allow_blank=False, help_text="The last part of the link's path."
    )
    note = StrictText(max_length=NOTE_MAX, default="")


class DeclineSerializer(StrictSerializer):
    block = StrictBool(default=False, help_text="They can't ask again.")
