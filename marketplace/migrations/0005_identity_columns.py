"""Room for what is sealed under identity keys."""

from django.db import migrations, models

SLOT = "Slot of the identity key; NULL: none was needed yet."


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0004_sealed_intervals")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="identity_slot",
            field=models.BigIntegerField(help_text=SLOT, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="participant",
            name="identity_slot",
            field=models.BigIntegerField(null=True, unique=True),
        ),
        migrations.AddField(
            model_name="participant", name="sealed_name", field=models.BinaryField(null=True)
        ),
        migrations.AddField(
            model_name="membership", name="user_tag", field=models.BinaryField(null=True)
        ),
    ]
