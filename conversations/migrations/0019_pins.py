from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0018_mentioning_all")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="pinning",
            field=models.CharField(
                choices=[("everyone", "everyone"), ("admins", "admins only")],
                db_default="everyone",
                default="everyone",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(("pinning__in", ("everyone", "admins"))),
                name="conversation_pinning_known",
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="pinned",
            field=models.JSONField(null=True),
        ),
        migrations.AlterField(
            model_name="message",
            name="kind",
            field=models.CharField(
                choices=[
                    ("text", "text"),
                    ("created", "conversation created"),
                    ("joined", "joined"),
                    ("left", "left"),
                    ("added", "added"),
                    ("removed", "removed"),
                    ("role", "role changed"),
                    ("renamed", "renamed"),
                    ("topic", "topic changed"),
                    ("access", "access changed"),
                    ("archived", "archived"),
                    ("unarchived", "unarchived"),
                    ("permissions", "permissions changed"),
                    ("pinned", "message pinned"),
                ],
                default="text",
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("pinned__isnull", False)),
                fields=["conversation"],
                name="message_pinned",
            ),
        ),
    ]
