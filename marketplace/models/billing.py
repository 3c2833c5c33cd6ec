"""Billing runs: what each member's period came to, made as a preview and once made final.

Nothing here is ever edited. A preview that is out of date is followed by another; what makes a
preview final is a row of its own, and so is every settlement that a final run has billed.
"""

from django.db import models
from django.db.models import F, Q

from marketplace.models.market import DeliveryInterval, Settlement
from marketplace.models.people import Participant
from marketplace.models.places import Community


class BillingRun(models.Model):
    """A preview of a civil month of one community, with the statements made in it."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="billing_runs")
    month = models.DateField(help_text="First civil day of the period.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    tax_ppm = models.IntegerField(help_text="Tax on what a member pays, in millionths of it.")
    tax_is_included = models.BooleanField(
        help_text="The prices contain the tax; else it comes on top of them."
    )
    settlement_count = models.IntegerField(help_text="Settlements that it bills.")
    settlements_sha256 = models.CharField(
        max_length=64, help_text="Over their numbers: a preview is out of date when it differs."
    )
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="billing_period"),
            models.CheckConstraint(
                condition=Q(tax_ppm__gte=0, tax_ppm__lte=10**6), name="billing_tax_bounded"
            ),
        ]
        indexes = [
            models.Index(fields=["community", "month", "id"], name="billing_run_of_month"),
        ]

    def __str__(self) -> str:
        return f"billing run {self.pk} of {self.month:%Y-%m}"


class Statement(models.Model):
    """What one member's period came to in one run. Energies are of the period alone. [Wh]"""

    pk = models.CompositePrimaryKey("run", "participant")
    run = models.ForeignKey(BillingRun, models.PROTECT, db_index=False, related_name="statements")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="statements")
    account_id = models.BigIntegerField(help_text="Ledger account of the member's energy.")
    import_wh = models.BigIntegerField()
    export_wh = models.BigIntegerField()
    bought_wh = models.BigIntegerField(help_text="From the community's pool.")
    sold_wh = models.BigIntegerField(help_text="Into the community's pool.")
    agreed_bought_wh = models.BigIntegerField(help_text="By agreements with other members.")
    agreed_sold_wh = models.BigIntegerField(help_text="By agreements with other members.")
    alone_micro = models.BigIntegerField(
        help_text="What the period would have come to with the grid alone."
    )
    net_micro = models.BigIntegerField(help_text="All items; positive: the member receives.")
    correction_micro = models.BigIntegerField(help_text="Of it for intervals billed before.")
    tax_micro = models.BigIntegerField(help_text="On what the member pays; negative: given back.")
    carried_micro = models.BigIntegerField(
        help_text="Below one minor unit, left by the final run before."
    )
    payable_minor = models.BigIntegerField(
        help_text="What moves outside, in the currency's minor unit; positive: to the member."
    )

    def __str__(self) -> str:
        return f"statement of {self.participant_id} in run {self.run_id}"


class StatementItem(models.Model):
    """A line of a statement: one reason, at one price where there is one."""

    run = models.ForeignKey(BillingRun, models.PROTECT, db_index=False, related_name="items")
    participant = models.ForeignKey(Participant, models.PROTECT, db_index=False, related_name="+")
    line = models.SmallIntegerField(help_text="See marketplace.domain.billing.lines.")
    interval = models.ForeignKey(
        DeliveryInterval,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="The interval that was billed before and is corrected; NULL: of the period.",
    )
    price_micro_per_kwh = models.BigIntegerField(null=True, help_text="NULL: prices varied.")
    energy_wh = models.BigIntegerField()
    amount_micro = models.BigIntegerField(help_text="Positive: the member receives.")

    class Meta:
        indexes = [
            models.Index(fields=["run", "participant"], name="statement_items"),
        ]

    def __str__(self) -> str:
        return f"line {self.line} of {self.participant_id} in run {self.run_id}"


class FinalBilling(models.Model):
    """A run that was made final: numbered without gaps, one per community and month."""

    run = models.OneToOneField(BillingRun, models.PROTECT, primary_key=True, related_name="final")
    community = models.ForeignKey(Community, models.PROTECT, related_name="final_billings")
    month = models.DateField()
    number = models.IntegerField()
    statements_sha256 = models.CharField(
        max_length=64, help_text="Over all statements and items, see services.billing_final."
    )
    finalised_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community", "number"], name="final_billing_number"),
            models.UniqueConstraint(fields=["community", "month"], name="final_billing_of_month"),
        ]

    def __str__(self) -> str:
        return f"final billing {self.number} of {self.month:%Y-%m}"


class BilledSettlement(models.Model):
    """A settlement that a final run has billed; each is billed once, by constraint."""

    settlement = models.OneToOneField(
        Settlement, models.PROTECT, primary_key=True, related_name="billed"
    )
    final = models.ForeignKey(FinalBilling, models.PROTECT, related_name="settlements")

    def __str__(self) -> str:
        return f"settlement {self.settlement_id}"
