"""Operators and households wish for no data either; see 0020."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0028_how_products_are_read")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TRIGGER data_wish_buyer BEFORE INSERT OR UPDATE OF buyer_id
                ON marketplace_datawish FOR EACH ROW
                EXECUTE FUNCTION marketplace_guard_trader(
                    'buyer_id', 'data_provider,enterprise,planner'
                );
            """,
            "DROP TRIGGER data_wish_buyer ON marketplace_datawish;",
        ),
    ]
