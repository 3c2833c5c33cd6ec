"""What a session of the application's role could still have done to the book, made impossible.

- A temporary table named like one of ours came first in the search path of the function that
  moves the counters, so that limits were checked on the impostor: the path now ends with it.
- Anybody could hang that function, which runs with the owner's rights, on a table of their own.
- Commands could be submitted already answered, or with a fingerprint of something else.
- Transfers could be added to a command that had its answer.

The function also stops joining whole tables: it looks up what a block refers to, by key.
"""

from django.db import migrations, models
from django.db.models import Q

AMOUNT_MAX = 2**61

FORWARD = """
DROP TRIGGER inbox_answered_once ON ledger_inboxcommand;
DROP FUNCTION ledger_guard_command();

-- From here on a fingerprint covers the key too.
UPDATE ledger_inboxcommand SET fingerprint = sha256(convert_to(key || E'\\n', 'UTF8') || body);

CREATE FUNCTION ledger_guard_submission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 0 OR NEW.transfer_count < 1
       OR NEW.fingerprint <> sha256(convert_to(NEW.key || E'\\n', 'UTF8') || NEW.body)
    THEN
        RAISE EXCEPTION 'command % must come unanswered, with its own fingerprint', NEW.key
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER inbox_submitted_whole BEFORE INSERT ON ledger_inboxcommand
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_submission();

-- Apart from the answer, so that an answer need not read the body to see that it stays.
CREATE TRIGGER inbox_never_rewritten
    BEFORE UPDATE OF id, key, fingerprint, body, transfer_count, submitted_at
    ON ledger_inboxcommand FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

CREATE FUNCTION ledger_guard_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 0 OR NEW.state = 0 THEN
        RAISE EXCEPTION 'command % has its answer', OLD.key USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER inbox_answered_once BEFORE UPDATE ON ledger_inboxcommand
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_answer();

-- Only the function below changes an account, whoever asks.
CREATE TRIGGER account_moved_by_transfers BEFORE UPDATE ON ledger_account
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse_change();

CREATE OR REPLACE FUNCTION ledger_apply_transfers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
-- pg_temp, when it is not named, comes first.
SET search_path = pg_catalog, public, pg_temp
-- A plan made for a block of one transfer must not serve a block of ten thousand.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    bad bigint;
BEGIN
    IF TG_RELID <> 'public.ledger_transfer'::regclass THEN
        RAISE EXCEPTION 'only transfers move counters' USING ERRCODE = 'insufficient_privilege';
    END IF;

    SELECT n.command_id INTO bad FROM (SELECT DISTINCT command_id FROM new_transfers) n
        WHERE (SELECT c.state FROM public.ledger_inboxcommand c WHERE c.id = n.command_id)
              IS DISTINCT FROM 0
        LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'command % is unknown or has its answer: no transfers for it', bad
            USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT n.id INTO bad FROM new_transfers n
        LEFT JOIN public.ledger_account d ON d.id = n.debit_account_id
        LEFT JOIN public.ledger_account c ON c.id = n.credit_account_id
        WHERE d.unit IS NULL OR c.unit IS NULL OR d.unit <> c.unit LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % names an unknown account, or two units', bad
            USING ERRCODE = 'foreign_key_violation';
    END IF;

    -- Most blocks refer to nothing; those that do look up row by row, never the whole history.
    IF EXISTS (SELECT FROM new_transfers WHERE hold_id IS NOT NULL) THEN
        SELECT n.id INTO bad FROM new_transfers n
            WHERE n.hold_id IS NOT NULL AND NOT coalesce((
                SELECT h.kind = 1
                    AND h.debit_account_id = n.debit_account_id
                    AND h.credit_account_id = n.credit_account_id
                    AND n.amount <= h.amount
                    AND (n.kind <> 3 OR n.amount = h.amount)
                FROM public.ledger_transfer h WHERE h.id = n.hold_id), false)
            LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'transfer % does not fit the hold it ends', bad
                USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;

    IF EXISTS (SELECT FROM new_transfers WHERE corrects_id IS NOT NULL) THEN
        SELECT n.id INTO bad FROM new_transfers n
            WHERE n.corrects_id IS NOT NULL AND (
                SELECT t.id FROM public.ledger_transfer t WHERE t.id = n.corrects_id
                    AND t.id < n.id) IS NULL
            LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'transfer % corrects no earlier transfer', bad
                USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;

    -- One update per touched account, however many transfers.
    WITH effect AS (
        SELECT n.debit_account_id, n.credit_account_id,
               CASE n.kind WHEN 0 THEN 0 WHEN 1 THEN n.amount
                    ELSE -(SELECT h.amount FROM public.ledger_transfer h WHERE h.id = n.hold_id)
               END AS pending,
               CASE WHEN n.kind IN (0, 2) THEN n.amount ELSE 0 END AS posted
        FROM new_transfers n
    ), side AS (
        SELECT debit_account_id AS id, pending AS dp, posted AS dd, 0::bigint AS cp, 0::bigint AS cc
        FROM effect
        UNION ALL
        SELECT credit_account_id, 0, 0, pending, posted FROM effect
    ), delta AS (
        SELECT id, sum(dp) AS dp, sum(dd) AS dd, sum(cp) AS cp, sum(cc) AS cc
        FROM side GROUP BY id
    )
    UPDATE public.ledger_account a
        SET debits_pending = a.debits_pending + delta.dp,
            debits_posted = a.debits_posted + delta.dd,
            credits_pending = a.credits_pending + delta.cp,
            credits_posted = a.credits_posted + delta.cc
        FROM delta WHERE a.id = delta.id;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION ledger_apply_transfers() FROM PUBLIC;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_history_is_append_only")]

    operations = [
        migrations.RunSQL(FORWARD),
        migrations.AddField(
            "head",
            "session_pid",
            models.IntegerField(null=True, help_text="The writer's database session."),
        ),
        migrations.AddField(
            "head",
            "session_started_at",
            models.DateTimeField(null=True, help_text="With the pid, names that session for ever."),
        ),
        migrations.AlterField(
            "inboxcommand",
            "fingerprint",
            models.BinaryField(max_length=32, help_text="See ledger.domain.commands.fingerprint."),
        ),
        migrations.AddConstraint(
            "account",
            models.CheckConstraint(
                condition=Q(
                    debits_pending__lte=AMOUNT_MAX,
                    debits_posted__lte=AMOUNT_MAX,
                    credits_pending__lte=AMOUNT_MAX,
                    credits_posted__lte=AMOUNT_MAX,
                )
                & (Q(overdraft_limit__isnull=True) | Q(overdraft_limit__lte=AMOUNT_MAX)),
                name="account_amounts_bounded",
            ),
        ),
    ]
