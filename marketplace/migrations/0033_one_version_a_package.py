from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0032_rows_beside_their_package"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="dataversion",
            constraint=models.UniqueConstraint(
                fields=["package"], condition=~Q(package=""), name="data_version_own_package"
            ),
        ),
    ]
