"""Readings, rule sets, clearings and matches are history: corrections are new rows."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION marketplace_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is append-only: % on % is not allowed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER reading_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_reading
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER rule_set_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_ruleset
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER clearing_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_clearing
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER data_file_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_datafile
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER match_stays BEFORE DELETE OR TRUNCATE ON marketplace_match
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();

-- A match is never rewritten; only a data match moves through its states.
CREATE FUNCTION marketplace_guard_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.kind <> 2 OR (NEW.kind, NEW.offer_id, NEW.request_id, NEW.quantity, NEW.price_micro)
        IS DISTINCT FROM (OLD.kind, OLD.offer_id, OLD.request_id, OLD.quantity, OLD.price_micro)
    THEN
        RAISE EXCEPTION 'match % cannot be rewritten', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER match_keeps_its_terms BEFORE UPDATE ON marketplace_match
    FOR EACH ROW EXECUTE FUNCTION marketplace_guard_match();

-- Books are compressed before they are stored.
ALTER TABLE marketplace_clearing ALTER COLUMN book SET STORAGE EXTERNAL;
"""

BACKWARD = """
DROP TRIGGER match_keeps_its_terms ON marketplace_match;
DROP TRIGGER match_stays ON marketplace_match;
DROP TRIGGER data_file_append_only ON marketplace_datafile;
DROP TRIGGER clearing_append_only ON marketplace_clearing;
DROP TRIGGER rule_set_append_only ON marketplace_ruleset;
DROP TRIGGER reading_append_only ON marketplace_reading;
DROP FUNCTION marketplace_guard_match, marketplace_refuse_change;
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
