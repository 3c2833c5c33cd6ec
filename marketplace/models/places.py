"""Communities with their rules, zones, sites and metering points."""

from django.db import models
from django.db.models import F, Q


class Community(models.Model):
    """A market of its own: one civil time zone, one currency, one rule set at a time."""

    name = models.TextField(unique=True)
    local_name = models.TextField(blank=True, default="", help_text="The name in Chinese, if any.")
    timezone = models.TextField(help_text="IANA name of the civil time zone.")
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField()
    pool_account_id = models.BigIntegerField()
    supplier_account_id = models.BigIntegerField()
    platform_account_id = models.BigIntegerField()
    rounding_account_id = models.BigIntegerField()
    grid_account_id = models.BigIntegerField(
        null=True, help_text="The grid operator's; NULL: never under rules of form 2."
    )

    def __str__(self) -> str:
        return self.name


class RuleSet(models.Model):
    """A version of a community's rules. Never edited: a change is a new version."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="rule_sets")
    version = models.IntegerField()
    document = models.JSONField()
    sha256 = models.CharField(max_length=64)
    effective_from = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "version"], name="rule_set_version"),
            models.UniqueConstraint(fields=["community", "effective_from"], name="rule_set_start"),
        ]

    def __str__(self) -> str:
        return f"{self.community_id} rules {self.version}"


class Zone(models.Model):
    """A part of a community's network."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="zones")
    code = models.TextField()
    name = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "code"], name="zone_code"),
        ]

    def __str__(self) -> str:
        return self.code


class Site(models.Model):
    """A roof, a flat, a workshop: where a participant is connected."""

    participant = models.ForeignKey("Participant", models.PROTECT, related_name="sites")
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="sites")
    label = models.TextField(
        blank=True, default="", help_text="Nothing personal; empty: the participant's name."
    )

    def __str__(self) -> str:
        return self.label or f"site {self.pk}"


class MeteringPoint(models.Model):
    """Where import and export are measured. Expected to report while it is active."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="metering_points")
    site = models.ForeignKey(Site, models.PROTECT, related_name="metering_points")
    code = models.TextField(help_text="The meter's name in files.")
    active_from = models.DateTimeField()
    active_until = models.DateTimeField(null=True)
    voltage_level = models.CharField(
        max_length=40, blank=True, default="", help_text="As the rule set's grid fees name it."
    )
    sharing_weight = models.IntegerField(
        default=0, help_text="Its key where energy is shared by fixed keys, 0 to 1,000,000."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "code"], name="metering_point_code"),
            models.CheckConstraint(
                condition=Q(sharing_weight__gte=0, sharing_weight__lte=1_000_000),
                name="metering_point_weight",
            ),
            models.CheckConstraint(
                condition=Q(active_until__isnull=True) | Q(active_until__gt=F("active_from")),
                name="metering_point_active_period",
            ),
        ]

    def __str__(self) -> str:
        return self.code
