"""Live feeds: when the hall looks at them next, what its looks came to by day and by month."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.data_contracts import DataCharge
from marketplace.models.data_products import DataProduct


class FeedWatch(models.Model):
    """When the hall looks at a live feed; a row for every feed that is listed."""

    product = models.OneToOneField(
        DataProduct, models.PROTECT, primary_key=True, related_name="watch"
    )
    every_s = models.IntegerField()
    due_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(every_s__gt=0), name="feed_watch_every"),
        ]
        indexes = [models.Index(fields=["due_at"], name="feed_watch_due")]

    def __str__(self) -> str:
        return f"watch of {self.product_id}"


class ProbeDay(models.Model):
    """The looks of one day (UTC) at a feed, added up; it stays when they are forgotten."""

    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="probe_days")
    day = models.DateField()
    look_count = models.IntegerField()
    up_count = models.IntegerField()
    valid_count = models.IntegerField()
    dated_count = models.IntegerField(help_text="Answers that told their age.")
    age_sum_s = models.BigIntegerField()
    age_max_s = models.IntegerField()
    latency_sum_ms = models.BigIntegerField()
    latency_max_ms = models.IntegerField()
    completeness_count = models.IntegerField()
    completeness_sum_ppm = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "day"], name="probe_day_once"),
            models.CheckConstraint(
                condition=Q(up_count__lte=F("look_count"), valid_count__lte=F("up_count"))
                & Q(dated_count__lte=F("up_count"), completeness_count__lte=F("up_count")),
                name="probe_day_counts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} on {self.day}"


class ServiceReport(models.Model):
    """What a feed's month came to against its promise: the figures behind a credit."""

    charge = models.OneToOneField(DataCharge, models.PROTECT, related_name="service_report")
    level = models.JSONField(help_text="The promise; see marketplace.domain.data.service.")
    look_count = models.IntegerField()
    up_count = models.IntegerField()
    fresh_count = models.IntegerField()
    valid_count = models.IntegerField()
    completeness_count = models.IntegerField()
    completeness_sum_ppm = models.BigIntegerField()
    due_micro = models.BigIntegerField(help_text="For what was taken, before the credit.")
    credit_ppm = models.IntegerField()
    credit_micro = models.BigIntegerField()
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(credit_micro__gte=0, credit_micro__lte=F("due_micro")),
                name="service_report_credit",
            ),
        ]

    def __str__(self) -> str:
        return f"service report of charge {self.charge_id}"
