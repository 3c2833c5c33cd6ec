"""Certificates as pages and the API show them: a member's own, and public statements."""

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Sum

from ledger.queries import get_balances
from marketplace.domain.certificates.rows import document_key
from marketplace.models import (
    CertificateAccount,
    CertificateBundle,
    CertificateCancellation,
    CertificateEvent,
    ProductionDevice,
)
from marketplace.queries.identity import identity_keys

# What a statement is sealed for, under the identity key of who cancelled.
STATEMENT: Final = "cancellation statement"
State = CertificateBundle.State
_WH = F("last_wh") - F("first_wh")


@dataclass(frozen=True)
class BundleLine:
    """A bundle with where it comes from. ``last_wh`` is excluded; the producer is not named."""

    id: int
    interval_id: int
    starts_at: datetime
    ends_at: datetime
    device_id: int
    technology: str
    capacity_w: int
    commissioned_on: date
    zone: str
    first_wh: int
    last_wh: int
    state: str
    cancellation_id: uuid.UUID | None

    @property
    def wh(self) -> int:
        """How many certificates it holds. [Wh]"""
        return self.last_wh - self.first_wh


@dataclass(frozen=True)
class CertificateTotals:
    """A member's certificates of a period by what became of them. [Wh]"""

    produced_wh: int
    held_wh: int
    cancelled_wh: int
    withdrawn_wh: int


@dataclass(frozen=True)
class CertificateBalance:
    """A member's certificates of one technology and month, as the ledger counts them. [Wh]"""

    unit: str
    account_id: int
    held_wh: int

    @property
    def technology(self) -> str:
        """The technology that the unit is named after."""
        return self.unit.split("-", 2)[1]

    @property
    def month(self) -> str:
        """The month that the unit is named after, such as 2026-06."""
        return self.unit.split("-", 2)[2].partition("/")[0]


@dataclass(frozen=True)
class EventLine:
    """A transfer of certificates as one of its two sides sees it."""

    id: int
    key: str
    is_giver: bool
    other_id: int
    wh: int
    recorded_at: datetime


@dataclass(frozen=True)
class CancellationLine:
    """A cancellation with what its statement says; empty texts once the member was erased."""

    public_id: uuid.UUID
    key: str
    wh: int
    cancelled_at: datetime
    community_name: str
    community_local_name: str
    timezone: str
    sha256: str
    statement: str
    purpose: str
    beneficiary: str
    starts_at: datetime | None
    ends_at: datetime | None
    technologies: Mapping[str, int]


def list_bundles(
    *,
    participant_id: int,
    start: datetime,
    end: datetime,
    state: str | None = None,
    before_id: int | None = None,
    limit: int | None = None,
) -> list[BundleLine]:
    """Return a member's bundles of a period, the newest first; withdrawn ones too."""
    found = _own(participant_id, start, end)
    if state is not None:
        found = found.filter(state={each.label: each for each in State}[state])
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    found = found.select_related(
        "interval", "device__metering_point__site__zone", "cancellation"
    ).order_by("-id")
    return [_bundle_line(each) for each in (found if limit is None else found[:limit])]


def get_certificate_totals(
    *, participant_id: int, start: datetime, end: datetime
) -> CertificateTotals:
    """Return what became of a member's certificates of a period."""
    sums = _own(participant_id, start, end).aggregate(
        held=Sum(_WH, filter=Q(state=State.ACTIVE), default=0),
        cancelled=Sum(_WH, filter=Q(state=State.CANCELLED), default=0),
        withdrawn=Sum(_WH, filter=Q(state=State.WITHDRAWN), default=0),
    )
    produced = CertificateBundle.objects.filter(
        device__metering_point__site__participant=participant_id,
        interval__starts_at__gte=start,
        interval__starts_at__lt=end,
    ).aggregate(wh=Sum(_WH, default=0))
    return CertificateTotals(produced["wh"], sums["held"], sums["cancelled"], sums["withdrawn"])


