"""The file behind a data offer."""

from django.db import models
from django.db.models import Q


class DataFile(models.Model):
    """An immutable file of aggregates, named by its hash."""

    offer = models.OneToOneField("Offer", models.PROTECT, related_name="file")
    name = models.TextField()
    media_type = models.TextField(default="text/csv")
    sha256 = models.CharField(max_length=64)
    byte_count = models.BigIntegerField()
    row_count = models.IntegerField()
    # In the database, so that a file and its offer are backed up and restored as one.
    content = models.BinaryField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(byte_count__gt=0, row_count__gt=0),
                name="data_file_not_empty",
            ),
        ]

    def __str__(self) -> str:
        return self.name
