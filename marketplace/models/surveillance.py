"""What the operator looks after: readings by meter and day, and alerts about unusual things."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.data_products import DataProduct
from marketplace.models.people import Participant
from marketplace.models.places import Community, MeteringPoint


class WatchedDay(models.Model):
    """A civil day of a community that was looked at, and what it looked like then."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="watched_days")
    day = models.DateField(help_text="Civil day of the community's time zone.")
    signature = models.TextField(help_text="Changes when readings or clearings of the day do.")
    watched_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "day"], name="watched_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.community_id} on {self.day}"


class MeterDay(models.Model):
    """What a meter sent in a civil day: current readings, added up. [Wh]

    Derived from the readings by ``services.meter_watch``, kept for some weeks.
    """

    community = models.ForeignKey(
        Community, models.PROTECT, db_index=False, related_name="meter_days"
    )
    metering_point = models.ForeignKey(
        MeteringPoint, models.PROTECT, db_index=False, related_name="days"
    )
    day = models.DateField()
    expected_count = models.IntegerField(help_text="Intervals that ended while it was active.")
    reading_count = models.IntegerField()
    estimated_count = models.IntegerField()
    import_wh = models.BigIntegerField()
    export_wh = models.BigIntegerField()
    night_export_wh = models.BigIntegerField(help_text="Of it between 22 and 4 o'clock.")
    peak_wh = models.BigIntegerField(help_text="Most in one interval, either way.")
    distinct_count = models.IntegerField(help_text="Different pairs of import and export.")
    profile = models.CharField(max_length=32, help_text="Hash of the day's readings in order.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["metering_point", "day"], name="meter_day_once"),
        ]
        indexes = [models.Index(fields=["community", "day"], name="meter_day_of_community")]

    def __str__(self) -> str:
        return f"{self.metering_point_id} on {self.day}"


class MeterState(models.Model):
    """How complete a meter's last weeks are; the operator's list of meters goes by it."""

    metering_point = models.OneToOneField(
        MeteringPoint, models.PROTECT, primary_key=True, related_name="watched"
    )
    community = models.ForeignKey(Community, models.PROTECT, related_name="meter_states")
    last_reading_at = models.DateTimeField(null=True, help_text="End of its last interval.")
    expected_count = models.IntegerField()
    missing_count = models.IntegerField()
    estimated_count = models.IntegerField()
    gap_since = models.DateField(null=True, help_text="Oldest day of the window with a gap.")
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(missing_count__gte=0, missing_count__lte=F("expected_count")),
                name="meter_state_counts",
            ),
        ]
        indexes = [
            models.Index(
                fields=["community", "missing_count"],
                condition=Q(missing_count__gt=0),
                name="meter_state_with_gaps",
            ),
        ]

    def __str__(self) -> str:
        return f"state of {self.metering_point_id}"


class Alert(models.Model):
    """Something unusual that a detector found; see ``marketplace.domain.surveillance``.

    It says that something is to be looked at, never that somebody did wrong.
    """

    class State(models.IntegerChoices):
        OPEN = 1, "open"
        EXPLAINED = 2, "explained"
        CLOSED = 3, "closed"

    key = models.TextField(unique=True, help_text="Rule, day and subject: found twice is one.")
    rule = models.CharField(max_length=32)
    community = models.ForeignKey(Community, models.PROTECT, null=True, related_name="alerts")
    participant = models.ForeignKey(Participant, models.PROTECT, null=True, related_name="alerts")
    other = models.ForeignKey(
        Participant, models.PROTECT, null=True, related_name="+", help_text="Of a pair."
    )
    metering_point = models.ForeignKey(
        MeteringPoint, models.PROTECT, null=True, related_name="alerts"
    )
    product = models.ForeignKey(DataProduct, models.PROTECT, null=True, related_name="alerts")
    day = models.DateField()
    figures = models.JSONField(help_text="What was measured, and the thresholds it passed.")
    state = models.SmallIntegerField(choices=State, default=State.OPEN)
    found_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["community", "-id"], name="alert_of_community"),
            models.Index(fields=["community", "id"], condition=Q(state=1), name="alert_open"),
        ]

    def __str__(self) -> str:
        return self.key


class AlertStep(models.Model):
    """What an operator said about an alert; never edited."""

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="steps")
    state = models.SmallIntegerField(choices=Alert.State)
    note = models.TextField()
    operator = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.get_state_display()} of {self.alert_id}"
