"""What went to buyers; texts and wraps of an exchange stay, no wrap comes before the money."""

from django.db import migrations, models

FORWARD = """
-- Signatures are over texts and the log holds the hash of a wrap: neither is ever made anew. A wrap
-- comes after the buyer's money: charges 5 to 10 are those whose money is booked in escrow.
CREATE FUNCTION marketplace_guard_data_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.contract_id, NEW.charge_id) IS DISTINCT FROM (OLD.contract_id, OLD.charge_id)
        OR OLD.origin_body IS NOT NULL AND (NEW.origin_body, NEW.origin_signature)
            IS DISTINCT FROM (OLD.origin_body, OLD.origin_signature)
        OR OLD.receipt_body IS NOT NULL AND (NEW.receipt_body, NEW.receipt_signature)
            IS DISTINCT FROM (OLD.receipt_body, OLD.receipt_signature)
        OR OLD.wrap IS NOT NULL AND NEW.wrap IS DISTINCT FROM OLD.wrap
        OR OLD.outcome_body IS NOT NULL AND (NEW.outcome_body, NEW.outcome_signature)
            IS DISTINCT FROM (OLD.outcome_body, OLD.outcome_signature)
    THEN
        RAISE EXCEPTION 'delivery % cannot be rewritten', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.wrap IS NOT NULL AND OLD.wrap IS NULL AND NOT EXISTS (
        SELECT FROM marketplace_datacharge c
        WHERE c.id = NEW.charge_id AND c.state BETWEEN 5 AND 10)
    THEN
        RAISE EXCEPTION 'delivery %: no key before its money is in escrow', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER data_delivery_keeps_what_was_signed BEFORE UPDATE ON marketplace_datadelivery
    FOR EACH ROW EXECUTE FUNCTION marketplace_guard_data_delivery();
CREATE TRIGGER data_delivery_stays BEFORE DELETE OR TRUNCATE ON marketplace_datadelivery
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER data_rewrap_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_datarewrap
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
"""

BACKWARD = """
DROP TRIGGER data_rewrap_stays ON marketplace_datarewrap;
DROP TRIGGER data_delivery_stays ON marketplace_datadelivery;
DROP TRIGGER data_delivery_keeps_what_was_signed ON marketplace_datadelivery;
DROP FUNCTION marketplace_guard_data_delivery;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0022_uploads_and_immutable_versions"),
    ]

    operations = [
        migrations.AddField(
            model_name="datadelivery",
            name="problem",
            field=models.CharField(
                default="",
                help_text="What somebody must mend before its deadline: a code.",
                max_length=32,
            ),
        ),
        migrations.AddField(
            model_name="datadelivery",
            name="sealed_key",
            field=models.BinaryField(
                help_text="Deposited again for this delivery, after the version's was lost.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="datadelivery",
            name="served_bytes",
            field=models.BigIntegerField(
                default=0, help_text="Ciphertext that went to the buyer, repeats included."
            ),
        ),
        migrations.CreateModel(
            name="DataRewrap",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.IntegerField(help_text="From 1: stands in the signed text.")),
                ("body", models.BinaryField(help_text="Canonical JSON, signed by the buyer.")),
                ("signature", models.BinaryField()),
                ("wrap", models.BinaryField()),
                ("created_at", models.DateTimeField()),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=models.PROTECT,
                        related_name="rewraps",
                        to="marketplace.datadelivery",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("delivery", "number"), name="data_rewrap_number"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("number__gte", 1)), name="data_rewrap_counts_from_one"
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
