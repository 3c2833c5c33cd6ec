"""Who set a member's credit limit, and why."""

from django.db import models
from django.db.models import Q

from marketplace.models.people import Participant


class CreditLimitChange(models.Model):
    """One change of what a member may come to owe; never edited."""

    participant = models.ForeignKey(
        Participant, models.PROTECT, related_name="credit_limit_changes"
    )
    before_micro = models.BigIntegerField(null=True, help_text="NULL: the rule set's.")
    after_micro = models.BigIntegerField(null=True, help_text="NULL: the rule set's.")
    reason = models.TextField(help_text="The operator's words; the member reads them.")
    operator = models.ForeignKey(Participant, models.PROTECT, db_index=False, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(after_micro__isnull=True) | Q(after_micro__gte=0),
                name="credit_limit_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"credit limit of {self.participant_id} at {self.at}"
