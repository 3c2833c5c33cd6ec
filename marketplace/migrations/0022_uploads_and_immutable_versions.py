"""Uploads in quarantine; a version that is ready or refused is never written over again."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
-- Contracts pin a version by its manifest, so everything about it stays as it was published. Only
-- that the raw upload was destroyed is noted afterwards, once.
CREATE FUNCTION marketplace_guard_data_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.product_id, NEW.number, NEW.created_at)
            IS DISTINCT FROM (OLD.product_id, OLD.number, OLD.created_at)
        OR OLD.state <> 1 AND (
            to_jsonb(NEW) - 'raw_deleted_at' IS DISTINCT FROM to_jsonb(OLD) - 'raw_deleted_at'
            OR OLD.raw_deleted_at IS NOT NULL
                AND NEW.raw_deleted_at IS DISTINCT FROM OLD.raw_deleted_at)
    THEN
        RAISE EXCEPTION 'version % of data product % cannot be rewritten', OLD.number,
            OLD.product_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER data_version_keeps_what_was_published BEFORE UPDATE ON marketplace_dataversion
    FOR EACH ROW EXECUTE FUNCTION marketplace_guard_data_version();
CREATE TRIGGER data_version_stays BEFORE DELETE OR TRUNCATE ON marketplace_dataversion
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();

-- What a product is stays; its words, its terms and where it stands may change.
CREATE FUNCTION marketplace_guard_data_product() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.provider_id, NEW.kind, NEW.format, NEW.currency, NEW.created_at)
            IS DISTINCT FROM (OLD.provider_id, OLD.kind, OLD.format, OLD.currency, OLD.created_at)
        OR OLD.state = 3 AND NEW.state <> 3
    THEN
        RAISE EXCEPTION 'data product % cannot be rewritten', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER data_product_stays_what_it_is BEFORE UPDATE ON marketplace_dataproduct
    FOR EACH ROW EXECUTE FUNCTION marketplace_guard_data_product();
CREATE TRIGGER data_product_stays BEFORE DELETE OR TRUNCATE ON marketplace_dataproduct
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
"""

BACKWARD = """
DROP TRIGGER data_product_stays ON marketplace_dataproduct;
DROP TRIGGER data_product_stays_what_it_is ON marketplace_dataproduct;
DROP TRIGGER data_version_stays ON marketplace_dataversion;
DROP TRIGGER data_version_keeps_what_was_published ON marketplace_dataversion;
DROP FUNCTION marketplace_guard_data_product, marketplace_guard_data_version;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0021_notices_and_wishes"),
    ]

    operations = [
        migrations.CreateModel(
            name="DataUpload",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "token",
                    models.CharField(
                        help_text="Name of the file; hex.", max_length=64, unique=True
                    ),
                ),
                ("file_name", models.CharField(max_length=200)),
                ("sealed_key", models.BinaryField(help_text="NULL: destroyed.", null=True)),
                ("byte_count", models.BigIntegerField(help_text="What is to come, or what came.")),
                ("is_complete", models.BooleanField(help_text="Only then may a worker begin.")),
                (
                    "home_manifest",
                    models.BinaryField(help_text="Of a package gated at home.", null=True),
                ),
                ("received_at", models.DateTimeField()),
                ("destroyed_at", models.DateTimeField(null=True)),
                (
                    "version",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="upload",
                        to="marketplace.dataversion",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("byte_count__gte", 0)),
                        name="data_upload_size_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("destroyed_at__isnull", True),
                            ("sealed_key__isnull", True),
                            _connector="OR",
                        ),
                        name="data_upload_destroyed_with_key",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
