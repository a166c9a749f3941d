from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("changefeed", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="cursor",
            name="claimed_until",
            field=models.DateTimeField(editable=False, null=True, verbose_name="claimed until"),
        ),
    ]
