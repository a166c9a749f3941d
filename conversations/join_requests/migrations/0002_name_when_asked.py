from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill(apps, schema_editor):
    requests = apps.get_model("join_requests", "JoinRequest").objects
    conversations = apps.get_model("conversations", "Conversation").objects
    named = conversations.filter(pk=OuterRef("conversation_id")).values("name")
    requests.update(name=Subquery(named))


class Migration(migrations.Migration):
    dependencies = [("join_requests", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="joinrequest",
            name="name",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
