from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0008_released_days_and_publications"),
    ]

    operations = [
        # Derived, and made again once its month's days are.
        migrations.RunSQL("DELETE FROM analytics_savingsmonth", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="savingsmonth",
            name="computed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="savingsmonth",
            name="computed_at",
            field=models.DateTimeField(),
        ),
        *(
            migrations.AlterField(model_name="marketrollup", name=name, field=field)
            for name, field in (
                ("seller_count", models.IntegerField(help_text="Members that sold.")),
                ("buyer_count", models.IntegerField(help_text="Members that bought.")),
                ("offered_wh", models.BigIntegerField(help_text="Surplus of all meters.")),
                ("wanted_wh", models.BigIntegerField(help_text="Demand of all meters.")),
                ("value_micro", models.BigIntegerField(help_text="What it costs, without fees.")),
            )
        ),
    ]
