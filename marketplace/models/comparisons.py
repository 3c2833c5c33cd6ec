"""What a month would have come to under other pricings, computed in the background."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.people import Participant
from marketplace.models.places import Community


class PricingComparison(models.Model):
    """A month of a community, computed again under each pricing, when somebody asked for it."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="pricing_comparisons")
    month = models.DateField(help_text="Its first civil day.")
    asked_at = models.DateTimeField()
    interval_count = models.IntegerField(default=0, help_text="Settled intervals of the month.")
    done_count = models.IntegerField(default=0)
    clearing_count = models.IntegerField(
        default=0, help_text="Clearings then; more by now: readings were corrected since."
    )
    computed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community", "month"],
                condition=Q(computed_at__isnull=True),
                name="pricing_comparison_asked_once",
            ),
            models.CheckConstraint(
                condition=Q(done_count__gte=0, done_count__lte=F("interval_count")),
                name="pricing_comparison_progress",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.community_id} {self.month:%Y-%m}"


class PricingOutcome(models.Model):
    """What one party would have received less what it would have paid in the month."""

    comparison = models.ForeignKey(PricingComparison, models.CASCADE, related_name="outcomes")
    pricing = models.TextField()
    participant = models.ForeignKey(Participant, models.PROTECT, null=True, related_name="+")
    party = models.TextField(help_text="member, supplier, platform, grid, pool or rounding.")
    net_micro = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["comparison", "pricing", "party", "participant"],
                nulls_distinct=False,
                name="pricing_outcome_of_party",
            ),
            models.CheckConstraint(
                condition=Q(party="member", participant__isnull=False)
                | (~Q(party="member") & Q(participant__isnull=True)),
                name="pricing_outcome_party",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.comparison_id} {self.pricing} {self.party}"
