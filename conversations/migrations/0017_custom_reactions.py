from typing import Any

from django.db import migrations, models


class LengthenColumn(migrations.AlterField):
    """SQLite doesn’t limit the length of texts, so there is no need to copy the whole table."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "sqlite":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        self.database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    dependencies = [("conversations", "0016_message_files")]

    operations = [
        LengthenColumn(model_name="reaction", name="emoji", field=models.CharField(max_length=64)),
    ]
