"""Intervals whose settlement a quorum has attested are sealed."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """A state of intervals, and the two indexes that leave it out."""

    dependencies = [("marketplace", "0003_data_market_and_idempotency")]

    operations = [
        migrations.AlterField(
            model_name="deliveryinterval",
            name="state",
            field=models.SmallIntegerField(
                choices=[
                    (1, "open"),
                    (2, "metered"),
                    (3, "cleared"),
                    (4, "settled"),
                    (5, "sealed"),
                ],
                default=1,
            ),
        ),
        migrations.RemoveIndex(model_name="deliveryinterval", name="interval_due"),
        migrations.AddIndex(
            model_name="deliveryinterval",
            index=models.Index(
                fields=["community", "starts_at"],
                condition=Q(state__lt=4) | Q(has_news=True),
                name="interval_due",
            ),
        ),
        migrations.AddIndex(
            model_name="deliveryinterval",
            index=models.Index(fields=["id"], condition=Q(state=4), name="interval_unsealed"),
        ),
    ]
