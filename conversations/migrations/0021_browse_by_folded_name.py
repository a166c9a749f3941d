from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0020_names_in_the_administration"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="conversation",
            name="conversation_browse",
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("access", "open"), ("archived_at", None), ("deleted_at", None)),
                fields=["folded_name", "id"],
                name="conversation_browse",
            ),
        ),
    ]
