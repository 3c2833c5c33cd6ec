"""Certificates of origin: what produces, the bundles of certificates, and all that befell them.

A certificate stands for one Wh of metered export. An interval numbers its Wh as they are issued;
a bundle is a half-open range [first_wh, last_wh) of those numbers, from one device and with one
holder. Every change is an event, whose rows are logged; the ledger counts the same Wh in one unit
per technology and month.
"""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.db import models
from django.db.models import F, Func, Q

from marketplace.models.people import Participant
from marketplace.models.places import MeteringPoint


class ProductionDevice(models.Model):
    """What exports at a metering point. Without one nothing of its export is certified."""

    class Technology(models.TextChoices):
        SOLAR = "solar", "Solar"
        WIND = "wind", "Wind"
        HYDRO = "hydro", "Hydro"
        BIOMASS = "biomass", "Biomass"

    metering_point = models.ForeignKey(MeteringPoint, models.PROTECT, related_name="devices")
    technology = models.CharField(max_length=8, choices=Technology)
    capacity_w = models.BigIntegerField(help_text="Installed capacity.")
    commissioned_on = models.DateField(help_text="First day of production.")
    active_from = models.DateTimeField(help_text="Export is certified from here on.")
    active_until = models.DateTimeField(null=True)
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["metering_point"],
                condition=Q(active_until__isnull=True),
                name="production_device_in_use",
            ),
            models.CheckConstraint(condition=Q(capacity_w__gt=0), name="production_device_figures"),
            models.CheckConstraint(
                condition=Q(active_until__isnull=True) | Q(active_until__gte=F("active_from")),
                name="production_device_period",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.technology} at {self.metering_point_id}"


class CertificateAccount(models.Model):
    """A ledger account of certificates: a participant's or a party's in one unit."""

    unit = models.TextField(help_text="Technology and month, e.g. GC-solar-2026-06/3.")
    participant = models.ForeignKey(
        Participant, models.PROTECT, null=True, related_name="certificate_accounts"
    )
    party = models.CharField(
        max_length=9, default="", help_text="issued, traded, cancelled, withdrawn; else empty."
    )
    account_id = models.BigIntegerField(unique=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(participant__isnull=False, party="")
                | Q(participant__isnull=True) & ~Q(party=""),
                name="certificate_account_of_one",
            ),
            models.UniqueConstraint(
                fields=["participant", "unit"], name="certificate_account_of_participant"
            ),
            models.UniqueConstraint(
                fields=["unit", "party"],
                condition=Q(participant__isnull=True),
                name="certificate_account_of_party",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} of {self.participant_id or self.party}"


class CertificateEvent(models.Model):
    """Something that befell certificates, with the rows that its logged document stands for."""

    class Kind(models.IntegerChoices):
        ISSUE = 1, "issue"  # and what a correction withdraws or returns
        TRANSFER = 2, "transfer"
        CANCELLATION = 3, "cancellation"

    kind = models.SmallIntegerField(choices=Kind)
    community = models.ForeignKey("Community", models.PROTECT, related_name="+")
    giver = models.ForeignKey(
        Participant, models.PROTECT, null=True, related_name="certificates_given"
    )
    receiver = models.ForeignKey(
        Participant, models.PROTECT, null=True, related_name="certificates_received"
    )
    quantity_wh = models.BigIntegerField(help_text="Of an issue: issued newly.")
    moves = models.BinaryField(help_text="See marketplace.domain.certificates.rows.")
    recorded_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["giver", "-id"], name="certificate_event_given"),
            models.Index(fields=["receiver", "-id"], name="certificate_event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class CertificateIssuance(models.Model):
    """A revision of an interval has its certificates; so it is issued for once."""

    interval = models.ForeignKey(
        "DeliveryInterval", models.PROTECT, db_index=False, related_name="issuances"
    )
    revision = models.SmallIntegerField()
    event = models.ForeignKey(
        CertificateEvent,
        models.PROTECT,
        null=True,
        related_name="issuances",
        help_text="NULL: there was nothing to do.",
    )
    end_wh = models.BigIntegerField(help_text="The next number of the interval's serial range.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["interval", "revision"], name="certificates_issued_once"
            ),
        ]

    def __str__(self) -> str:
        return f"certificates of {self.interval_id} revision {self.revision}"


class CertificateDebt(models.Model):
    """Certificates issued too many and used since, or what was withdrawn for them later."""

    event = models.ForeignKey(CertificateEvent, models.PROTECT, related_name="debts")
    interval = models.ForeignKey("DeliveryInterval", models.PROTECT, related_name="+")
    device = models.ForeignKey(ProductionDevice, models.PROTECT, related_name="debts")
    wh = models.BigIntegerField(help_text="Above 0: owed; below: given back.")

    def __str__(self) -> str:
        return f"{self.wh} Wh of device {self.device_id}"


class CertificateCancellation(models.Model):
    """A use of certificates that somebody claims in public."""

    public_id = models.UUIDField(unique=True, help_text="Random: the address of the statement.")
    event = models.OneToOneField(CertificateEvent, models.PROTECT, related_name="cancellation")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="cancellations")
    sealed_statement = models.BinaryField(
        help_text="Canonical JSON, sealed under the identity key: an erasure reaches it."
    )
    statement_sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"cancellation {self.public_id}"


class CertificateBundle(models.Model):
    """Certificates of one device and interval in one hand. No certificate is in two bundles."""

    class State(models.IntegerChoices):
        ACTIVE = 1, "active"
        CANCELLED = 2, "cancelled"
        WITHDRAWN = 3, "withdrawn"

    interval = models.ForeignKey(
        "DeliveryInterval", models.PROTECT, db_index=False, related_name="bundles"
    )
    device = models.ForeignKey(
        ProductionDevice, models.PROTECT, db_index=False, related_name="bundles"
    )
    holder = models.ForeignKey(
        Participant, models.PROTECT, db_index=False, related_name="certificate_bundles"
    )
    first_wh = models.BigIntegerField(help_text="First number of the range, included.")
    last_wh = models.BigIntegerField(help_text="End of the range, excluded.")
    state = models.SmallIntegerField(choices=State)
    cancellation = models.ForeignKey(
        CertificateCancellation, models.PROTECT, null=True, related_name="bundles"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(first_wh__gte=0, last_wh__gt=F("first_wh")),
                name="certificate_bundle_range",
            ),
            models.CheckConstraint(
                condition=Q(state=2, cancellation__isnull=False)
                | ~Q(state=2) & Q(cancellation__isnull=True),
                name="certificate_bundle_cancellation",
            ),
            ExclusionConstraint(
                name="certificate_in_one_bundle",
                expressions=[
                    ("interval", "="),
                    (Func(F("first_wh"), F("last_wh"), function="int8range"), "&&"),
                ],
            ),
        ]
        indexes = [
            models.Index(fields=["holder", "interval"], name="certificate_bundle_of_holder"),
        ]

    def __str__(self) -> str:
        return f"{self.interval_id} [{self.first_wh}, {self.last_wh})"
