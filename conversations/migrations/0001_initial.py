import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import conversations.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Conversation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("group", "group"), ("direct", "direct")],
                        default="group",
                        max_length=8,
                    ),
                ),
                (
                    "access",
                    models.CharField(
                        choices=[
                            ("open", "open: anyone signed in may find and join it"),
                            ("closed", "closed: by invitation only"),
                        ],
                        default="closed",
                        max_length=8,
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=80)),
                ("topic", models.CharField(blank=True, max_length=250)),
                ("created_at", models.DateTimeField()),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                ("deleted_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("last_seq", models.PositiveBigIntegerField(default=0, editable=False)),
                ("version", models.PositiveBigIntegerField(default=0, editable=False)),
                ("last_text_at", models.DateTimeField(editable=False)),
                (
                    "direct_key",
                    models.CharField(editable=False, max_length=48, null=True, unique=True),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Instance",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("epoch", models.CharField(default=conversations.models.new_epoch, max_length=32)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="instance_is_one_row"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "owner"), ("admin", "admin"), ("member", "member")],
                        default="member",
                        max_length=8,
                    ),
                ),
                ("joined_at", models.DateTimeField()),
                ("last_read_seq", models.PositiveBigIntegerField(default=0)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("all", "every message"),
                            ("mentions", "mentions only"),
                            ("nothing", "nothing"),
                        ],
                        default="all",
                        max_length=8,
                    ),
                ),
                (
                    "conversation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="conversations.conversation",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seq", models.PositiveBigIntegerField()),
                ("version", models.PositiveBigIntegerField()),
                (
                    "kind",
                    models.CharField(
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
                            ("unarchived", "taken out of the archive"),
                        ],
                        default="text",
                        max_length=12,
                    ),
                ),
                ("key", models.CharField(max_length=64, null=True)),
                ("fingerprint", models.BinaryField(max_length=16, null=True)),
                ("body", models.TextField(blank=True)),
                ("html", models.TextField(blank=True)),
                ("data", models.JSONField(null=True)),
                ("created_at", models.DateTimeField()),
                ("edited_at", models.DateTimeField(null=True)),
                ("deleted_at", models.DateTimeField(null=True)),
                (
                    "author",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "conversation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="conversations.conversation",
                    ),
                ),
                (
                    "reply_to",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="replies",
                        to="conversations.message",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Reaction",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("emoji", models.CharField(max_length=32)),
                ("created_at", models.DateTimeField()),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reactions",
                        to="conversations.message",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("access", "open"), ("archived_at", None), ("deleted_at", None)),
                fields=["name", "id"],
                name="conversation_browse",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", False)),
                fields=["id"],
                name="conversation_to_purge",
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("direct_key", None),
                        ("kind", "group"),
                        models.Q(("name", ""), _negated=True),
                    ),
                    models.Q(
                        ("access", "closed"),
                        ("archived_at", None),
                        ("kind", "direct"),
                        ("name", ""),
                        ("topic", ""),
                    ),
                    _connector="OR",
                ),
                name="conversation_kind_and_name",
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(("access__in", ["open", "closed"])),
                name="conversation_access_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="conversation",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__gte", models.F("last_seq"))),
                name="conversation_version_not_below_seq",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                fields=("conversation", "user"), name="membership_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["owner", "admin", "member"])),
                name="membership_role_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("level__in", ["all", "mentions", "nothing"])),
                name="membership_level_known",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("deleted_at", None), ("kind", "text")),
                fields=["conversation", "seq", "author"],
                name="message_living_text",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                fields=("conversation", "seq"), name="message_seq_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                fields=("conversation", "version"), name="message_version_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(fields=("author", "key"), name="message_key_once"),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("author__isnull", False), ("key__isnull", False), ("kind", "text")),
                    models.Q(
                        models.Q(("kind", "text"), _negated=True),
                        ("body", ""),
                        ("key", None),
                        ("reply_to", None),
                    ),
                    _connector="OR",
                ),
                name="message_text_or_notice",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("deleted_at", None),
                    models.Q(("body", ""), ("fingerprint", None), ("html", "")),
                    _connector="OR",
                ),
                name="message_deleted_is_empty",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("seq__gte", 1), ("version__gte", models.F("seq"))),
                name="message_version_not_below_seq",
            ),
        ),
        migrations.AddConstraint(
            model_name="reaction",
            constraint=models.UniqueConstraint(
                fields=("message", "user", "emoji"), name="reaction_once"
            ),
        ),
    ]
