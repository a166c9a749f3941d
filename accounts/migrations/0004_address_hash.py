from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_refresh_again"),
    ]

    operations = [
        migrations.AddField(
            model_name="signin",
            name="address_hash",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=32
            ),
        ),
    ]
