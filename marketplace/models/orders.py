"""The forward market: orders before delivery, the money that vouches for them, auctions, halts."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.market import DeliveryInterval
from marketplace.models.people import Participant
from marketplace.models.places import Community, MeteringPoint, RuleSet, Zone


class CreditLine(models.Model):
    """What a participant's orders may hold at most: an account that is never overdrawn.

    It is filled by a transfer of the credit line, and a hold on it is the margin of orders. Nobody
    is paid from it: energy is settled on the account of metered energy.
    """

    participant = models.OneToOneField(
        Participant, models.PROTECT, primary_key=True, related_name="credit_line"
    )
    account_id = models.BigIntegerField(unique=True, help_text="Ledger account; never below zero.")
    margin_account_id = models.BigIntegerField(help_text="The community's, which holds point to.")
    line_micro = models.BigIntegerField(default=0, help_text="Granted, or asked for.")
    change_count = models.IntegerField(default=0, help_text="Commands that changed the line.")
    pending_micro = models.BigIntegerField(
        default=0, help_text="The change that the ledger has yet to answer; 0: none."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(line_micro__gte=0), name="credit_line_not_negative"),
        ]
        indexes = [
            models.Index(
                fields=["participant"],
                condition=~Q(pending_micro=0),
                name="credit_line_pending",
            ),
        ]

    def __str__(self) -> str:
        return f"credit line of {self.participant_id}"


class OrderBatch(models.Model):
    """Orders of one participant in one delivery interval that one hold in the ledger vouches for.

    The hold's command is ``orders:ID``; each later change of the amount releases the hold before
    and takes a smaller one in one command, ``orders:ID:N``.
    """

    class State(models.IntegerChoices):
        RECEIVED = 1, "received"
        ACCEPTED = 2, "accepted"
        REFUSED = 3, "refused"

    participant = models.ForeignKey(
        Participant, models.PROTECT, db_index=False, related_name="order_batches"
    )
    interval = models.ForeignKey(DeliveryInterval, models.PROTECT, related_name="order_batches")
    state = models.SmallIntegerField(choices=State, default=State.RECEIVED)
    refusal = models.TextField(default="", help_text="Code of the refusal.")
    hold_micro = models.BigIntegerField(help_text="Latest hold asked for; 0: all is released.")
    change_count = models.IntegerField(default=0, help_text="Commands after the first hold.")
    is_stale = models.BooleanField(
        default=False, help_text="The hold may be larger than its orders need."
    )
    received_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, help_text="Time of the block that answered.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(hold_micro__gte=0), name="order_batch_hold_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state=1), name="order_batch_received"),
            models.Index(
                fields=["id"], condition=Q(state=2, is_stale=True), name="order_batch_stale"
            ),
            models.Index(
                fields=["interval"], condition=Q(hold_micro__gt=0), name="order_batch_held"
            ),
        ]

    def __str__(self) -> str:
        return f"orders:{self.pk}"


class Order(models.Model):
    """A limit order for one delivery interval. Its terms are never edited.

    What it has come to follows from its batch, ``ended_at`` and ``filled_wh``.
    """

    class Side(models.IntegerChoices):
        BUY = 1, "buy"
        SELL = 2, "sell"

    batch = models.ForeignKey(OrderBatch, models.PROTECT, related_name="orders")
    interval = models.ForeignKey(
        DeliveryInterval, models.PROTECT, db_index=False, related_name="orders"
    )
    participant = models.ForeignKey(
        Participant, models.PROTECT, db_index=False, related_name="orders"
    )
    metering_point = models.ForeignKey(
        MeteringPoint, models.PROTECT, db_index=False, related_name="orders"
    )
    zone = models.ForeignKey(Zone, models.PROTECT, db_index=False, related_name="+")
    side = models.SmallIntegerField(choices=Side)
    limit_price_micro_per_kwh = models.BigIntegerField(help_text="May be negative.")
    quantity_wh = models.BigIntegerField()
    minimum_wh = models.BigIntegerField(default=0, help_text="Less is not wanted at all.")
    margin_micro_per_kwh = models.BigIntegerField(help_text="What the hold counts per kWh.")
    client_key = models.TextField(null=True, help_text="The member's own name for it, used once.")
    expires_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    ended_at = models.DateTimeField(
        null=True, help_text="Cancelled then; expired when it equals expires_at."
    )
    filled_wh = models.BigIntegerField(null=True, help_text="NULL: no auction has judged it.")
    is_dropped = models.BooleanField(
        default=False, help_text="Left out of the auction: its minimum could not be filled."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(quantity_wh__gt=0), name="order_quantity_positive"),
            models.CheckConstraint(
                condition=Q(minimum_wh__gte=0, minimum_wh__lte=F("quantity_wh")),
                name="order_minimum_within_quantity",
            ),
            models.CheckConstraint(
                condition=Q(filled_wh__isnull=True)
                | Q(filled_wh=0)
                | Q(
                    filled_wh__gte=F("minimum_wh"), filled_wh__lte=F("quantity_wh"), filled_wh__gt=0
                ),
                name="order_filled_within_quantity",
            ),
            models.UniqueConstraint(
                fields=["participant", "client_key"],
                condition=Q(client_key__isnull=False),
                name="order_client_key",
            ),
        ]
        indexes = [
            # The auction reads an interval's book in the order of arrival.
            models.Index(fields=["interval", "received_at", "id"], name="order_arrival"),
            models.Index(fields=["participant", "id"], name="order_of_participant"),
            models.Index(
                fields=["expires_at"],
                condition=Q(
                    expires_at__isnull=False, ended_at__isnull=True, filled_wh__isnull=True
                ),
                name="order_expiry",
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"


class Auction(models.Model):
    """The auction of a forward interval at its gate closure: written once, and logged."""

    class Reason(models.IntegerChoices):
        CLOSURE = 1, "closure"
        HALTED = 2, "halted"

    interval = models.OneToOneField(
        DeliveryInterval, models.PROTECT, primary_key=True, related_name="auction"
    )
    rule_set = models.ForeignKey(RuleSet, models.PROTECT, related_name="+")
    reason = models.SmallIntegerField(choices=Reason)
    closed_at = models.DateTimeField(help_text="Gate closure.")
    cleared_at = models.DateTimeField()
    prices = models.JSONField(help_text="Zone to price per kWh, or null.")
    price_lows = models.JSONField(help_text="Zone to the lowest price that supports the result.")
    price_highs = models.JSONField(help_text="Zone to the highest price that supports it.")
    flows = models.JSONField(help_text="Per link of the rule set: sent and received Wh, rent, fee.")
    volume_wh = models.BigIntegerField(help_text="Sum of what was bought.")
    welfare_nano = models.DecimalField(
        max_digits=40, decimal_places=0, help_text="Thousandths of a micro-unit."
    )
    order_count = models.IntegerField()
    document_key = models.TextField(unique=True)
    book = models.BinaryField(help_text="Every order and its fill: the rows of the document.")
    book_sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.document_key


class TradingHalt(models.Model):
    """The operator stopped trading in a community: no orders are taken, gates trade nothing."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="halts")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, help_text="NULL: until it is lifted.")
    reason = models.TextField()
    ordered_by = models.ForeignKey(
        Participant, models.PROTECT, related_name="+", help_text="The operator's participant."
    )
    lifted_by = models.ForeignKey(Participant, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Lifted before it began: it never was.
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="trading_halt_period",
            ),
        ]

    def __str__(self) -> str:
        return f"halt:{self.pk}"


class OrderEvent(models.Model):
    """News of a participant's own orders, for those who listen.

    Readers go by (transaction, id) and only up to the oldest transaction that still runs: numbers
    alone are given before a row can be seen, so that a later number may appear first.
    """

    participant = models.ForeignKey(
        Participant, models.CASCADE, db_index=False, related_name="order_events"
    )
    transaction_number = models.BigIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["participant", "transaction_number", "id"], name="order_event_stream"
            ),
        ]

    def __str__(self) -> str:
        return f"event {self.pk}"
