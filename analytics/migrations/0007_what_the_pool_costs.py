from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0006_what_a_members_day_is_made_of"),
    ]

    operations = [
        # Derived, and made again within seconds: with the days, flows and members that were new.
        migrations.RunSQL("DELETE FROM analytics_intervalrollup", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="intervalrollup",
            name="priced_wh",
            field=models.BigIntegerField(default=0, help_text="Of what was bought: in the pool."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="intervalrollup",
            name="priced_micro",
            field=models.BigIntegerField(default=0, help_text="What that costs, without fees."),
            preserve_default=False,
        ),
        *(
            migrations.AlterField(
                model_name=model,
                name=name,
                field=models.BigIntegerField(help_text=text),
            )
            for model in ("zonehour", "zoneday")
            for name, text in (
                ("priced_wh", "Of what was bought: in the pool."),
                ("priced_micro", "What that costs, without fees."),
            )
        ),
    ]
