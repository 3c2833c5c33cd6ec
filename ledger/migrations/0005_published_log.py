"""What the log has said in public: checkpoints, who cosigned them, who objected."""

import django.db.models.deletion
from django.db import migrations, models

GUARDS = """
-- A checkpoint states the end of a block, and each extends the one before. The publisher checks
-- the same from the leaves; here it holds whatever code runs.
CREATE FUNCTION ledger_guard_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ledger_block b WHERE b.number = NEW.block_id
            AND b.first_leaf + b.leaf_count = NEW.size AND b.root = NEW.root)
    THEN
        RAISE EXCEPTION 'checkpoint %: no block ends there with this root', NEW.size
            USING ERRCODE = 'restrict_violation';
    END IF;
    -- In a turn of their own: two that are signed at once must see each other.
    PERFORM pg_advisory_xact_lock(7249001);
    IF EXISTS (SELECT FROM ledger_checkpoint c WHERE c.size >= NEW.size) THEN
        RAISE EXCEPTION 'checkpoint % does not extend the last one signed', NEW.size
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER checkpoint_extends BEFORE INSERT ON ledger_checkpoint
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_checkpoint();

CREATE TRIGGER checkpoint_stays BEFORE DELETE OR TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER checkpoint_never_rewritten
    BEFORE UPDATE OF size, block_id, root, note, signed_at ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER checkpoint_attested_once BEFORE UPDATE OF attested_at ON ledger_checkpoint
    FOR EACH ROW WHEN (OLD.attested_at IS NOT NULL OR NEW.attested_at IS NULL)
    EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER cosignature_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_cosignature
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER objection_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_objection
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
INSERT INTO ledger_publisherstate (id, holder, stopped_because) VALUES (1, '', '');
"""

BACKWARD = """
DROP TRIGGER checkpoint_extends ON ledger_checkpoint;
DROP FUNCTION ledger_guard_checkpoint;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0004_sealed_blocks"),
    ]

    operations = [
        migrations.CreateModel(
            name="CosignerState",
            fields=[
                ("name", models.TextField(primary_key=True, serialize=False)),
                ("asked_at", models.DateTimeField()),
                (
                    "problem",
                    models.TextField(default="", help_text="Empty when it answered as it should."),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OpeningsCredential",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.TextField(unique=True)),
                (
                    "token_hash",
                    models.BinaryField(
                        help_text="SHA-256 of the token.", max_length=32, unique=True
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                (
                    "size",
                    models.BigIntegerField(
                        help_text="Number of leaves.", primary_key=True, serialize=False
                    ),
                ),
                ("root", models.BinaryField(max_length=32)),
                ("note", models.TextField(help_text="The text with the log's signature.")),
                ("signed_at", models.DateTimeField()),
                (
                    "attested_at",
                    models.DateTimeField(help_text="When a quorum had cosigned.", null=True),
                ),
                (
                    "block",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="checkpoint",
                        to="ledger.block",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("attested_at__isnull", False)),
                        fields=["size"],
                        name="checkpoint_attested",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.TextField(help_text="Of the cosigner, in the policy of that time."),
                ),
                ("line", models.TextField(help_text="The signature's line of the note.")),
                (
                    "timestamp",
                    models.BigIntegerField(
                        help_text="By the cosigner's clock. [s since 1970, UTC]"
                    ),
                ),
                ("received_at", models.DateTimeField()),
                (
                    "checkpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cosignatures",
                        to="ledger.checkpoint",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["name", "-checkpoint"], name="cosignature_newest")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("checkpoint", "name"), name="cosigned_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Objection",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.TextField(help_text="Of the validator, in the policy of that time."),
                ),
                ("size", models.BigIntegerField(help_text="Of the checkpoint that it followed.")),
                ("leaf_index", models.BigIntegerField()),
                ("code", models.TextField()),
                ("note", models.TextField(help_text="The signed text.")),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("name", "size", "leaf_index", "code"), name="objected_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PublisherState",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("holder", models.TextField(default="")),
                (
                    "stopped_because",
                    models.TextField(default="", help_text="Empty while it publishes."),
                ),
                ("changed_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="publisher_is_one_row"
                    )
                ],
            },
        ),
        migrations.RunSQL(GUARDS, BACKWARD),
    ]
