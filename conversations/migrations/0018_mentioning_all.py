from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0017_custom_reactions")]

    operations = [
        migrations.AddField(
            model_name="conversation",
            name="mentioning_all",
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
                condition=models.Q(("mentioning_all__in", ("everyone", "admins"))),
                name="conversation_mentioning_all_known",
            ),
        ),
    ]
