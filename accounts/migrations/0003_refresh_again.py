from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_settings"),
    ]

    operations = [
        migrations.AddField(
            model_name="signin",
            name="previous_jti",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=32
            ),
        ),
        migrations.AddField(
            model_name="signin",
            name="rotated_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
