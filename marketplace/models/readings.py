"""Meter readings, append-only: a correction is a new version."""

from django.db import models
from django.db.models import Q


class ReadingBatch(models.Model):
    """One file or request of readings: all of it was taken in, or none."""

    source = models.TextField(help_text="File name, or who sent it.")
    sha256 = models.CharField(max_length=64)
    reading_count = models.IntegerField()
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.source


class Reading(models.Model):
    """Energy over one delivery interval at one metering point."""

    class Quality(models.IntegerChoices):
        MEASURED = 0, "measured"
        ESTIMATED = 1, "estimated"
        SUBSTITUTED = 2, "substituted"

    pk = models.CompositePrimaryKey("interval", "metering_point", "version")
    interval = models.ForeignKey(
        "DeliveryInterval", models.PROTECT, db_index=False, related_name="readings"
    )
    metering_point = models.ForeignKey(
        "MeteringPoint", models.PROTECT, db_index=False, related_name="readings"
    )
    version = models.SmallIntegerField()
    import_wh = models.BigIntegerField()
    export_wh = models.BigIntegerField()
    quality = models.SmallIntegerField(choices=Quality)
    batch = models.ForeignKey(
        ReadingBatch,
        models.PROTECT,
        db_index=False,
        db_constraint=False,
        related_name="readings",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    import_wh__gte=0,
                    export_wh__gte=0,
                    import_wh__lte=10**9,
                    export_wh__lte=10**9,
                    version__gte=1,
                ),
                name="reading_within_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metering_point_id} in {self.interval_id} v{self.version}"
