"""How data reaches its buyer: the fair exchange of a file, the credential of a feed."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.data_contracts import DataCharge, DataContract
from marketplace.models.data_products import DataProduct


class DataDelivery(models.Model):
    """The fair exchange of one contract's file; docs/data.md says what each message holds.

    Every text is canonical bytes as they were signed. The key is given out only once the ledger has
    booked the buyer's money into escrow, and then the same wrap for ever.
    """

    class State(models.IntegerChoices):
        WAITING = 1, "waiting for the money"
        HELD = 2, "waiting for the seller"
        OFFERED = 3, "waiting for the buyer"
        ACKNOWLEDGED = 4, "received, money on its way"
        KEY_OUT = 5, "key given"
        ACCEPTED = 6, "accepted"
        DISPUTED = 7, "disputed"
        ENDED = 8, "ended"
        LAPSED_SELLER = 9, "seller was late"
        LAPSED_BUYER = 10, "buyer was late"
        LAPSED_HALL = 11, "hall was late"
        CANCELLED = 12, "cancelled"

    contract = models.OneToOneField(DataContract, models.PROTECT, related_name="delivery")
    charge = models.OneToOneField(DataCharge, models.PROTECT, related_name="delivery")
    state = models.SmallIntegerField(choices=State, default=State.WAITING)
    offer_by = models.DateTimeField()
    receive_by = models.DateTimeField()
    key_by = models.DateTimeField()
    origin_body = models.BinaryField(null=True, help_text="Proof of origin, signed by the seller.")
    origin_signature = models.BinaryField(null=True)
    receipt_body = models.BinaryField(null=True, help_text="Proof of reception, by the buyer.")
    receipt_signature = models.BinaryField(null=True)
    wrap = models.BinaryField(null=True, help_text="The key for the buyer (HPKE); never re-made.")
    outcome_body = models.BinaryField(null=True, help_text="Acceptance or complaint, signed.")
    outcome_signature = models.BinaryField(null=True)
    sealed_key = models.BinaryField(
        null=True, help_text="Deposited again for this delivery, after the version's was lost."
    )
    problem = models.CharField(
        max_length=32, default="", help_text="What somebody must mend before its deadline: a code."
    )
    served_bytes = models.BigIntegerField(
        default=0, help_text="Ciphertext that went to the buyer, repeats included."
    )
    offered_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(null=True)
    key_out_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "data deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(wrap__isnull=True)
                | Q(receipt_body__isnull=False, receipt_signature__isnull=False),
                name="data_delivery_no_key_without_receipt",
            ),
            models.CheckConstraint(
                condition=Q(receipt_body__isnull=True)
                | Q(origin_body__isnull=False, origin_signature__isnull=False),
                name="data_delivery_no_receipt_without_origin",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state__in=(1, 2, 3, 4, 5)), name="data_delivery_live"
            ),
        ]

    def __str__(self) -> str:
        return f"delivery of {self.contract_id}"


class FeedCredential(models.Model):
    """What opens a feed to a contract's buyer; only its hash is stored."""

    contract = models.ForeignKey(DataContract, models.PROTECT, related_name="credentials")
    secret_sha256 = models.CharField(max_length=64, unique=True)
    label = models.CharField(max_length=80, default="")
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"credential of {self.contract_id}"


class FeedUse(models.Model):
    """What a contract took from a feed in a month, never more than its charge holds.

    The limits are what the month's cap buys, in what the price counts; the database itself holds
    the counts below them. Once closed nothing is counted any more, and the counts are billed.
    """

    charge = models.OneToOneField(DataCharge, models.PROTECT, related_name="use")
    request_count = models.BigIntegerField(default=0)
    record_count = models.BigIntegerField(default=0)
    request_limit = models.BigIntegerField(null=True, help_text="NULL: requests cost nothing.")
    record_limit = models.BigIntegerField(null=True, help_text="NULL: records cost nothing.")
    due_micro = models.BigIntegerField(default=0, help_text="Set when it is closed.")
    changed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(request_count__gte=0, record_count__gte=0, due_micro__gte=0),
                name="feed_use_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(request_limit__isnull=True) | Q(request_count__lte=F("request_limit")),
                name="feed_use_within_requests",
            ),
            models.CheckConstraint(
                condition=Q(record_limit__isnull=True) | Q(record_count__lte=F("record_limit")),
                name="feed_use_within_records",
            ),
        ]

    def __str__(self) -> str:
        return f"use of charge {self.charge_id}"


class FeedState(models.Model):
    """What the hall last fetched of a feed, by file of it; its bytes stand in the cache folder."""

    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="fetched")
    name = models.CharField(max_length=64, help_text="File of the feed, as gbfs names it.")
    sha256 = models.CharField(max_length=64)
    record_count = models.IntegerField()
    source_time = models.DateTimeField(null=True, help_text="What the feed says of its age.")
    fetched_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "name"], name="feed_state_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.product_id}"


class ProbeResult(models.Model):
    """One look of the hall at a live feed: what buyers see, and what service levels go by."""

    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="probes")
    at = models.DateTimeField()
    is_up = models.BooleanField()
    latency_ms = models.IntegerField(null=True)
    age_s = models.IntegerField(null=True, help_text="By the feed's own clock.")
    record_count = models.IntegerField(null=True)
    completeness_ppm = models.IntegerField(null=True)
    error_count = models.IntegerField(null=True, help_text="Of the format's validator and ours.")
    is_valid = models.BooleanField(default=False)
    findings = models.JSONField(default=list)
    problem = models.CharField(max_length=64, default="", help_text="Code; empty: none.")

    class Meta:
        indexes = [models.Index(fields=["product", "-at"], name="probe_result_latest")]

    def __str__(self) -> str:
        return f"probe of {self.product_id} at {self.at:%Y-%m-%dT%H:%MZ}"
