"""What search and the feeds of changes go by: measured quality, words, and what was last told."""

from datetime import UTC, datetime

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.db import migrations, models

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0023_what_went_to_buyers"),
    ]

    operations = [
        migrations.AddField(
            model_name="datafacet",
            name="age_s",
            field=models.BigIntegerField(
                help_text="How old its newest data is, as measured.", null=True
            ),
        ),
        migrations.AddField(
            model_name="datafacet",
            name="quality_ppm",
            field=models.IntegerField(
                help_text="See marketplace.domain.data.quality; NULL: not measured.", null=True
            ),
        ),
        migrations.AddField(
            model_name="datafacet",
            name="updated_at",
            field=models.DateTimeField(
                default=LONG_AGO, help_text="Listed, or its newest version."
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="cataloguerecord",
            name="version",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="marketplace.dataversion",
            ),
        ),
        migrations.AddField(
            model_name="cataloguerecord",
            name="terms_sha256",
            field=models.CharField(
                default="", help_text="Of what a change of terms changes.", max_length=64
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="cataloguerecord",
            name="words",
            field=django.contrib.postgres.search.SearchVectorField(
                default="", help_text="See marketplace.domain.data.search_words."
            ),
            preserve_default=False,
        ),
        migrations.AddIndex(
            model_name="cataloguerecord",
            index=django.contrib.postgres.indexes.GinIndex(
                fields=["words"], name="catalogue_record_words"
            ),
        ),
    ]
