"""Contracts of the data market, and the money that follows them."""

from django.db import models
from django.db.models import F, Q

from marketplace.models.data_products import DataProduct, DataVersion
from marketplace.models.people import Participant
from marketplace.models.terms import SigningKey


class DataContract(models.Model):
    """One canonical text that buyer and seller sign; see ``marketplace.domain.data.contract``.

    The buyer signs first. What both signed is logged and never edited; either side may revoke it
    from then on by a signed text, with the consequences that the text states.
    """

    class State(models.IntegerChoices):
        PROPOSED = 1, "proposed"
        AGREED = 2, "agreed"
        DECLINED = 3, "declined"
        REVOKED = 4, "revoked"
        ENDED = 5, "ended"

    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="contracts")
    version = models.ForeignKey(DataVersion, models.PROTECT, related_name="contracts")
    seller = models.ForeignKey(Participant, models.PROTECT, related_name="data_sales")
    buyer = models.ForeignKey(Participant, models.PROTECT, related_name="data_purchases")
    state = models.SmallIntegerField(choices=State, default=State.PROPOSED)
    currency = models.CharField(max_length=3)
    body = models.BinaryField(help_text="Canonical JSON, signed as it is.")
    sha256 = models.CharField(max_length=64, unique=True)
    seller_key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    buyer_key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    buyer_signature = models.BinaryField()
    seller_signature = models.BinaryField(null=True)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    proposed_at = models.DateTimeField()
    agreed_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True, help_text="Declined, revoked or run out.")
    revocation_body = models.BinaryField(null=True)
    revocation_signature = models.BinaryField(null=True)
    revocation_key = models.ForeignKey(SigningKey, models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(seller=F("buyer")), name="data_contract_of_two"),
            models.CheckConstraint(
                condition=Q(valid_until__gt=F("valid_from")), name="data_contract_validity"
            ),
            models.CheckConstraint(
                condition=Q(state__in=(1, 3))
                | Q(seller_signature__isnull=False, agreed_at__isnull=False),
                name="data_contract_signed_by_both",
            ),
            models.CheckConstraint(
                condition=~Q(state=4)
                | Q(
                    revocation_body__isnull=False,
                    revocation_signature__isnull=False,
                    revocation_key__isnull=False,
                    closed_at__isnull=False,
                ),
                name="data_contract_revocation_signed",
            ),
        ]
        indexes = [
            models.Index(fields=["buyer", "-id"], name="data_contract_of_buyer"),
            models.Index(fields=["seller", "-id"], name="data_contract_of_seller"),
            models.Index(fields=["id"], condition=Q(state=1), name="data_contract_proposed"),
            models.Index(fields=["valid_until"], condition=Q(state=2), name="data_contract_due"),
        ]

    def __str__(self) -> str:
        return f"data-contract:{self.pk}"


class DataCharge(models.Model):
    """The money of a contract: all of it for a file, one civil month of it for a feed.

    Held from the buyer's wallet for escrow when it opens; moved into escrow, and held there for the
    sellers, when what was bought was delivered; paid out when the dispute window is over. Each step
    is one ledger command whose answer moves the state: `command_key` is the one waited for.
    """

    class State(models.IntegerChoices):
        OPENING = 1, "opening"
        HELD = 2, "held"
        REFUSED = 3, "refused"
        DELIVERING = 4, "delivering"
        IN_WINDOW = 5, "in the dispute window"
        DISPUTED = 6, "disputed"
        CLOSING = 7, "closing"
        PAID = 8, "paid"
        REFUNDED = 9, "refunded"
        SPLIT = 10, "split"
        RELEASING = 11, "releasing"
        RELEASED = 12, "released"

    contract = models.ForeignKey(DataContract, models.PROTECT, related_name="charges")
    number = models.IntegerField(default=0, help_text="0 for a file; of a feed, the month's.")
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    state = models.SmallIntegerField(choices=State)
    held_micro = models.BigIntegerField(help_text="Price, or the month's cap: never more is paid.")
    due_micro = models.BigIntegerField(default=0, help_text="For what was delivered.")
    credit_micro = models.BigIntegerField(default=0, help_text="For missed service levels.")
    refund_micro = models.BigIntegerField(default=0, help_text="By the verdict of a dispute.")
    attempt = models.SmallIntegerField(default=1, help_text="Of the hold; refused ones count.")
    command_key = models.TextField(default="", help_text="The command whose answer is waited for.")
    refusal = models.TextField(default="")
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="The hold lets go by itself.")
    delivered_at = models.DateTimeField(null=True, help_text="When what is due was asked for.")
    window_s = models.IntegerField(
        default=0, help_text="Length of the dispute window; it begins when the money is in escrow."
    )
    window_ends_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contract", "number"], name="data_charge_number"),
            models.CheckConstraint(
                condition=Q(held_micro__gte=0, due_micro__gte=0, credit_micro__gte=0)
                & Q(refund_micro__gte=0)
                & Q(due_micro__lte=F("held_micro"))
                & Q(credit_micro__lte=F("due_micro"))
                & Q(refund_micro__lte=F("due_micro") - F("credit_micro")),
                name="data_charge_amounts",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=(5, 6)) | Q(window_ends_at__isnull=False),
                name="data_charge_window",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(state__in=(1, 4, 7, 11)), name="data_charge_waiting"
            ),
            models.Index(fields=["window_ends_at"], condition=Q(state=5), name="data_charge_due"),
        ]

    def __str__(self) -> str:
        return f"charge {self.number} of {self.contract_id}"


class DataDispute(models.Model):
    """A buyer's complaint about a charge; while it is open nobody is paid."""

    class State(models.IntegerChoices):
        OPEN = 1, "open"
        DECIDED = 2, "decided"
        TAKEN_BACK = 3, "taken back"

    charge = models.OneToOneField(DataCharge, models.PROTECT, related_name="dispute")
    state = models.SmallIntegerField(choices=State, default=State.OPEN)
    reason = models.CharField(max_length=32, help_text="Code of marketplace.domain.data.disputes.")
    statement = models.TextField(help_text="The buyer's words.")
    answer = models.TextField(default="", help_text="The seller's words.")
    evidence = models.JSONField(default=list, help_text="Each: kind, text, hash; see the domain.")
    opened_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(Participant, models.PROTECT, null=True, related_name="+")
    refund_micro = models.BigIntegerField(null=True)
    verdict = models.TextField(default="", help_text="The operator's reasons, or the machine's.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state=2) | Q(decided_at__isnull=False, refund_micro__isnull=False),
                name="data_dispute_decided",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute of charge {self.charge_id}"


class DataInvoice(models.Model):
    """An invoice or a credit note for a charge; its number has no gaps within a seller."""

    class Kind(models.IntegerChoices):
        INVOICE = 1, "invoice"
        CREDIT_NOTE = 2, "credit note"

    charge = models.ForeignKey(DataCharge, models.PROTECT, related_name="invoices")
    seller = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    kind = models.SmallIntegerField(choices=Kind)
    number = models.IntegerField()
    amount_micro = models.BigIntegerField()
    lines = models.JSONField(help_text="What was delivered, credits, refunds; they add up.")
    issued_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["seller", "number"], name="data_invoice_number"),
            models.UniqueConstraint(
                fields=["charge"], condition=Q(kind=1), name="data_invoice_once"
            ),
            models.CheckConstraint(condition=Q(amount_micro__gt=0), name="data_invoice_amount"),
        ]

    def __str__(self) -> str:
        return f"invoice {self.number} of {self.seller_id}"
