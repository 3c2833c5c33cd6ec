"""Disputes as their parties and the operator see them, and what was measured as evidence."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.disputes import ANSWER_TIME, Evidence, EvidenceKind
from marketplace.domain.data.service import shortfalls
from marketplace.models import DataCharge, DataDelivery, DataDispute, FeedUse
from marketplace.queries.data.probes import get_measured
from marketplace.queries.identity import names_of


@dataclass(frozen=True)
class DisputeView:
    """A dispute with everything that decides it. Amounts in micro-units."""

    id: int
    state: str
    reason: str
    statement: str
    answer: str
    verdict: str
    evidence: list[dict[str, Any]]
    opened_at: datetime
    answer_by: datetime
    answered_at: datetime | None
    decided_at: datetime | None
    refund_micro: int | None
    net_micro: int
    currency: str
    charge_id: int
    contract_id: int
    period_start: datetime
    period_end: datetime
    product_id: int
    title: str
    kind: str
    seller_name: str
    buyer_name: str
    party_ids: frozenset[int]
    sides: frozenset[str]

    @property
    def is_open(self) -> bool:
        """Whether money is frozen by it."""
        return self.state == "open"

    def may_be_decided(self, now: datetime) -> bool:
        """Whether the seller was heard, or had the time to be."""
        return self.is_open and (self.answered_at is not None or now >= self.answer_by)


def list_disputes(
    *, participant_ids: Collection[int], is_operator: bool = False, limit: int = 200
) -> list[DisputeView]:
    """Return the disputes that somebody is part of, open ones first; the operator sees all."""
    found = list(
        _disputes(participant_ids, is_operator=is_operator).order_by("state", "-id")[:limit]
    )
    names = _names(found)
    return [_view(dispute, participant_ids, names, is_operator) for dispute in found]


def find_dispute(
    *, dispute_id: int, participant_ids: Collection[int], is_operator: bool = False
) -> DisputeView | None:
    """Return a dispute, None if it is none of theirs."""
    found = _disputes(participant_ids, is_operator=is_operator).filter(id=dispute_id).first()
    if found is None:
        return None
    return _view(found, participant_ids, _names([found]), is_operator)


def measured_evidence(
    charge: DataCharge, text: ContractText, *, now: datetime
) -> Iterator[Evidence]:
    """Yield what the hall measured and logged of a charge, whoever it speaks for."""
    version = charge.contract.version
    yield Evidence(
        EvidenceKind.VERSION,
        {
            "number": version.number,
            "rows": version.row_count,
            "bytes": version.byte_count,
            "findings": len(version.findings),
        },
        version.manifest_sha256,
    )
    delivery = DataDelivery.objects.filter(charge=charge).first()
    if delivery is not None:
        times = {
            "offered": delivery.offered_at,
            "received": delivery.received_at,
            "key": delivery.key_out_at,
        }
        yield Evidence(
            EvidenceKind.DELIVERY,
            {name: at.isoformat() if at else "" for name, at in times.items()},
        )
    if text.kind == "feed":
        use = FeedUse.objects.filter(charge=charge).first()
        yield Evidence(
            EvidenceKind.USE,
            {
                "requests": use.request_count if use else 0,
                "records": use.record_count if use else 0,
            },
        )
        yield Evidence(EvidenceKind.PROBES, _probe_figures(charge, text, now))


def _probe_figures(charge: DataCharge, text: ContractText, now: datetime) -> dict[str, Any]:
    """Return the looks of the period against what is promised; the same figures as its credit."""
    measured = get_measured(
        product_id=charge.contract.product_id,
        start=charge.period_start,
        end=min(charge.period_end, now),
        max_age_s=text.service.max_age_s,
    )
    compared = shortfalls(text.service, measured)
    return {
        "looks": measured.look_count,
        "up": measured.up_count,
        "valid": measured.valid_count,
        "fresh": measured.fresh_count,
        "max_age_s": text.service.max_age_s,
        "promises": [
            {
                "promise": each.promise,
                "promised_ppm": each.promised_ppm,
                "measured_ppm": each.measured_ppm,
            }
            for each in compared
        ],
    }


def _disputes(participant_ids: Collection[int], *, is_operator: bool) -> QuerySet[DataDispute]:
    found = DataDispute.objects.select_related(
        "charge__contract__product", "charge__contract__seller", "charge__contract__buyer"
    )
    if is_operator:
        return found
    ids = list(participant_ids)
    return found.filter(Q(charge__contract__buyer__in=ids) | Q(charge__contract__seller__in=ids))


def _names(disputes: Sequence[DataDispute]) -> dict[int, str]:
    contracts = [dispute.charge.contract for dispute in disputes]
    return names_of(side for each in contracts for side in (each.seller, each.buyer))


def _view(
    dispute: DataDispute,
    participant_ids: Collection[int],
    names: Mapping[int, str],
    is_operator: bool,
) -> DisputeView:
    charge = dispute.charge
    contract, product = charge.contract, charge.contract.product
    sides = {"operator"} if is_operator else set[str]()
    sides |= {"buyer"} if contract.buyer_id in participant_ids else set()
    sides |= {"seller"} if contract.seller_id in participant_ids else set()
    return DisputeView(
        id=dispute.pk,
        state=dispute.get_state_display(),
        reason=dispute.reason,
        statement=dispute.statement,
        answer=dispute.answer,
        verdict=dispute.verdict,
        evidence=dispute.evidence,
        opened_at=dispute.opened_at,
        answer_by=dispute.opened_at + ANSWER_TIME,
        answered_at=dispute.answered_at,
        decided_at=dispute.decided_at,
        refund_micro=dispute.refund_micro,
        net_micro=charge.due_micro - charge.credit_micro,
        currency=contract.currency,
        charge_id=charge.pk,
        contract_id=contract.pk,
        period_start=charge.period_start,
        period_end=charge.period_end,
        product_id=product.pk,
        title=product.title,
        kind=product.get_kind_display(),
        seller_name=names[contract.seller_id],
        buyer_name=names[contract.buyer_id],
        party_ids=frozenset({contract.seller_id, contract.buyer_id}),
        sides=frozenset(sides),
    )
