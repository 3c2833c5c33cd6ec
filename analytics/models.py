"""Rollups: derived, incremental, and recomputable from the marketplace at any time."""

from django.db import models


class IntervalRollup(models.Model):
    """What one delivery interval of one zone came to, by its latest settled revision."""

    interval_id = models.BigIntegerField()
    zone_id = models.BigIntegerField()
    community_id = models.BigIntegerField()
    starts_at = models.DateTimeField()
    revision = models.SmallIntegerField(help_text="Revision of the clearing it was made from.")
    meter_count = models.IntegerField()
    import_wh = models.BigIntegerField()
    export_wh = models.BigIntegerField()
    bought_wh = models.BigIntegerField(help_text="Bought in the community's pool.")
    sold_wh = models.BigIntegerField(help_text="Sold into the community's pool.")
    grid_import_wh = models.BigIntegerField()
    grid_export_wh = models.BigIntegerField()
    price_micro_per_kwh = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["interval_id", "zone_id"], name="rollup_once"),
        ]
        indexes = [
            models.Index(fields=["community_id", "starts_at"], name="rollup_by_time"),
        ]

    def __str__(self) -> str:
        return f"interval {self.interval_id} zone {self.zone_id}"
