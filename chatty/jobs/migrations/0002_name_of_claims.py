from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="claimed_until",
            field=models.DateTimeField(editable=False, null=True, verbose_name="claimed until"),
        ),
        migrations.AlterField(
            model_name="job",
            name="claimed_until",
            field=models.DateTimeField(editable=False, null=True, verbose_name="claimed until"),
        ),
    ]
