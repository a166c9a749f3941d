from django.db import migrations

# In a migration of its own: PostgreSQL doesn't alter a table with changed rows in the same transaction.
_EVERYONE = "UPDATE conversations_conversation SET inviting = 'everyone' WHERE access = 'open'"


class Migration(migrations.Migration):
    """Anyone can join a public conversation, so anyone can send a link to it."""

    dependencies = [("conversations", "0010_permissions")]
    operations = [migrations.RunSQL(_EVERYONE, migrations.RunSQL.noop)]
