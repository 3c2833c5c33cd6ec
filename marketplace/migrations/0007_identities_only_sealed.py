"""What joined people to accounts in the clear goes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0006_seal_identities")]

    operations = [
        migrations.RemoveConstraint(model_name="participant", name="participant_name_in_community"),
        migrations.RemoveField(model_name="participant", name="name"),
        migrations.AlterField(
            model_name="participant",
            name="identity_slot",
            field=models.BigIntegerField(help_text="Slot of the identity key.", unique=True),
        ),
        migrations.AlterField(
            model_name="participant",
            name="sealed_name",
            field=models.BinaryField(help_text="The name, sealed under the identity key."),
        ),
        migrations.RemoveConstraint(model_name="membership", name="membership_once"),
        migrations.RemoveField(model_name="membership", name="user"),
        migrations.AlterField(model_name="membership", name="user_tag", field=models.BinaryField()),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                fields=("user_tag", "participant"), name="membership_once"
            ),
        ),
        migrations.AlterField(
            model_name="site",
            name="label",
            field=models.TextField(
                blank=True,
                default="",
                help_text="Nothing personal; empty: the participant's name.",
            ),
        ),
        migrations.RemoveConstraint(model_name="idempotencykey", name="idempotency_key_of_user"),
        migrations.RemoveField(model_name="idempotencykey", name="user"),
        migrations.AddField(
            model_name="idempotencykey",
            name="user_tag",
            field=models.BinaryField(default=b""),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="idempotencykey",
            constraint=models.UniqueConstraint(
                fields=("user_tag", "key"), name="idempotency_key_of_user"
            ),
        ),
    ]
