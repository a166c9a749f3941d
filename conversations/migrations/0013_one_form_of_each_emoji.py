"""Stores every reaction in the form of conversations/emoji.py, so that the same emoji is one reaction."""

from django.db import migrations

from chatty.common.errors import ChatError
from conversations.emoji import valid_emoji


def merge(apps, schema_editor):
    reactions = apps.get_model("conversations", "Reaction").objects.using(
        schema_editor.connection.alias
    )
    for emoji in reactions.order_by().values_list("emoji", flat=True).distinct():
        try:
            stored = valid_emoji(emoji)
        except ChatError:
            reactions.filter(emoji=emoji).delete()  # a skin tone alone, for example
            continue
        if stored == emoji:
            continue
        for reaction in reactions.filter(emoji=emoji).iterator():
            same = reactions.filter(
                message_id=reaction.message_id, user_id=reaction.user_id, emoji=stored
            )
            if same.exists():
                reaction.delete()
            else:
                reactions.filter(pk=reaction.pk).update(emoji=stored)


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0012_departures"),
    ]

    operations = [
        migrations.RunPython(merge, migrations.RunPython.noop, elidable=True),
    ]
