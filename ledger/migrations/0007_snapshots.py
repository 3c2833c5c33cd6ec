"""Snapshots that stand for pruned periods; what the book has forgotten only grows."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE OR REPLACE FUNCTION ledger_guard_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.epoch < OLD.epoch OR NEW.last_block < OLD.last_block
       OR NEW.last_transfer_id < OLD.last_transfer_id
       OR NEW.pruned_transfer_id < OLD.pruned_transfer_id
       OR NEW.pruned_transfer_id > NEW.last_transfer_id
    THEN
        RAISE EXCEPTION 'the ledger head only moves forward' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

ALTER TABLE ledger_snapshot ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE TRIGGER snapshot_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_snapshot
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- Until now seeds were kept from changing and from an empty table, by the privileges from removal.
CREATE TRIGGER seed_stays BEFORE DELETE ON ledger_blockseed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
"""

BACKWARD = """
CREATE OR REPLACE FUNCTION ledger_guard_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.epoch < OLD.epoch OR NEW.last_block < OLD.last_block
       OR NEW.last_transfer_id < OLD.last_transfer_id
    THEN
        RAISE EXCEPTION 'the ledger head only moves forward' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER seed_stays ON ledger_blockseed;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0006_counters_in_one_look"),
    ]

    operations = [
        migrations.AddField(
            "head",
            "pruned_transfer_id",
            models.BigIntegerField(
                default=0,
                help_text="Transfers up to it can be referred to no more, but for open holds.",
            ),
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                (
                    "block",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="snapshot",
                        serialize=False,
                        to="ledger.block",
                    ),
                ),
                ("last_transfer_id", models.BigIntegerField(help_text="Of the block.")),
                (
                    "document_key",
                    models.TextField(help_text="Of the document that tells validators."),
                ),
                ("content", models.BinaryField(help_text="Its lines, compressed with zlib.")),
                ("made_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
