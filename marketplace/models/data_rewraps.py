"""Wraps for buyers who lost the key that they signed the proof of reception with."""

from django.db import models
from django.db.models import Q

from marketplace.models.data_delivery import DataDelivery


class DataRewrap(models.Model):
    """The package's key once more, for another key of the same buyer, who signed for it."""

    delivery = models.ForeignKey(DataDelivery, models.PROTECT, related_name="rewraps")
    number = models.IntegerField(help_text="From 1: stands in the signed text.")
    body = models.BinaryField(help_text="Canonical JSON, signed by the buyer.")
    signature = models.BinaryField()
    wrap = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="data_rewrap_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="data_rewrap_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"wrap {self.number} of {self.delivery_id}"
