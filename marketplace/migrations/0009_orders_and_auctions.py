"""Orders before delivery, the holds that vouch for them, auctions at gate closure, halts."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER auction_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_auction
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER order_stays BEFORE DELETE OR TRUNCATE ON marketplace_order
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER order_keeps_its_terms BEFORE UPDATE OF id, interval_id, participant_id,
        metering_point_id, zone_id, side, limit_price_micro_per_kwh, quantity_wh, minimum_wh,
        margin_micro_per_kwh, client_key, expires_at, received_at ON marketplace_order
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER order_batch_stays BEFORE DELETE OR TRUNCATE ON marketplace_orderbatch
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER trading_halt_stays BEFORE DELETE OR TRUNCATE ON marketplace_tradinghalt
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();

-- Books are compressed before they are stored.
ALTER TABLE marketplace_auction ALTER COLUMN book SET STORAGE EXTERNAL;
"""

BACKWARD = """
DROP TRIGGER trading_halt_stays ON marketplace_tradinghalt;
DROP TRIGGER order_batch_stays ON marketplace_orderbatch;
DROP TRIGGER order_keeps_its_terms ON marketplace_order;
DROP TRIGGER order_stays ON marketplace_order;
DROP TRIGGER auction_append_only ON marketplace_auction;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0008_signed_terms"),
    ]

    operations = [
        migrations.CreateModel(
            name="Auction",
            fields=[
                (
                    "interval",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="auction",
                        serialize=False,
                        to="marketplace.deliveryinterval",
                    ),
                ),
                ("reason", models.SmallIntegerField(choices=[(1, "closure"), (2, "halted")])),
                ("closed_at", models.DateTimeField(help_text="Gate closure.")),
                ("cleared_at", models.DateTimeField()),
                ("prices", models.JSONField(help_text="Zone to price per kWh, or null.")),
                (
                    "price_lows",
                    models.JSONField(
                        help_text="Zone to the lowest price that supports the result."
                    ),
                ),
                (
                    "price_highs",
                    models.JSONField(help_text="Zone to the highest price that supports it."),
                ),
                (
                    "flows",
                    models.JSONField(
                        help_text="Per link of the rule set: sent and received Wh, rent, fee."
                    ),
                ),
                ("volume_wh", models.BigIntegerField(help_text="Sum of what was bought.")),
                (
                    "welfare_nano",
                    models.DecimalField(
                        decimal_places=0, help_text="Thousandths of a micro-unit.", max_digits=40
                    ),
                ),
                ("order_count", models.IntegerField()),
                ("document_key", models.TextField(unique=True)),
                (
                    "book",
                    models.BinaryField(
                        help_text="Every order and its fill: the rows of the document."
                    ),
                ),
                ("book_sha256", models.CharField(max_length=64)),
                (
                    "rule_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="marketplace.ruleset",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CreditLine",
            fields=[
                (
                    "participant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="credit_line",
                        serialize=False,
                        to="marketplace.participant",
                    ),
                ),
                (
                    "account_id",
                    models.BigIntegerField(
                        help_text="Ledger account; never below zero.", unique=True
                    ),
                ),
                (
                    "margin_account_id",
                    models.BigIntegerField(help_text="The community's, which holds point to."),
                ),
                (
                    "line_micro",
                    models.BigIntegerField(default=0, help_text="Granted, or asked for."),
                ),
                (
                    "change_count",
                    models.IntegerField(default=0, help_text="Commands that changed the line."),
                ),
                (
                    "pending_micro",
                    models.BigIntegerField(
                        default=0,
                        help_text="The change that the ledger has yet to answer; 0: none.",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("pending_micro", 0), _negated=True),
                        fields=["participant"],
                        name="credit_line_pending",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("line_micro__gte", 0)), name="credit_line_not_negative"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.SmallIntegerField(
                        choices=[(1, "received"), (2, "accepted"), (3, "refused")], default=1
                    ),
                ),
                ("refusal", models.TextField(default="", help_text="Code of the refusal.")),
                (
                    "hold_micro",
                    models.BigIntegerField(help_text="Latest hold asked for; 0: all is released."),
                ),
                (
                    "change_count",
                    models.IntegerField(default=0, help_text="Commands after the first hold."),
                ),
                (
                    "is_stale",
                    models.BooleanField(
                        default=False, help_text="The hold may be larger than its orders need."
                    ),
                ),
                ("received_at", models.DateTimeField()),
                (
                    "answered_at",
                    models.DateTimeField(help_text="Time of the block that answered.", null=True),
                ),
                (
                    "interval",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_batches",
                        to="marketplace.deliveryinterval",
                    ),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="order_batches",
                        to="marketplace.participant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("side", models.SmallIntegerField(choices=[(1, "buy"), (2, "sell")])),
                ("limit_price_micro_per_kwh", models.BigIntegerField(help_text="May be negative.")),
                ("quantity_wh", models.BigIntegerField()),
                (
                    "minimum_wh",
                    models.BigIntegerField(default=0, help_text="Less is not wanted at all."),
                ),
                (
                    "margin_micro_per_kwh",
                    models.BigIntegerField(help_text="What the hold counts per kWh."),
                ),
                (
                    "client_key",
                    models.TextField(
                        help_text="The member's own name for it, used once.", null=True
                    ),
                ),
                ("expires_at", models.DateTimeField(null=True)),
                ("received_at", models.DateTimeField()),
                (
                    "ended_at",
                    models.DateTimeField(
                        help_text="Cancelled then; expired when it equals expires_at.", null=True
                    ),
                ),
                (
                    "filled_wh",
                    models.BigIntegerField(help_text="NULL: no auction has judged it.", null=True),
                ),
                (
                    "is_dropped",
                    models.BooleanField(
                        default=False,
                        help_text="Left out of the auction: its minimum could not be filled.",
                    ),
                ),
                (
                    "interval",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="marketplace.deliveryinterval",
                    ),
                ),
                (
                    "metering_point",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="marketplace.meteringpoint",
                    ),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="marketplace.participant",
                    ),
                ),
                (
                    "zone",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="marketplace.zone",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="marketplace.orderbatch",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OrderEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("transaction_number", models.BigIntegerField()),
                ("body", models.JSONField()),
                ("created_at", models.DateTimeField()),
                (
                    "participant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="order_events",
                        to="marketplace.participant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TradingHalt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(help_text="NULL: until it is lifted.", null=True)),
                ("reason", models.TextField()),
                ("created_at", models.DateTimeField()),
                (
                    "community",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="halts",
                        to="marketplace.community",
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="marketplace.participant",
                    ),
                ),
                (
                    "ordered_by",
                    models.ForeignKey(
                        help_text="The operator's participant.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="marketplace.participant",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="orderbatch",
            index=models.Index(
                condition=models.Q(("state", 1)), fields=["id"], name="order_batch_received"
            ),
        ),
        migrations.AddIndex(
            model_name="orderbatch",
            index=models.Index(
                condition=models.Q(("is_stale", True), ("state", 2)),
                fields=["id"],
                name="order_batch_stale",
            ),
        ),
        migrations.AddIndex(
            model_name="orderbatch",
            index=models.Index(
                condition=models.Q(("hold_micro__gt", 0)),
                fields=["interval"],
                name="order_batch_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="orderbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(("hold_micro__gte", 0)), name="order_batch_hold_not_negative"
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["interval", "received_at", "id"], name="order_arrival"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["participant", "id"], name="order_of_participant"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(
                    ("ended_at__isnull", True),
                    ("expires_at__isnull", False),
                    ("filled_wh__isnull", True),
                ),
                fields=["expires_at"],
                name="order_expiry",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity_wh__gt", 0)), name="order_quantity_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("minimum_wh__gte", 0), ("minimum_wh__lte", models.F("quantity_wh"))
                ),
                name="order_minimum_within_quantity",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("filled_wh__isnull", True),
                    ("filled_wh", 0),
                    models.Q(
                        ("filled_wh__gt", 0),
                        ("filled_wh__gte", models.F("minimum_wh")),
                        ("filled_wh__lte", models.F("quantity_wh")),
                    ),
                    _connector="OR",
                ),
                name="order_filled_within_quantity",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(("client_key__isnull", False)),
                fields=("participant", "client_key"),
                name="order_client_key",
            ),
        ),
        migrations.AddIndex(
            model_name="orderevent",
            index=models.Index(
                fields=["participant", "transaction_number", "id"], name="order_event_stream"
            ),
        ),
        migrations.AddConstraint(
            model_name="tradinghalt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ends_at__isnull", True),
                    ("ends_at__gte", models.F("starts_at")),
                    _connector="OR",
                ),
                name="trading_halt_period",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
