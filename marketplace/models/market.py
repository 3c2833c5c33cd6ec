"""The energy market: standing offers and requests, intervals, clearings, matches, settlements.

A standing rule of a household is an offer and a request with a limit price each; the orders of an
interval follow from them and the readings. Data is sold on tables of its own, `data_products` and
its neighbours.
"""

from django.db import models
from django.db.models import F, Q

from marketplace.models.people import Participant
from marketplace.models.places import MeteringPoint
from marketplace.models.terms import SignedTerms


class Listing(models.Model):
    """What an offer and a request share. Terms are never edited: a change is a new version."""

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="%(class)ss")
    metering_point = models.ForeignKey(MeteringPoint, models.PROTECT, related_name="%(class)ss")
    version = models.IntegerField(default=1)
    limit_price_micro = models.BigIntegerField(
        null=True, help_text="Per kWh; NULL draws the rule set's default."
    )
    is_paused = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, help_text="End; NULL: until further notice.")
    signed_terms = models.ForeignKey(
        SignedTerms,
        models.PROTECT,
        null=True,
        related_name="%(class)ss",
        help_text="What was signed. NULL: the rule set's default, which nobody signs.",
    )
    created_at = models.DateTimeField()

    class Meta:
        abstract = True
        constraints = [
            # Equal bounds: a version that was replaced before it began.
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="%(class)s_validity",
            ),
            models.UniqueConstraint(
                fields=["metering_point", "version"],
                name="%(class)s_version_of_metering_point",
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.model_name} {self.pk}"


class Offer(Listing):
    """Sell at or above the limit price."""

    class Meta(Listing.Meta):
        pass


class Request(Listing):
    """Buy at or below the limit price."""

    class Meta(Listing.Meta):
        pass


class DeliveryInterval(models.Model):
    """One delivery interval of one community, half-open [starts_at, ends_at) in UTC."""

    class State(models.IntegerChoices):
        OPEN = 1, "open"
        METERED = 2, "metered"
        CLEARED = 3, "cleared"
        SETTLED = 4, "settled"
        SEALED = 5, "sealed"

        @property
        def is_booked(self) -> bool:
            """Whether the money of the latest clearing is in the book."""
            return self >= type(self).SETTLED

    community = models.ForeignKey("Community", models.PROTECT, related_name="intervals")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.SmallIntegerField(choices=State, default=State.OPEN)
    rule_set = models.ForeignKey("RuleSet", models.PROTECT, related_name="intervals")
    revision = models.SmallIntegerField(default=0, help_text="Latest clearing; 0: none yet.")
    has_news = models.BooleanField(
        default=False, help_text="Readings came after the latest clearing."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "starts_at"], name="interval_start"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="interval_length"),
        ]
        indexes = [
            models.Index(
                fields=["community", "starts_at"],
                condition=Q(state__lt=4) | Q(has_news=True),
                name="interval_due",
            ),
            # Settled intervals whose block may have been attested since.
            models.Index(fields=["id"], condition=Q(state=4), name="interval_unsealed"),
        ]

    def __str__(self) -> str:
        return f"{self.community_id} {self.starts_at:%Y-%m-%dT%H:%MZ}"


