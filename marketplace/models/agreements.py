"""Agreements between two members: contracts, gifts, nominated partners."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.people import Participant
from marketplace.models.places import Community, MeteringPoint
from marketplace.models.terms import SigningKey


class Agreement(models.Model):
    """A text that one side proposed and, once it counts, both signed; its hash is logged.

    The text is never edited. What both signed stays when it ends; a proposal that nobody takes is
    withdrawn or declined.
    """

    class Kind(models.IntegerChoices):
        CONTRACT = 1, "contract"
        GIFT = 2, "gift"
        PARTNER = 3, "partner"

    community = models.ForeignKey(Community, models.PROTECT, related_name="agreements")
    kind = models.SmallIntegerField(choices=Kind)
    seller = models.ForeignKey(Participant, models.PROTECT, related_name="agreements_as_seller")
    buyer = models.ForeignKey(Participant, models.PROTECT, related_name="agreements_as_buyer")
    seller_point = models.ForeignKey(MeteringPoint, models.PROTECT, related_name="+")
    buyer_point = models.ForeignKey(MeteringPoint, models.PROTECT, related_name="+")
    price_micro_per_kwh = models.BigIntegerField(
        null=True, help_text="NULL: a partner's, in the middle between the tariffs."
    )
    maximum_wh = models.BigIntegerField(null=True, help_text="Per interval; NULL: no limit.")
    rank = models.SmallIntegerField(null=True, help_text="Of a partner, 1 to 3.")
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    body = models.BinaryField(help_text="Canonical JSON, see marketplace.domain.agreement_text.")
    sha256 = models.CharField(max_length=64, unique=True)
    seller_key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    buyer_key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    seller_signature = models.BinaryField(null=True)
    buyer_signature = models.BinaryField(null=True)
    proposed_at = models.DateTimeField()
    agreed_at = models.DateTimeField(null=True, help_text="When the second side signed.")
    closed_at = models.DateTimeField(
        null=True, help_text="A proposal's: withdrawn by who made it, or declined."
    )
    end_body = models.BinaryField(null=True)
    end_signature = models.BinaryField(null=True)
    end_key = models.ForeignKey(SigningKey, models.PROTECT, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True, help_text="Ended early by one side, from then on.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=3, rank__gte=1, rank__lte=3)
                | Q(kind__in=(1, 2), rank__isnull=True),
                name="agreement_rank",
            ),
            models.CheckConstraint(
                condition=Q(kind=1, price_micro_per_kwh__isnull=False)
                | Q(kind=2, price_micro_per_kwh=0)
                | Q(kind=3),
                name="agreement_price",
            ),
            models.CheckConstraint(
                condition=~Q(seller=F("buyer")) & ~Q(seller_point=F("buyer_point")),
                name="agreement_of_two",
            ),
            models.CheckConstraint(
                condition=Q(maximum_wh__isnull=True) | Q(maximum_wh__gt=0),
                name="agreement_maximum_positive",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gt=F("valid_from")),
                name="agreement_validity",
            ),
            models.CheckConstraint(
                condition=Q(agreed_at__isnull=True)
                | Q(
                    seller_signature__isnull=False,
                    buyer_signature__isnull=False,
                    closed_at__isnull=True,
                    valid_from__gte=F("agreed_at"),
                ),
                name="agreement_signed_by_both",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True)
                | Q(
                    agreed_at__isnull=False,
                    end_body__isnull=False,
                    end_signature__isnull=False,
                    end_key__isnull=False,
                ),
                name="agreement_end_signed",
            ),
        ]
        indexes = [
            # Clearing reads what may be in force.
            models.Index(
                fields=["community", "valid_from"],
                condition=Q(agreed_at__isnull=False),
                name="agreement_in_force",
            ),
        ]

    def __str__(self) -> str:
        return f"agreement:{self.pk}"
