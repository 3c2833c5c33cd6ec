"""Members' keys and what they signed; what was signed is never edited."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER signed_terms_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON marketplace_signedterms FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
"""
BACKWARD = "DROP TRIGGER signed_terms_append_only ON marketplace_signedterms;"


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0007_identities_only_sealed"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignedTerms",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "body",
                    models.BinaryField(
                        help_text="Canonical JSON, see marketplace.domain.terms_document."
                    ),
                ),
                ("sha256", models.CharField(max_length=64, unique=True)),
                ("signature", models.BinaryField()),
                ("created_at", models.DateTimeField()),
                (
                    "metering_point",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signed_terms",
                        to="marketplace.meteringpoint",
                    ),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signed_terms",
                        to="marketplace.participant",
                    ),
                ),
                (
                    "revokes",
                    models.OneToOneField(
                        help_text="NULL: terms.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="revocation",
                        to="marketplace.signedterms",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="offer",
            name="signed_terms",
            field=models.ForeignKey(
                help_text="Energy: what was signed. NULL: the rule set's default, which nobody signs.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="marketplace.signedterms",
            ),
        ),
        migrations.AddField(
            model_name="request",
            name="signed_terms",
            field=models.ForeignKey(
                help_text="Energy: what was signed. NULL: the rule set's default, which nobody signs.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="marketplace.signedterms",
            ),
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_key", models.BinaryField()),
                (
                    "sealed_private",
                    models.BinaryField(
                        help_text="Held by the hall, sealed under the identity key. NULL: the member's own.",
                        null=True,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "participant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signing_keys",
                        to="marketplace.participant",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="signedterms",
            name="key",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="marketplace.signingkey",
            ),
        ),
        migrations.AddConstraint(
            model_name="signingkey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)),
                fields=("participant",),
                name="signing_key_in_use",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
