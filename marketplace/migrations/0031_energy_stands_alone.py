"""Energy's tables hold energy alone: data is sold on tables of its own, 0019 and after.

The rows of the first, small data market are kept as they were, as JSON in one table that nothing
reads; money that still waited for a delivery goes back to its buyer.
"""

import hashlib
import json
from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone

DATA = 2
MATCHED, HELD, DELIVERED, RELEASED = 1, 2, 3, 5
OLD_ROWS = {
    # Those that name others come first.
    "marketplace_datafile": "true",
    "marketplace_delivery": "true",
    "marketplace_hold": "true",
    "marketplace_settlement": "kind = 2",
    "marketplace_match": "kind = 2",
    "marketplace_offer": "kind = 2",
    "marketplace_request": "kind = 2",
}


def put_the_first_data_market_away(apps: Any, schema_editor: Any) -> None:
    matches = apps.get_model("marketplace", "Match").objects.filter(kind=DATA)
    waiting = matches.filter(state__in=(MATCHED, DELIVERED)).count()
    if waiting:
        raise RuntimeError(
            f"{waiting} trade(s) of the first data market wait for the settlement worker: let the"
            " version before run until its worker has answered them, and migrate again"
        )
    held = matches.filter(state=HELD).select_related("offer__participant", "request__participant")
    inbox = apps.get_model("ledger", "InboxCommand").objects
    for match in held.filter(price_micro__gt=0).order_by("id"):
        inbox.create(**_release(match))
    held.update(state=RELEASED)
    with schema_editor.connection.cursor() as cursor:
        _put_away(cursor)


def _release(match: Any) -> dict[str, Any]:
    """Return the command that ends a match's hold, in the ledger's protocol 1."""
    key = f"release-data:{match.id}"
    columns = {
        "amount": [str(match.price_micro)],
        "code": ["10"],
        "credit": [str(match.offer.participant.wallet_account_id)],
        "debit": [str(match.request.participant.wallet_account_id)],
        "hold": [f"hold:{match.id}/0"],
        "kind": ["3"],
    }
    document = {"transfers": columns, "version": "1"}
    body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return {
        "key": key,
        "fingerprint": hashlib.sha256(key.encode() + b"\n" + body).digest(),
        "body": body,
        "transfer_count": 1,
        "submitted_at": timezone.now(),
    }


def _put_away(cursor: Any) -> None:
    """Keep the old rows as JSON, and take them out of the tables, which guard their history."""
    counted = " UNION ALL ".join(
        f"SELECT 1 FROM {table} WHERE {which}"  # noqa: S608 - names of this file
        for table, which in OLD_ROWS.items()
    )
    cursor.execute(f"SELECT EXISTS ({counted})")
    if not cursor.fetchone()[0]:
        return
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks to come can't be altered
    cursor.execute(
        "CREATE TABLE marketplace_first_data_market (source text NOT NULL, row jsonb NOT NULL)"
    )
    for table, which in OLD_ROWS.items():
        keep = f"SELECT '{table}', to_jsonb(old) FROM {table} AS old WHERE {which}"  # noqa: S608
        cursor.execute(f"INSERT INTO marketplace_first_data_market {keep}")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"DELETE FROM {table} WHERE {which}")  # noqa: S608
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    cursor.execute(
        "CREATE TRIGGER first_data_market_append_only BEFORE UPDATE OR DELETE OR TRUNCATE"
        " ON marketplace_first_data_market"
        " FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change()"
    )


