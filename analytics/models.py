"""Rollups and forecasts: derived, and recomputable from the marketplace at any time."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


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
