"""Blocks are sealed: leaves and roots of the log, salts for what the leaves commit to.

A block from before has no leaves, and inventing them afterwards would be a past that nobody
witnessed: such a book has to be started anew.
"""

from django.db import migrations, models
from django.db.models import Q

RANDOM = "uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())"

REFUSE_UNSEALED = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM ledger_block) THEN
        RAISE EXCEPTION 'this book was begun before there was a log to seal it in; start with an empty database (a trial: remove its state folder)';
    END IF;
END $$;
"""

SECRETS = f"""
ALTER TABLE ledger_account ADD COLUMN salt bytea NOT NULL DEFAULT {RANDOM};
ALTER TABLE ledger_head ADD COLUMN padding bytea NOT NULL DEFAULT {RANDOM};
ALTER TABLE ledger_block ALTER COLUMN entries SET STORAGE EXTERNAL;
"""

GUARDS = """
-- A document is a command that moves nothing.
CREATE OR REPLACE FUNCTION ledger_guard_submission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 0 OR NEW.transfer_count < 0
       OR NEW.fingerprint <> sha256(convert_to(NEW.key || E'\\n', 'UTF8') || NEW.body)
    THEN
        RAISE EXCEPTION 'command % must come unanswered, with its own fingerprint', NEW.key
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- Of an account, the place in the log may be set from outside, once; the rest as before.
DROP TRIGGER account_moved_by_transfers ON ledger_account;
CREATE TRIGGER account_moved_by_transfers
    BEFORE UPDATE OF id, path, unit, overdraft_limit, salt,
        debits_pending, debits_posted, credits_pending, credits_posted
    ON ledger_account
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER account_logged_once BEFORE UPDATE OF leaf_index ON ledger_account
    FOR EACH ROW WHEN (OLD.leaf_index IS NOT NULL OR NEW.leaf_index IS NULL)
    EXECUTE FUNCTION ledger_refuse_change();

-- Blocks follow on each other in the log without a gap.
CREATE FUNCTION ledger_guard_block() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    size bigint;
BEGIN
    SELECT first_leaf + leaf_count INTO size FROM ledger_block WHERE number = NEW.number - 1;
    IF NEW.first_leaf <> coalesce(size, 0) OR NEW.leaf_count < 1
       OR (size IS NULL AND NEW.number <> 1)
    THEN
        RAISE EXCEPTION 'block % does not follow on the log', NEW.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER block_follows BEFORE INSERT ON ledger_block
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_block();
CREATE TRIGGER seed_append_only BEFORE UPDATE OR TRUNCATE ON ledger_blockseed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_guards_for_hostile_sessions")]

    operations = [
        migrations.RunSQL(REFUSE_UNSEALED),
        *(
            migrations.AddField("block", name, field, preserve_default=False)
            for name, field in (
                (
                    "first_leaf",
                    models.BigIntegerField(
                        unique=True, default=0, help_text="Index of its first leaf."
                    ),
                ),
                ("leaf_count", models.IntegerField(default=0)),
                (
                    "entries",
                    models.BinaryField(
                        default=b"", help_text="Its leaves, each after its length as uint16."
                    ),
                ),
                (
                    "frontier",
                    models.BinaryField(
                        default=b"", help_text="Hashes of the log's perfect subtrees after it."
                    ),
                ),
                (
                    "root",
                    models.BinaryField(
                        max_length=32, default=b"", help_text="Root of the log after it."
                    ),
                ),
                ("state_root", models.BinaryField(max_length=32, default=b"")),
            )
        ),
        migrations.RunSQL(
            SECRETS,
            state_operations=[
                migrations.AddField(
                    "account",
                    "salt",
                    models.BinaryField(
                        max_length=32,
                        editable=False,
                        help_text="Of its leaf in the state map; random, for life.",
                    ),
                ),
                migrations.AddField(
                    "head",
                    "padding",
                    models.BinaryField(
                        max_length=32,
                        editable=False,
                        help_text="Secret that the state map is padded with.",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            "account",
            "leaf_index",
            models.BigIntegerField(
                null=True, help_text="Where the log opens it; NULL until its first block."
            ),
        ),
        migrations.AddIndex(
            "account",
            models.Index(fields=["id"], condition=Q(leaf_index=None), name="account_not_logged"),
        ),
        migrations.CreateModel(
            name="BlockSeed",
            fields=[
                (
                    "block",
                    models.OneToOneField(
                        on_delete=models.deletion.PROTECT,
                        primary_key=True,
                        related_name="seed",
                        serialize=False,
                        to="ledger.block",
                    ),
                ),
                ("seed", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.RemoveConstraint("inboxcommand", "inbox_answer_complete"),
        migrations.AddField(
            "inboxcommand",
            "leaf_index",
            models.BigIntegerField(
                null=True, help_text="Of its answer; the leaves of its transfers follow."
            ),
        ),
        migrations.AddConstraint(
            "inboxcommand",
            models.CheckConstraint(
                condition=Q(
                    state=0,
                    block__isnull=True,
                    position__isnull=True,
                    leaf_index__isnull=True,
                    refusal="",
                )
                | Q(
                    state__in=[1, 2],
                    block__isnull=False,
                    position__isnull=False,
                    leaf_index__isnull=False,
                )
                & (Q(state=1, refusal="") | (Q(state=2) & ~Q(refusal=""))),
                name="inbox_answer_complete",
            ),
        ),
        migrations.AddField(
            "transfer",
            "expires",
            models.BigIntegerField(
                null=True,
                help_text="When a hold can no longer be posted. [microseconds since 1970, UTC]",
            ),
        ),
        migrations.AddConstraint(
            "transfer",
            models.CheckConstraint(
                condition=Q(expires__isnull=True) | Q(kind=1, expires__gt=0),
                name="transfer_only_holds_expire",
            ),
        ),
        migrations.AddIndex(
            "transfer",
            models.Index(
                fields=["expires"], condition=Q(expires__isnull=False), name="transfer_expiring"
            ),
        ),
        migrations.RunSQL(GUARDS),
    ]
