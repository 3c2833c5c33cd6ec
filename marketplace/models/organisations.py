"""Invitations to act for a participant, and what each of its people has committed it to."""

from django.db import models
from django.db.models import Q

from marketplace.models.people import Membership, Participant


class Invitation(models.Model):
    """A link that lets somebody act for a participant; used once.

    The address is sealed under the link's own secret, the alias under the participant's key.
    """

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="invitations")
    token_sha256 = models.BinaryField(unique=True)
    sealed_address = models.BinaryField()
    sealed_alias = models.BinaryField()
    role = models.CharField(max_length=12)
    limit_micro = models.BigIntegerField(null=True)
    monthly_limit_micro = models.BigIntegerField(null=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"invitation {self.pk} of {self.participant_id}"


class Commitment(models.Model):
    """What one act of one of its people may cost a participant; limits are counted by it."""

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="commitments")
    key = models.TextField(help_text="Of the act; the same one again counts once.")
    amount_micro = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["membership", "key"], name="commitment_once"),
            models.CheckConstraint(
                condition=Q(amount_micro__gte=0), name="commitment_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["membership", "at"], name="commitment_month")]

    def __str__(self) -> str:
        return f"{self.key}: {self.amount_micro}"
