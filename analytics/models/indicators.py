"""Figures of the city from licensed data."""

from django.db import models
from django.db.models import Q


class IndicatorSource(models.Model):
    """Which version of a licensed product the city's figures are made from."""

    product_id = models.BigIntegerField(primary_key=True)
    version_id = models.BigIntegerField()
    version_number = models.IntegerField()
    manifest_sha256 = models.CharField(max_length=64)
    problem = models.TextField(default="", help_text="Why there are no figures; empty: none.")
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"figures of product {self.product_id}"


class CityIndicator(models.Model):
    """One figure of the city; see analytics.domain.indicators."""

    source = models.ForeignKey(IndicatorSource, models.CASCADE, related_name="indicators")
    kind = models.SmallIntegerField()
    place = models.TextField()
    to_place = models.TextField(default="")
    period = models.CharField(max_length=7, default="")
    day_type = models.SmallIntegerField()
    hour = models.SmallIntegerField()
    value = models.BigIntegerField()
    weight = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "kind", "place", "to_place", "period", "day_type", "hour"],
                name="city_indicator_once",
            ),
            models.CheckConstraint(
                condition=Q(weight__gt=0, value__gte=0), name="city_indicator_has_weight"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.place}"