# Since no match moves any more, none is changed at all; the guard before asked for its kind.
MATCHES_STAY = """
DROP TRIGGER match_keeps_its_terms ON marketplace_match;
DROP FUNCTION marketplace_guard_match;
CREATE TRIGGER match_keeps_its_terms BEFORE UPDATE ON marketplace_match
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0007_snapshots"),
        ("marketplace", "0030_questions_with_noise"),
    ]

    operations = [
        migrations.RunPython(put_the_first_data_market_away, migrations.RunPython.noop),
        migrations.RunSQL(MATCHES_STAY),
        migrations.RemoveField(
            model_name="datafile",
            name="offer",
        ),
        migrations.RemoveField(
            model_name="delivery",
            name="match",
        ),
        migrations.RemoveField(
            model_name="hold",
            name="match",
        ),
        migrations.RemoveConstraint(
            model_name="match",
            name="match_quantity_positive",
        ),
        migrations.RemoveConstraint(
            model_name="match",
            name="data_request_matched_once",
        ),
        migrations.RemoveConstraint(
            model_name="match",
            name="match_fits_its_kind",
        ),
        migrations.RemoveConstraint(
            model_name="offer",
            name="offer_fits_its_kind",
        ),
        migrations.RemoveConstraint(
            model_name="offer",
            name="offer_version_of_metering_point",
        ),
        migrations.RemoveConstraint(
            model_name="request",
            name="request_fits_its_kind",
        ),
        migrations.RemoveConstraint(
            model_name="request",
            name="request_version_of_metering_point",
        ),
        migrations.RemoveConstraint(
            model_name="settlement",
            name="settlement_fits_its_kind",
        ),
        migrations.RemoveIndex(
            model_name="match",
            name="data_match_due",
        ),
        migrations.RemoveIndex(
            model_name="match",
            name="match_seller_without_offer",
        ),
        migrations.RemoveIndex(
            model_name="match",
            name="match_buyer_without_request",
        ),
        migrations.RemoveField(
            model_name="match",
            name="deadline_at",
        ),
        migrations.RemoveField(
            model_name="match",
            name="kind",
        ),
        migrations.RemoveField(
            model_name="match",
            name="matched_at",
        ),
        migrations.RemoveField(
            model_name="match",
            name="state",
        ),
        migrations.RemoveField(
            model_name="offer",
            name="kind",
        ),
        migrations.RemoveField(
            model_name="offer",
            name="terms",
        ),
        migrations.RemoveField(
            model_name="request",
            name="kind",
        ),
        migrations.RemoveField(
            model_name="request",
            name="terms",
        ),
        migrations.RemoveField(
            model_name="settlement",
            name="kind",
        ),
        migrations.RemoveField(
            model_name="settlement",
            name="match",
        ),
        migrations.AlterField(
            model_name="match",
            name="buyer_point",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="purchases",
                to="marketplace.meteringpoint",
            ),
        ),
        migrations.AlterField(
            model_name="match",
            name="interval",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="matches",
                to="marketplace.deliveryinterval",
            ),
        ),
        migrations.AlterField(
            model_name="match",
            name="price_micro",
            field=models.BigIntegerField(help_text="Per kWh."),
        ),
        migrations.AlterField(
            model_name="match",
            name="quantity",
            field=models.BigIntegerField(help_text="[Wh]"),
        ),
        migrations.AlterField(
            model_name="match",
            name="revision",
            field=models.SmallIntegerField(),
        ),
        migrations.AlterField(
            model_name="match",
            name="seller_point",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sales",
                to="marketplace.meteringpoint",
            ),
        ),
        migrations.AlterField(
            model_name="offer",
            name="limit_price_micro",
            field=models.BigIntegerField(
                help_text="Per kWh; NULL draws the rule set's default.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="offer",
            name="metering_point",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="marketplace.meteringpoint",
            ),
        ),
        migrations.AlterField(
            model_name="offer",
            name="signed_terms",
            field=models.ForeignKey(
                help_text="What was signed. NULL: the rule set's default, which nobody signs.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="marketplace.signedterms",
            ),
        ),
        migrations.AlterField(
            model_name="request",
            name="limit_price_micro",
            field=models.BigIntegerField(
                help_text="Per kWh; NULL draws the rule set's default.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="request",
            name="metering_point",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="marketplace.meteringpoint",
            ),
        ),
        migrations.AlterField(
            model_name="request",
            name="signed_terms",
            field=models.ForeignKey(
                help_text="What was signed. NULL: the rule set's default, which nobody signs.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="%(class)ss",
                to="marketplace.signedterms",
            ),
        ),
        migrations.AlterField(
            model_name="settlement",
            name="clearing",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="settlement",
                to="marketplace.clearing",
            ),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(
                condition=models.Q(("offer__isnull", True)),
                fields=["seller_point"],
                name="match_seller_without_offer",
            ),
        ),
        migrations.AddIndex(
            model_name="match",
            index=models.Index(
                condition=models.Q(("request__isnull", True)),
                fields=["buyer_point"],
                name="match_buyer_without_request",
            ),
        ),
        migrations.AddConstraint(
            model_name="match",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", 0), ("revision__gte", 1)),
                name="match_quantity_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="offer",
            constraint=models.UniqueConstraint(
                fields=("metering_point", "version"), name="offer_version_of_metering_point"
            ),
        ),
        migrations.AddConstraint(
            model_name="request",
            constraint=models.UniqueConstraint(
                fields=("metering_point", "version"), name="request_version_of_metering_point"
            ),
        ),
        migrations.DeleteModel(
            name="DataFile",
        ),
        migrations.DeleteModel(
            name="Delivery",
        ),
        migrations.DeleteModel(
            name="Hold",
        ),
    ]
