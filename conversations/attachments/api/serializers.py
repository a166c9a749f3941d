"""Request formats of the API of files. Actions validate the values."""

from __future__ import annotations

from chatty.api.fields import StrictInt, StrictSerializer, StrictText
from conversations.api.serializers import Key


class NewUpload(StrictSerializer):
    key = Key(
        required=True,
        help_text="A unique key that you generate for each upload. The same key returns the same upload, and "
        "how far it is.",
    )
    name = StrictText(
        help_text="The name of the file. Folders and what can't be in a name are removed."
    )
    size = StrictInt(min_value=0, help_text="In bytes.")
