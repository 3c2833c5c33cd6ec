from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0015_metering_points_of_matches"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="match",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("buyer_point__isnull", False),
                        ("interval__isnull", False),
                        ("kind", 1),
                        ("revision__gte", 1),
                        ("seller_point__isnull", False),
                    ),
                    models.Q(
                        ("interval__isnull", True),
                        ("kind", 2),
                        ("matched_at__isnull", False),
                        ("offer__isnull", False),
                        ("quantity", 1),
                        ("request__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="match_fits_its_kind",
            ),
        ),
    ]
