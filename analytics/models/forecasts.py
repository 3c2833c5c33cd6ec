"""Forecasts and the weather they look at."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class ForecastRun(models.Model):
    """One making of all forecasts of a community, from what was known at its time."""

    community_id = models.BigIntegerField()
    starts_at = models.DateTimeField(help_text="End of the latest interval with a reading.")
    interval_minutes = models.SmallIntegerField()
    lead_count = models.SmallIntegerField(help_text="Blocks of 24 hours that were forecast.")
    known_from = models.DateTimeField(help_text="Readings from here on were looked at.")
    made_at = models.DateTimeField(help_text="Begun; it is finished subject by subject.")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["community_id", "-made_at"], name="forecast_run_latest"),
        ]

    def __str__(self) -> str:
        return f"forecast of {self.community_id} from {self.starts_at:%Y-%m-%dT%H:%MZ}"


class Forecast(models.Model):
    """What one meter or zone is expected to come to, interval by interval, with its error.

    NULL in an array: there is no past to look at, or nothing could be measured.
    """

    class Kind(models.IntegerChoices):
        EXPORT = 1, "export"
        IMPORT = 2, "import"
        PRICE = 3, "price"

    run = models.ForeignKey(ForecastRun, models.CASCADE, related_name="forecasts")
    kind = models.SmallIntegerField(choices=Kind)
    subject_id = models.BigIntegerField(help_text="Metering point; of a price, the zone.")
    expected = ArrayField(models.BigIntegerField(null=True), help_text="[Wh] or [micro/kWh]")
    low = ArrayField(models.BigIntegerField(null=True))
    high = ArrayField(models.BigIntegerField(null=True))
    method = ArrayField(models.SmallIntegerField(), help_text="By block: see domain.forecast.")
    error = ArrayField(models.BigIntegerField(null=True), help_text="By block: mean absolute.")
    naive_error = ArrayField(models.BigIntegerField(null=True), help_text="Of the better naive.")
    points = ArrayField(models.IntegerField(), help_text="By block: what the errors are means of.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "kind", "subject_id"], name="forecast_once"),
        ]
        indexes = [
            models.Index(fields=["kind", "subject_id", "-run"], name="forecast_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.subject_id}"


class Weather(models.Model):
    """Weather of a community by interval: measured for what was, forecast for what will be."""

    community_id = models.BigIntegerField()
    starts_at = models.DateTimeField()
    irradiance_w_per_m2 = models.IntegerField()
    temperature_tenths_c = models.IntegerField(help_text="Tenths of a degree Celsius.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community_id", "starts_at"], name="weather_once"),
            models.CheckConstraint(
                condition=Q(
                    irradiance_w_per_m2__gte=0,
                    irradiance_w_per_m2__lte=2000,
                    temperature_tenths_c__gte=-900,
                    temperature_tenths_c__lte=700,
                ),
                name="weather_within_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"weather of {self.community_id} at {self.starts_at:%Y-%m-%dT%H:%MZ}"
