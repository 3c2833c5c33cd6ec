"""How much carbon dioxide the grid's electricity stands for, as somebody else published it."""

from django.db import models
from django.db.models import Q


class CarbonIntensity(models.Model):
    """The grid's intensity over one hour, with its source."""

    community_id = models.BigIntegerField(
        default=0, help_text="0: of the whole city, where a community has no series of its own."
    )
    starts_at = models.DateTimeField(help_text="Start of the hour.")
    grams_per_kwh = models.IntegerField(help_text="CO2-equivalent.")
    source = models.CharField(max_length=200, help_text="Who published it, as a citation.")

    class Meta:
        verbose_name_plural = "carbon intensities"
        constraints = [
            models.UniqueConstraint(fields=["community_id", "starts_at"], name="carbon_once"),
            models.CheckConstraint(
                condition=Q(grams_per_kwh__gte=0, grams_per_kwh__lte=5000),
                name="carbon_within_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"carbon intensity at {self.starts_at:%Y-%m-%dT%H:%MZ}"