def list_certificate_balances(*, participant_id: int) -> list[CertificateBalance]:
    """Return a member's certificates by technology and month as the ledger has them."""
    accounts = list(
        CertificateAccount.objects.filter(participant=participant_id)
        .order_by("unit")
        .values_list("unit", "account_id")
    )
    balances = get_balances(account_ids=[account for _, account in accounts])
    return [
        CertificateBalance(unit, account, balances[account].posted) for unit, account in accounts
    ]


def list_handovers(*, participant_id: int, limit: int = 50) -> list[EventLine]:
    """Return the newest transfers that a member made or got by hand."""
    found = CertificateEvent.objects.filter(
        Q(giver=participant_id) | Q(receiver=participant_id), kind=CertificateEvent.Kind.TRANSFER
    ).defer("moves")
    return [
        EventLine(
            each.id,
            document_key(each.id),
            each.giver_id == participant_id,
            (each.receiver_id if each.giver_id == participant_id else each.giver_id) or 0,
            each.quantity_wh,
            each.recorded_at,
        )
        for each in found.order_by("-id")[:limit]
    ]


def list_cancellations(*, participant_id: int, limit: int | None = 50) -> list[CancellationLine]:
    """Return a member's newest cancellations."""
    found = _cancellations().filter(participant=participant_id).order_by("-id")
    return [_cancellation_line(each) for each in (found if limit is None else found[:limit])]


def get_cancellation(*, public_id: uuid.UUID) -> CancellationLine | None:
    """Return what a public statement says; None if there is none of that address."""
    found = _cancellations().filter(public_id=public_id).first()
    return None if found is None else _cancellation_line(found)


def list_devices(*, participant_id: int) -> list[ProductionDevice]:
    """Return a member's devices, ended ones too."""
    own = ProductionDevice.objects.filter(metering_point__site__participant=participant_id)
    return list(own.select_related("metering_point").order_by("id"))


def _own(participant_id: int, start: datetime, end: datetime) -> QuerySet[CertificateBundle]:
    return CertificateBundle.objects.filter(
        holder=participant_id, interval__starts_at__gte=start, interval__starts_at__lt=end
    )


def _bundle_line(bundle: CertificateBundle) -> BundleLine:
    device = bundle.device
    return BundleLine(
        id=bundle.id,
        interval_id=bundle.interval_id,
        starts_at=bundle.interval.starts_at,
        ends_at=bundle.interval.ends_at,
        device_id=device.id,
        technology=device.technology,
        capacity_w=device.capacity_w,
        commissioned_on=device.commissioned_on,
        zone=device.metering_point.site.zone.code,
        first_wh=bundle.first_wh,
        last_wh=bundle.last_wh,
        state=State(bundle.state).label,
        cancellation_id=bundle.cancellation.public_id if bundle.cancellation else None,
    )


def _cancellations() -> QuerySet[CertificateCancellation]:
    return CertificateCancellation.objects.select_related("event__community", "participant").defer(
        "event__moves"
    )


def _cancellation_line(cancellation: CertificateCancellation) -> CancellationLine:
    slot = cancellation.participant.identity_slot
    key = identity_keys().get([slot]).get(slot)
    text = key.unseal_text(bytes(cancellation.sealed_statement), purpose=STATEMENT) if key else ""
    said: dict[str, Any] = defaultdict(str, json.loads(text) if text else {})
    event = cancellation.event
    return CancellationLine(
        public_id=cancellation.public_id,
        key=document_key(event.id),
        wh=event.quantity_wh,
        cancelled_at=event.recorded_at,
        community_name=event.community.name,
        community_local_name=event.community.local_name,
        timezone=event.community.timezone,
        sha256=cancellation.statement_sha256,
        statement=text,
        purpose=said["purpose"],
        beneficiary=said["beneficiary"],
        starts_at=datetime.fromisoformat(said["starts"]) if text else None,
        ends_at=datetime.fromisoformat(said["ends"]) if text else None,
        technologies={name: int(wh) for name, wh in (said["technologies"] or {}).items()},
    )
