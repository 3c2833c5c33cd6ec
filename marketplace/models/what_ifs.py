"""What a past period would have come to under other rules, computed in the background.

Nothing of a what-if is ever settled: its readings and trades are hypothetical and kept nowhere.
"""

from django.db import models
from django.db.models import F, Q

from marketplace.models.people import Participant
from marketplace.models.places import Community, RuleSet


class WhatIf(models.Model):
    """A question about a period of a community, and its answer once it is computed."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="what_ifs")
    asked_by = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    first_day = models.DateField()
    last_day = models.DateField(help_text="Included.")
    change = models.JSONField(help_text="What is different, see marketplace.domain.what_if.change.")
    sha256 = models.CharField(max_length=64, help_text="Of community, period and change.")
    asked_at = models.DateTimeField()
    interval_count = models.IntegerField(help_text="Settled intervals of the period.")
    done_count = models.IntegerField(default=0)
    clearing_count = models.IntegerField(
        help_text="Clearings then; more by now: readings were corrected since."
    )
    revisions = models.JSONField(
        null=True,
        help_text="Interval to revision, where the asker may not see the latest; NULL: the latest.",
    )
    roofs = models.JSONField(
        default=dict, help_text="By month: metering points with a roof, and those that get one."
    )
    attempts = models.SmallIntegerField(default=0, help_text="Since a day was last finished.")
    computed_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    rules = models.JSONField(default=list, help_text="Rule sets, with the hash of each changed.")
    spread = models.JSONField(null=True, help_text="How the change is spread over members.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community"],
                condition=Q(computed_at__isnull=True, failed_at__isnull=True),
                name="what_if_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(done_count__gte=0, done_count__lte=F("interval_count")),
                name="what_if_progress",
            ),
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")), name="what_if_period"
            ),
        ]
        indexes = [models.Index(fields=["community", "sha256"], name="what_if_by_content")]

    def __str__(self) -> str:
        return f"what if {self.pk}"


class WhatIfDay(models.Model):
    """A civil day of a what-if, finished: sums of the community and its zones, both ways."""

    what_if = models.ForeignKey(WhatIf, models.CASCADE, related_name="days")
    day = models.DateField()
    interval_count = models.IntegerField()
    figures = models.JSONField(help_text="See marketplace.domain.what_if.figures.")
    members = models.BinaryField(
        null=True, help_text="Nets by account until the whole period is there; then destroyed."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["what_if", "day"], name="what_if_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.what_if_id} {self.day}"


class RuleDraft(models.Model):
    """A rule set that an operator works at, before it is put in force or dropped."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="rule_drafts")
    author = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    base = models.ForeignKey(RuleSet, models.PROTECT, related_name="+")
    document = models.JSONField()
    sha256 = models.CharField(max_length=64)
    changed_at = models.DateTimeField()
    what_if = models.ForeignKey(WhatIf, models.SET_NULL, null=True, related_name="+")
    rule_set = models.OneToOneField(
        RuleSet, models.PROTECT, null=True, related_name="+", help_text="What it became."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community"],
                condition=Q(rule_set__isnull=True),
                name="rule_draft_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"draft {self.pk} of {self.community_id}"
