"""Energy's tables hold energy alone: data is sold on tables of its own, 0019 and after.

What the first, small data market sold is not carried over: where it sold anything, this refuses.
"""

import django.db.models.deletion
from django.db import migrations, models


def refuse_what_would_be_lost(apps, schema_editor):
    for name in ("Offer", "Request"):
        if apps.get_model("marketplace", name).objects.filter(kind=2).exists():
            raise RuntimeError(
                f"there is a data {name.lower()} of the first data market, which this version"
                " leaves behind: let its trades settle under the version before, delete data"
                " offers, requests, matches and files as the owner, and migrate again"
            )


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0030_questions_with_noise"),
    ]

    operations = [
        migrations.RunPython(refuse_what_would_be_lost, migrations.RunPython.noop),
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
