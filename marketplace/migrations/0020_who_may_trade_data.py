"""Operators and households sell and buy no data, and what two signed is never written over.

Lists of roles as in ``marketplace.domain.data.traders``. A table whose rows name a trader gets the
guard by its column and its roles.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION marketplace_guard_trader() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    trader bigint;
    found text;
BEGIN
    EXECUTE format('SELECT ($1).%I', TG_ARGV[0]) INTO trader USING NEW;
    SELECT role INTO found FROM marketplace_participant WHERE id = trader;
    IF found <> ALL (string_to_array(TG_ARGV[1], ',')) THEN
        RAISE EXCEPTION 'participant % of role % cannot be % of %',
            trader, found, TG_ARGV[0], TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER data_product_provider BEFORE INSERT OR UPDATE OF provider_id
    ON marketplace_dataproduct FOR EACH ROW
    EXECUTE FUNCTION marketplace_guard_trader('provider_id', 'data_provider,enterprise');
CREATE TRIGGER data_contract_seller BEFORE INSERT OR UPDATE OF seller_id
    ON marketplace_datacontract FOR EACH ROW
    EXECUTE FUNCTION marketplace_guard_trader('seller_id', 'data_provider,enterprise');
CREATE TRIGGER data_contract_buyer BEFORE INSERT OR UPDATE OF buyer_id
    ON marketplace_datacontract FOR EACH ROW
    EXECUTE FUNCTION marketplace_guard_trader('buyer_id', 'data_provider,enterprise,planner');

-- Nor does a trader become the operator while what they trade stands there.
CREATE FUNCTION marketplace_guard_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM marketplace_dataproduct WHERE provider_id = NEW.id)
        OR EXISTS (SELECT FROM marketplace_datacontract WHERE NEW.id IN (seller_id, buyer_id))
    THEN
        RAISE EXCEPTION 'participant % trades data and cannot become %', NEW.id, NEW.role
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER participant_role_of_trader BEFORE UPDATE OF role ON marketplace_participant
    FOR EACH ROW WHEN (OLD.role <> NEW.role)
    EXECUTE FUNCTION marketplace_guard_role();

-- Proposed, then agreed or declined; agreed, then revoked or run out. Signatures stay as given.
CREATE FUNCTION marketplace_guard_data_contract() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state
        AND NOT (OLD.state = 1 AND NEW.state IN (2, 3) OR OLD.state = 2 AND NEW.state IN (4, 5))
        OR OLD.seller_signature IS NOT NULL AND (NEW.seller_signature, NEW.agreed_at)
            IS DISTINCT FROM (OLD.seller_signature, OLD.agreed_at)
        OR OLD.state IN (3, 4, 5) AND (NEW.closed_at, NEW.revocation_body,
            NEW.revocation_signature, NEW.revocation_key_id)
            IS DISTINCT FROM (OLD.closed_at, OLD.revocation_body,
            OLD.revocation_signature, OLD.revocation_key_id)
    THEN
        RAISE EXCEPTION 'data contract % cannot be rewritten', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER data_contract_keeps_its_terms BEFORE UPDATE ON marketplace_datacontract
    FOR EACH ROW EXECUTE FUNCTION marketplace_guard_data_contract();
"""

BACKWARD = """
DROP TRIGGER data_contract_keeps_its_terms ON marketplace_datacontract;
DROP TRIGGER participant_role_of_trader ON marketplace_participant;
DROP TRIGGER data_contract_buyer ON marketplace_datacontract;
DROP TRIGGER data_contract_seller ON marketplace_datacontract;
DROP TRIGGER data_product_provider ON marketplace_dataproduct;
DROP FUNCTION marketplace_guard_data_contract, marketplace_guard_role, marketplace_guard_trader;
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0019_data_market")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
