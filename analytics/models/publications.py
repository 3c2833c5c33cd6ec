"""What planners and the public are shown: days as they were released, months as published."""

from django.db import models

from analytics.models.rollups import _Energies


class ReleasedDay(models.Model):
    """A civil day as planners see it; corrections wait until they are about enough members.

    Figures are copies: what rollups say later does not change them.
    """

    community_id = models.BigIntegerField()
    day = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    number = models.SmallIntegerField(default=1, help_text="1; one more with each correction.")
    released_at = models.DateTimeField()
    minimum = models.IntegerField(help_text="Smallest group of the rule set of the day.")
    is_hidden = models.BooleanField(help_text="Not even the community's sum may be shown.")
    interval_count = models.IntegerField()
    settled_count = models.IntegerField()
    final_count = models.IntegerField()
    missing_count = models.IntegerField()
    rule_set_ids = models.JSONField(default=list)
    revisions = models.JSONField(default=dict, help_text="Of the intervals, by their id.")
    open_zones = models.JSONField(default=list, help_text="Zones that stand alone.")
    split_zones = models.JSONField(default=list, help_text="Of them those with flows by role.")
    hidden_hours = models.JSONField(default=list, help_text="Hours that are in the sum only.")
    flows = models.JSONField(default=list)
    links = models.JSONField(default=list)
    health = models.JSONField(null=True)
    peaks = models.JSONField(default=list)
    waits_since = models.DateTimeField(
        null=True, help_text="Corrections of too few members wait; NULL: none do."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community_id", "day"], name="released_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} of {self.community_id}, release {self.number}"


class ReleasedEnergies(_Energies):
    """Energies of a released day: of the day, or of one of its clock hours."""

    release = models.ForeignKey(ReleasedDay, models.CASCADE, related_name="energies")
    day = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    is_hour = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community_id", "zone_id", "is_hour", "starts_at"],
                name="released_energies_once",
            ),
        ]

    def __str__(self) -> str:
        return f"zone {self.zone_id} from {self.starts_at:%Y-%m-%dT%H:%MZ}"


class Publication(models.Model):
    """A civil month's public figures: one canonical text, frozen; a revision is a new one."""

    community_id = models.BigIntegerField()
    month = models.DateField()
    revision = models.SmallIntegerField(help_text="1; one more with each batch of corrections.")
    published_at = models.DateTimeField()
    log_size = models.BigIntegerField(null=True, help_text="Of the checkpoint at that time.")
    log_root = models.CharField(max_length=64, default="", help_text="Its root, in hex.")
    sha256 = models.CharField(max_length=64, help_text="Of the text; logged.")
    text = models.TextField(help_text="Canonical JSON.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community_id", "month", "revision"], name="publication_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} of {self.community_id}, revision {self.revision}"
