from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0038_what_if_and_drafts_of_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="whatif",
            name="revisions",
            field=models.JSONField(
                help_text="Interval to revision, where the asker may not see the latest; "
                "NULL: the latest.",
                null=True,
            ),
        ),
    ]
