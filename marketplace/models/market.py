"""The market core: Offer, Request, Match, Hold, Delivery, Settlement, for every kind of thing.

Two kinds exist, energy and data. A standing rule of a household is an energy offer and an energy
request with a limit price each; the orders of an interval follow from them and the readings. A
data product is a data offer with a file; an enterprise's wish is a data request.
"""

from django.db import models
from django.db.models import F, Q

from marketplace.models.people import Participant
from marketplace.models.places import MeteringPoint
from marketplace.models.terms import SignedTerms


class Kind(models.IntegerChoices):
    """What is sold."""

    ENERGY = 1, "energy"
    DATA = 2, "data"


class Listing(models.Model):
    """What an offer and a request share. Terms are never edited: a change is a new version."""

    kind = models.SmallIntegerField(choices=Kind)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="%(class)ss")
    metering_point = models.ForeignKey(
        MeteringPoint, models.PROTECT, null=True, related_name="%(class)ss"
    )
    version = models.IntegerField(default=1)
    limit_price_micro = models.BigIntegerField(
        null=True,
        help_text="Energy: per kWh, NULL draws the rule set's default. Data: for the whole.",
    )
    is_paused = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True, help_text="End; NULL: until further notice.")
    terms = models.JSONField(
        default=dict,
        help_text="Data: title, kind, area, period, resolution_minutes, licence.",
    )
    signed_terms = models.ForeignKey(
        SignedTerms,
        models.PROTECT,
        null=True,
        related_name="%(class)ss",
        help_text="Energy: what was signed. NULL: the rule set's default, which nobody signs.",
    )
    created_at = models.DateTimeField()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=1, metering_point__isnull=False)
                | Q(kind=2, metering_point__isnull=True, limit_price_micro__isnull=False),
                name="%(class)s_fits_its_kind",
            ),
            # Equal bounds: a version that was replaced before it began.
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="%(class)s_validity",
            ),
            models.UniqueConstraint(
                fields=["metering_point", "version"],
                condition=Q(kind=1),
                name="%(class)s_version_of_metering_point",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self._meta.model_name} {self.pk}"


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
    """An offer met a request: a trade of energy in an interval, or of a data file.

    Energy matches belong to a revision of their interval and share its course; a data match has a
    course of its own, in ``state``. Of energy, what stands behind a match is an offer and a
    request, two orders made ahead, or an agreement.
    """

    class State(models.IntegerChoices):
        MATCHED = 1, "matched"
        HELD = 2, "held"
        DELIVERED = 3, "delivered"
        SETTLED = 4, "settled"
        RELEASED = 5, "released"
        REFUSED = 6, "refused"

    kind = models.SmallIntegerField(choices=Kind)
    offer = models.ForeignKey(Offer, models.PROTECT, null=True, related_name="matches")
    request = models.ForeignKey(Request, models.PROTECT, null=True, related_name="matches")
    # Whoever has a position has a metering point, so the database need not look for each again.
    seller_point = models.ForeignKey(
        MeteringPoint,
        models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="sales",
    )
    buyer_point = models.ForeignKey(
        MeteringPoint,
        models.PROTECT,
        null=True,
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
    interval = models.ForeignKey(
        DeliveryInterval, models.PROTECT, null=True, related_name="matches"
    )
    revision = models.SmallIntegerField(default=0)
    quantity = models.BigIntegerField(help_text="Energy: Wh. Data: 1.")
    delivered_wh = models.BigIntegerField(
        null=True, help_text="Of energy traded ahead: what was kept. NULL: all of it."
    )
    price_micro = models.BigIntegerField(help_text="Energy: per kWh. Data: for the whole.")
    state = models.SmallIntegerField(choices=State)
    matched_at = models.DateTimeField(null=True, help_text="Energy: see the clearing.")
    deadline_at = models.DateTimeField(
        null=True, help_text="Data: undelivered by then, the hold is released."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gt=0), name="match_quantity_positive"),
            models.CheckConstraint(
                condition=Q(
                    kind=1,
                    interval__isnull=False,
                    revision__gte=1,
                    seller_point__isnull=False,
                    buyer_point__isnull=False,
                )
                | Q(
                    kind=2,
                    interval__isnull=True,
                    quantity=1,
                    matched_at__isnull=False,
                    offer__isnull=False,
                    request__isnull=False,
                ),
                name="match_fits_its_kind",
            ),
            # A request is matched once; only a refused match (6) leaves it open for another.
            models.UniqueConstraint(
                fields=["request"],
                condition=Q(kind=2) & ~Q(state=6),
                name="data_request_matched_once",
            ),
        ]
        indexes = [
            # Held data matches whose deadline may have passed.
            models.Index(
                fields=["deadline_at"], condition=Q(kind=2, state=2), name="data_match_due"
            ),
            models.Index(
                fields=["agreement"],
                condition=Q(agreement__isnull=False),
                name="match_of_agreement",
            ),
            # Found by metering point where no offer or request leads to one.
            models.Index(
                fields=["seller_point"],
                condition=Q(kind=1, offer__isnull=True),
                name="match_seller_without_offer",
            ),
            models.Index(
                fields=["buyer_point"],
                condition=Q(kind=1, request__isnull=True),
                name="match_buyer_without_request",
            ),
        ]

    @property
    def listings(self) -> tuple[Offer, Request]:
        """Return the two sides of a match of data, which has both by constraint."""
        assert self.offer is not None and self.request is not None, self.pk
        return self.offer, self.request

    def __str__(self) -> str:
        return f"match {self.pk}"


class Hold(models.Model):
    """Money reserved for a match; the ledger's answer to the command decides its state."""

    class State(models.IntegerChoices):
        SUBMITTED = 1, "submitted"
        HELD = 2, "held"
        REFUSED = 3, "refused"

    match = models.OneToOneField(Match, models.PROTECT, related_name="hold")
    command_key = models.TextField(unique=True)
    amount_micro = models.BigIntegerField()
    state = models.SmallIntegerField(choices=State, default=State.SUBMITTED)
    refusal = models.TextField(default="")
    submitted_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(state=1), name="hold_submitted"),
        ]

    def __str__(self) -> str:
        return self.command_key


class Delivery(models.Model):
    """What was handed over for a match. Energy is delivered by readings; a file by download."""

    match = models.OneToOneField(Match, models.PROTECT, related_name="delivery")
    sha256 = models.CharField(max_length=64)
    byte_count = models.BigIntegerField()
    delivered_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"delivery of {self.match_id}"


class Settlement(models.Model):
    """The one ledger command that settles a revision of an interval, or a data match."""

    class State(models.IntegerChoices):
        SUBMITTED = 1, "submitted"
        BOOKED = 2, "booked"
        REFUSED = 3, "refused"

    kind = models.SmallIntegerField(choices=Kind)
    clearing = models.OneToOneField(Clearing, models.PROTECT, null=True, related_name="settlement")
    match = models.OneToOneField(Match, models.PROTECT, null=True, related_name="settlement")
    command_key = models.TextField(
        unique=True,
        null=True,
        help_text="NULL: nothing to pay, so nothing was submitted.",
    )
    state = models.SmallIntegerField(choices=State, default=State.SUBMITTED)
    submitted_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=1, clearing__isnull=False, match__isnull=True)
                | Q(kind=2, clearing__isnull=True, match__isnull=False),
                name="settlement_fits_its_kind",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state=1), name="settlement_submitted"),
        ]

    def __str__(self) -> str:
        return self.command_key or f"settlement {self.pk}"