class Clearing(models.Model):
    """The result of one clearing of an interval; a re-clearing is the next revision."""

    class Reason(models.IntegerChoices):
        READINGS = 1, "all readings are there"
        DEADLINE = 2, "deadline passed, meters missing"
        CORRECTION = 3, "late or corrected readings"
        AFTER_DEADLINE = (
            4,
            "late readings after the correction deadline, against the grid",
        )

    interval = models.ForeignKey(
        DeliveryInterval, models.PROTECT, db_index=False, related_name="clearings"
    )
    revision = models.SmallIntegerField()
    rule_set = models.ForeignKey("RuleSet", models.PROTECT, related_name="+")
    reason = models.SmallIntegerField(choices=Reason)
    volume_wh = models.BigIntegerField()
    price_micro_per_kwh = models.BigIntegerField(
        null=True, help_text="NULL: nothing was traded, or not at one price."
    )
    price_low_micro_per_kwh = models.BigIntegerField(null=True)
    price_high_micro_per_kwh = models.BigIntegerField(null=True)
    retail_micro_per_kwh = models.BigIntegerField()
    feed_in_micro_per_kwh = models.BigIntegerField()
    platform_fee_micro_per_kwh = models.BigIntegerField()
    prices = models.JSONField(
        null=True, help_text="Form 2: zone to price per kWh, or null. NULL: form 1."
    )
    flows = models.JSONField(
        null=True, help_text="Form 2: per link of the rule set, sent and received Wh."
    )
    missing_count = models.IntegerField(help_text="Metering points without a reading.")
    left_out_count = models.IntegerField(help_text="Metering points over their credit limit.")
    book = models.BinaryField(help_text="Every position, see marketplace.domain.interval_book.")
    book_sha256 = models.CharField(max_length=64)
    cleared_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["interval", "revision"], name="clearing_revision"),
            models.CheckConstraint(
                condition=Q(volume_wh=0, price_micro_per_kwh__isnull=True)
                | Q(volume_wh__gt=0, price_micro_per_kwh__isnull=False)
                | Q(prices__isnull=False),
                name="clearing_price_with_volume",
            ),
        ]

    def __str__(self) -> str:
        return f"interval {self.interval_id} revision {self.revision}"


class Match(models.Model):
    """A trade of energy in an interval; it belongs to a revision of the interval.

    What stands behind it is an offer and a request, two orders made ahead, or an agreement.
    """

    offer = models.ForeignKey(Offer, models.PROTECT, null=True, related_name="matches")
    request = models.ForeignKey(Request, models.PROTECT, null=True, related_name="matches")
    # Whoever has a position has a metering point, so the database need not look for each again.
    seller_point = models.ForeignKey(
        MeteringPoint,
        models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="sales",
    )
    buyer_point = models.ForeignKey(
        MeteringPoint,
        models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="purchases",
    )
    sell_order = models.ForeignKey(
        "Order", models.PROTECT, null=True, db_index=False, related_name="+"
    )
    buy_order = models.ForeignKey(
        "Order", models.PROTECT, null=True, db_index=False, related_name="+"
    )
    agreement = models.ForeignKey(
        "Agreement", models.PROTECT, null=True, db_index=False, related_name="matches"
    )
    interval = models.ForeignKey(DeliveryInterval, models.PROTECT, related_name="matches")
    revision = models.SmallIntegerField()
    quantity = models.BigIntegerField(help_text="[Wh]")
    delivered_wh = models.BigIntegerField(
        null=True, help_text="Of energy traded ahead: what was kept. NULL: all of it."
    )
    price_micro = models.BigIntegerField(help_text="Per kWh.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gt=0, revision__gte=1), name="match_quantity_positive"
            ),
        ]
        indexes = [
            models.Index(
                fields=["agreement"],
                condition=Q(agreement__isnull=False),
                name="match_of_agreement",
            ),
            # Found by metering point where no offer or request leads to one.
            models.Index(
                fields=["seller_point"],
                condition=Q(offer__isnull=True),
                name="match_seller_without_offer",
            ),
            models.Index(
                fields=["buyer_point"],
                condition=Q(request__isnull=True),
                name="match_buyer_without_request",
            ),
        ]

    def __str__(self) -> str:
        return f"match {self.pk}"


class Settlement(models.Model):
    """The one ledger command that settles a revision of an interval."""

    class State(models.IntegerChoices):
        SUBMITTED = 1, "submitted"
        BOOKED = 2, "booked"
        REFUSED = 3, "refused"

    clearing = models.OneToOneField(Clearing, models.PROTECT, related_name="settlement")
    command_key = models.TextField(
        unique=True,
        null=True,
        help_text="NULL: nothing to pay, so nothing was submitted.",
    )
    state = models.SmallIntegerField(choices=State, default=State.SUBMITTED)
    submitted_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(state=1), name="settlement_submitted"),
        ]

    def __str__(self) -> str:
        return self.command_key or f"settlement {self.pk}"
