"""Triggers: transfers move the counters, set by set, and nothing of history is ever changed."""

from django.db import migrations

FORWARD = """
INSERT INTO ledger_head (id, epoch, holder, last_block, last_transfer_id) VALUES (1, 0, '', 0, 0);

-- Counters are updated in place and are in no index: room on the page keeps updates cheap.
ALTER TABLE ledger_account SET (fillfactor = 70);
-- Bodies are read back whole; numbers written as text compress little for much CPU.
ALTER TABLE ledger_inboxcommand ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger history is append-only: % on % is not allowed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER block_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_block
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER account_stays BEFORE DELETE OR TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER inbox_stays BEFORE DELETE OR TRUNCATE ON ledger_inboxcommand
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER head_stays BEFORE DELETE OR TRUNCATE ON ledger_head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- A command is answered once, and never rewritten.
CREATE FUNCTION ledger_guard_command() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 0 OR NEW.state = 0
       OR (NEW.id, NEW.key, NEW.fingerprint, NEW.transfer_count, NEW.submitted_at)
          IS DISTINCT FROM (OLD.id, OLD.key, OLD.fingerprint, OLD.transfer_count, OLD.submitted_at)
       OR NEW.body IS DISTINCT FROM OLD.body
    THEN
        RAISE EXCEPTION 'command % has its answer or would be rewritten', OLD.key
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER inbox_answered_once BEFORE UPDATE ON ledger_inboxcommand
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_command();

-- The fence only moves forward.
CREATE FUNCTION ledger_guard_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.epoch < OLD.epoch OR NEW.last_block < OLD.last_block
       OR NEW.last_transfer_id < OLD.last_transfer_id
    THEN
        RAISE EXCEPTION 'the ledger head only moves forward' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER head_moves_forward BEFORE UPDATE ON ledger_head
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_head();

-- What counters an account has follows from transfers alone: an account opens with none, and
-- afterwards only the function below, owned by the owner's role, may touch them.
CREATE FUNCTION ledger_guard_opening() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.debits_pending, NEW.debits_posted, NEW.credits_pending, NEW.credits_posted)
       <> (0, 0, 0, 0)
    THEN
        RAISE EXCEPTION 'account % must open with empty counters', NEW.path
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_opens_empty BEFORE INSERT ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_opening();

CREATE FUNCTION ledger_apply_transfers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    bad bigint;
BEGIN
    SELECT n.id INTO bad FROM new_transfers n
        LEFT JOIN ledger_inboxcommand c ON c.id = n.command_id
        WHERE c.id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % belongs to no command', bad USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT n.id INTO bad FROM new_transfers n
        LEFT JOIN ledger_account d ON d.id = n.debit_account_id
        LEFT JOIN ledger_account c ON c.id = n.credit_account_id
        WHERE d.unit IS NULL OR c.unit IS NULL OR d.unit <> c.unit LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % names an unknown account, or two units', bad
            USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT n.id INTO bad FROM new_transfers n
        LEFT JOIN ledger_transfer h ON h.id = n.hold_id AND h.kind = 1
        WHERE n.hold_id IS NOT NULL AND (
            h.id IS NULL
            OR h.debit_account_id <> n.debit_account_id
            OR h.credit_account_id <> n.credit_account_id
            OR n.amount > h.amount
            OR (n.kind = 3 AND n.amount <> h.amount)) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % does not fit the hold it ends', bad
            USING ERRCODE = 'foreign_key_violation';
    END IF;

    SELECT n.id INTO bad FROM new_transfers n
        LEFT JOIN ledger_transfer t ON t.id = n.corrects_id
        WHERE n.corrects_id IS NOT NULL AND t.id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'transfer % corrects an unknown transfer', bad
            USING ERRCODE = 'foreign_key_violation';
    END IF;

    -- One update per touched account, however many transfers.
    WITH effect AS (
        SELECT n.debit_account_id, n.credit_account_id,
               CASE n.kind WHEN 0 THEN 0 WHEN 1 THEN n.amount ELSE -h.amount END AS pending,
               CASE n.kind WHEN 0 THEN n.amount WHEN 2 THEN n.amount ELSE 0 END AS posted
        FROM new_transfers n LEFT JOIN ledger_transfer h ON h.id = n.hold_id
    ), side AS (
        SELECT debit_account_id AS id, pending AS dp, posted AS dd, 0 AS cp, 0 AS cc FROM effect
        UNION ALL
        SELECT credit_account_id, 0, 0, pending, posted FROM effect
    ), delta AS (
        SELECT id, sum(dp)::bigint AS dp, sum(dd)::bigint AS dd,
               sum(cp)::bigint AS cp, sum(cc)::bigint AS cc
        FROM side GROUP BY id
    )
    UPDATE ledger_account a
        SET debits_pending = a.debits_pending + delta.dp,
            debits_posted = a.debits_posted + delta.dd,
            credits_pending = a.credits_pending + delta.cp,
            credits_posted = a.credits_posted + delta.cc
        FROM delta WHERE a.id = delta.id;
    RETURN NULL;
END $$;
CREATE TRIGGER transfer_moves_counters AFTER INSERT ON ledger_transfer
    REFERENCING NEW TABLE AS new_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply_transfers();
"""

BACKWARD = """
DROP TRIGGER transfer_moves_counters ON ledger_transfer;
DROP TRIGGER account_opens_empty ON ledger_account;
DROP TRIGGER head_moves_forward ON ledger_head;
DROP TRIGGER inbox_answered_once ON ledger_inboxcommand;
DROP TRIGGER head_stays ON ledger_head;
DROP TRIGGER inbox_stays ON ledger_inboxcommand;
DROP TRIGGER account_stays ON ledger_account;
DROP TRIGGER block_append_only ON ledger_block;
DROP TRIGGER transfer_append_only ON ledger_transfer;
DROP FUNCTION ledger_apply_transfers, ledger_guard_opening, ledger_guard_head,
    ledger_guard_command, ledger_refuse_change;
DELETE FROM ledger_head;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
