"""The function that moves counters looks every account of a block up once, not three times.

Units are compared transfer by transfer only where the update saw more than one of them. A trigger
before each row's update locked the row and logged the lock, which doubled an update's records: it
comes after the update now.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION ledger_apply_transfers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
-- pg_temp, when it is not named, comes first.
SET search_path = pg_catalog, public, pg_temp
-- A plan made for a block of one transfer must not serve a block of ten thousand.
SET plan_cache_mode = force_custom_plan
-- The sums of a block in memory.
SET work_mem = '32MB'
AS $$
DECLARE
    bad bigint;
    is_one_unit boolean;
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

    -- Sums that nothing is added to stay NULL: most blocks hold nothing, and cost less.
    WITH side AS (
        SELECT n.debit_account_id AS id, true AS is_debit, n.kind, n.amount, n.hold_id
        FROM new_transfers n
        UNION ALL
        SELECT n.credit_account_id, false, n.kind, n.amount, n.hold_id FROM new_transfers n
    ), effect AS (
        SELECT id, is_debit,
               CASE kind WHEN 0 THEN NULL WHEN 1 THEN amount
                    ELSE -(SELECT h.amount FROM public.ledger_transfer h WHERE h.id = side.hold_id)
               END AS pending,
               CASE WHEN kind IN (0, 2) THEN amount END AS posted
        FROM side
    ), delta AS (
        SELECT id,
               coalesce(sum(pending) FILTER (WHERE is_debit), 0)::bigint AS dp,
               coalesce(sum(posted) FILTER (WHERE is_debit), 0)::bigint AS dd,
               coalesce(sum(pending) FILTER (WHERE NOT is_debit), 0)::bigint AS cp,
               coalesce(sum(posted) FILTER (WHERE NOT is_debit), 0)::bigint AS cc
        FROM effect GROUP BY id ORDER BY id
    ), moved AS (
        -- One update per touched account, however many transfers, in the order of the table.
        UPDATE public.ledger_account a
            SET debits_pending = a.debits_pending + delta.dp,
                debits_posted = a.debits_posted + delta.dd,
                credits_pending = a.credits_pending + delta.cp,
                credits_posted = a.credits_posted + delta.cc
            FROM delta
            WHERE a.id = delta.id
            RETURNING a.unit
    )
    SELECT count(*) = (SELECT count(*) FROM delta) AND min(unit) = max(unit)
        INTO is_one_unit FROM moved;

    -- Where all accounts exist and are of one unit, no pair of them can differ.
    IF is_one_unit IS NOT TRUE THEN
        SELECT min(n.id) INTO bad FROM new_transfers n
            LEFT JOIN public.ledger_account d ON d.id = n.debit_account_id
            LEFT JOIN public.ledger_account c ON c.id = n.credit_account_id
            WHERE d.unit IS NULL OR c.unit IS NULL OR d.unit <> c.unit;
        IF bad IS NOT NULL THEN
            RAISE EXCEPTION 'transfer % names an unknown account, or two units', bad
                USING ERRCODE = 'foreign_key_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER account_logged_once ON ledger_account;
CREATE TRIGGER account_logged_once AFTER UPDATE OF leaf_index ON ledger_account
    FOR EACH ROW WHEN (OLD.leaf_index IS NOT NULL OR NEW.leaf_index IS NULL)
    EXECUTE FUNCTION ledger_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_published_log")]

    # Both do the same for their callers, so that the way back has nothing to undo.
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
