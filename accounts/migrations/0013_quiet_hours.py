from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_custom_emoji_setting"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="quiet_end",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=5
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="quiet_start",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=5
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("quiet_end", ""), ("quiet_start", "")),
                    models.Q(
                        models.Q(("quiet_start", ""), _negated=True),
                        models.Q(("quiet_end", ""), _negated=True),
                        models.Q(("quiet_start", models.F("quiet_end")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="user_quiet_hours_begin_and_end",
            ),
        ),
    ]
