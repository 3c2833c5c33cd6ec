"""Old matches of energy name their metering points, as new ones do."""

from django.db import migrations

FILL = """
UPDATE marketplace_match m
SET seller_point_id = o.metering_point_id, buyer_point_id = r.metering_point_id
FROM marketplace_offer o, marketplace_request r
WHERE m.kind = 1 AND o.id = m.offer_id AND r.id = m.request_id AND m.seller_point_id IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0014_matches_of_form_2")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
