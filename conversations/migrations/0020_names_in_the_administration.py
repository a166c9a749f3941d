import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0019_pins"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="conversation",
            options={"verbose_name": "conversation", "verbose_name_plural": "conversations"},
        ),
        migrations.AlterModelOptions(
            name="message",
            options={"verbose_name": "message", "verbose_name_plural": "messages"},
        ),
        migrations.AlterField(
            model_name="conversation",
            name="access",
            field=models.CharField(
                choices=[
                    ("open", "public: anyone here can join"),
                    ("closed", "private: members only"),
                ],
                default="closed",
                max_length=8,
                verbose_name="access",
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="archived_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="archived"),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="created_at",
            field=models.DateTimeField(verbose_name="created"),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="created_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="created by",
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="kind",
            field=models.CharField(
                choices=[("group", "group"), ("direct", "direct")],
                default="group",
                max_length=8,
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="last_text_at",
            field=models.DateTimeField(editable=False, verbose_name="last message"),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="name",
            field=models.CharField(blank=True, max_length=80, verbose_name="name"),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="topic",
            field=models.CharField(blank=True, max_length=250, verbose_name="topic"),
        ),
        migrations.AlterField(
            model_name="message",
            name="author",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="author",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="created_at",
            field=models.DateTimeField(verbose_name="sent"),
        ),
        migrations.AlterField(
            model_name="message",
            name="deleted_at",
            field=models.DateTimeField(null=True, verbose_name="deleted"),
        ),
        migrations.AlterField(
            model_name="message",
            name="edited_at",
            field=models.DateTimeField(null=True, verbose_name="edited"),
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
                verbose_name="kind",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="seq",
            field=models.PositiveBigIntegerField(verbose_name="position"),
        ),
    ]
