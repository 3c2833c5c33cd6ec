"""Billing runs: previews and what is final of them; none of it is ever edited."""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER billing_run_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_billingrun
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER statement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_statement
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER statement_item_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_statementitem
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER final_billing_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_finalbilling
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
CREATE TRIGGER billed_settlement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON marketplace_billedsettlement
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_refuse_change();
"""
BACKWARD = """
DROP TRIGGER billed_settlement_append_only ON marketplace_billedsettlement;
DROP TRIGGER final_billing_append_only ON marketplace_finalbilling;
DROP TRIGGER statement_item_append_only ON marketplace_statementitem;
DROP TRIGGER statement_append_only ON marketplace_statement;
DROP TRIGGER billing_run_append_only ON marketplace_billingrun;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0009_orders_and_auctions"),
    ]

    operations = [
        migrations.CreateModel(
            name="BillingRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("month", models.DateField(help_text="First civil day of the period.")),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "tax_ppm",
                    models.IntegerField(
                        help_text="Tax on what a member pays, in millionths of it."
                    ),
                ),
                (
                    "tax_is_included",
                    models.BooleanField(
                        help_text="The prices contain the tax; else it comes on top of them."
                    ),
                ),
                ("settlement_count", models.IntegerField(help_text="Settlements that it bills.")),
                (
                    "settlements_sha256",
                    models.CharField(
                        help_text="Over their numbers: a preview is out of date when it differs.",
                        max_length=64,
                    ),
                ),
                ("made_at", models.DateTimeField()),
                (
                    "community",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="billing_runs",
                        to="marketplace.community",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run",
                        "participant",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "account_id",
                    models.BigIntegerField(help_text="Ledger account of the member's energy."),
                ),
                ("import_wh", models.BigIntegerField()),
                ("export_wh", models.BigIntegerField()),
                ("bought_wh", models.BigIntegerField(help_text="From the community's pool.")),
                ("sold_wh", models.BigIntegerField(help_text="Into the community's pool.")),
                (
                    "agreed_bought_wh",
                    models.BigIntegerField(help_text="By agreements with other members."),
                ),
                (
                    "agreed_sold_wh",
                    models.BigIntegerField(help_text="By agreements with other members."),
                ),
                (
                    "alone_micro",
                    models.BigIntegerField(
                        help_text="What the period would have come to with the grid alone."
                    ),
                ),
                (
                    "net_micro",
                    models.BigIntegerField(help_text="All items; positive: the member receives."),
                ),
                (
                    "correction_micro",
                    models.BigIntegerField(help_text="Of it for intervals billed before."),
                ),
                (
                    "tax_micro",
                    models.BigIntegerField(
                        help_text="On what the member pays; negative: given back."
                    ),
                ),
                (
                    "carried_micro",
                    models.BigIntegerField(
                        help_text="Below one minor unit, left by the final run before."
                    ),
                ),
                (
                    "payable_minor",
                    models.BigIntegerField(
                        help_text="What moves outside, in the currency's minor unit; positive: to the member."
                    ),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statements",
                        to="marketplace.participant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statements",
                        to="marketplace.billingrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="StatementItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "line",
                    models.SmallIntegerField(help_text="See marketplace.domain.billing.lines."),
                ),
                (
                    "price_micro_per_kwh",
                    models.BigIntegerField(help_text="NULL: prices varied.", null=True),
                ),
                ("energy_wh", models.BigIntegerField()),
                (
                    "amount_micro",
                    models.BigIntegerField(help_text="Positive: the member receives."),
                ),
                (
                    "interval",
                    models.ForeignKey(
                        db_index=False,
                        help_text="The interval that was billed before and is corrected; NULL: of the period.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="marketplace.deliveryinterval",
                    ),
                ),
                (
                    "participant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="marketplace.participant",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="marketplace.billingrun",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="FinalBilling",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="final",
                        serialize=False,
                        to="marketplace.billingrun",
                    ),
                ),
                ("month", models.DateField()),
                ("number", models.IntegerField()),
                (
                    "statements_sha256",
                    models.CharField(
                        help_text="Over all statements and items, see services.billing_final.",
                        max_length=64,
                    ),
                ),
                ("finalised_at", models.DateTimeField()),
                (
                    "community",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="final_billings",
                        to="marketplace.community",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BilledSettlement",
            fields=[
                (
                    "settlement",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="billed",
                        serialize=False,
                        to="marketplace.settlement",
                    ),
                ),
                (
                    "final",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlements",
                        to="marketplace.finalbilling",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="billingrun",
            index=models.Index(fields=["community", "month", "id"], name="billing_run_of_month"),
        ),
        migrations.AddConstraint(
            model_name="billingrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="billing_period"
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("tax_ppm__gte", 0), ("tax_ppm__lte", 1000000)),
                name="billing_tax_bounded",
            ),
        ),
        migrations.AddIndex(
            model_name="statementitem",
            index=models.Index(fields=["run", "participant"], name="statement_items"),
        ),
        migrations.AddConstraint(
            model_name="finalbilling",
            constraint=models.UniqueConstraint(
                fields=("community", "number"), name="final_billing_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="finalbilling",
            constraint=models.UniqueConstraint(
                fields=("community", "month"), name="final_billing_of_month"
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
