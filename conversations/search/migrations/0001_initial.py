from django.db import migrations, models
from django.db.models import Q


def create(apps, schema_editor):
    for statement in _CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    schema_editor.execute("DROP TABLE search_entry")


# Described in conversations/search/storage.py.
_CREATE = {
    "postgresql": (
        "CREATE TABLE search_entry (message_id bigint PRIMARY KEY, grams int[] NOT NULL)",
        """CREATE INDEX search_entry_grams ON search_entry USING gin (grams)
        WITH (fastupdate = on, gin_pending_list_limit = 512)""",
    ),
    "sqlite": (
        """CREATE VIRTUAL TABLE search_entry
        USING fts5(grams, tokenize = 'unicode61', detail = none, columnsize = 0)""",
    ),
}


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="IndexKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("check_value", models.CharField(max_length=16, unique=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="IndexState",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("rebuilt_to", models.BigIntegerField(null=True)),
                ("rebuild_key", models.CharField(blank=True, default="", max_length=16)),
                ("leftovers", models.BooleanField(default=False)),
                ("merging", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=Q(id=1), name="search_state_is_one_row")
                ],
            },
        ),
        migrations.RunPython(create, drop),
    ]
