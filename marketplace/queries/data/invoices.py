"""Invoices and credit notes as their two sides see them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db.models import Q, QuerySet

from marketplace.domain.data.invoices import number_text
from marketplace.models import DataInvoice
from marketplace.queries.identity import names_of


@dataclass(frozen=True)
class InvoiceLine:
    """An invoice or a credit note; names are empty of whom nobody can name any more."""

    id: int
    number: str
    kind: Literal["invoice", "credit_note"]
    side: Literal["buyer", "seller"]
    seller_id: int
    seller_name: str
    buyer_id: int
    buyer_name: str
    contract_id: int
    charge_id: int
    title: str
    currency: str
    amount_micro: int
    lines: list[dict[str, Any]]
    period_start: datetime
    period_end: datetime
    issued_at: datetime


def list_invoices(
    *,
    participant_ids: Collection[int],
    before_id: int | None = None,
    limit: int | None = 100,
) -> list[InvoiceLine]:
    """Return the documents that somebody issued or received, newest first."""
    found = _of(participant_ids)
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    found = found.order_by("-id")
    return _lines(found if limit is None else found[:limit], set(participant_ids))


def find_invoice(*, invoice_id: int, participant_ids: Collection[int]) -> InvoiceLine | None:
    """Return one of somebody's documents, None if it is none of theirs."""
    found = _of(participant_ids).filter(id=invoice_id)
    return next(iter(_lines(found, set(participant_ids))), None)


def _of(participant_ids: Collection[int]) -> QuerySet[DataInvoice]:
    own = list(participant_ids)
    return DataInvoice.objects.filter(Q(seller__in=own) | Q(charge__contract__buyer__in=own))


def _lines(found: QuerySet[DataInvoice], own: set[int]) -> list[InvoiceLine]:
    documents = list(
        found.select_related(
            "charge__contract__product", "charge__contract__buyer", "charge__contract__seller"
        ).defer("charge__contract__body")
    )
    contracts = [each.charge.contract for each in documents]
    names = names_of(side for each in contracts for side in (each.seller, each.buyer))
    return [
        InvoiceLine(
            id=each.pk,
            number=number_text(each.seller_id, each.number),
            kind="invoice" if each.kind == DataInvoice.Kind.INVOICE else "credit_note",
            side="buyer" if each.charge.contract.buyer_id in own else "seller",
            seller_id=each.seller_id,
            seller_name=names[each.seller_id],
            buyer_id=each.charge.contract.buyer_id,
            buyer_name=names[each.charge.contract.buyer_id],
            contract_id=each.charge.contract_id,
            charge_id=each.charge_id,
            title=each.charge.contract.product.title,
            currency=each.charge.contract.currency,
            amount_micro=each.amount_micro,
            lines=each.lines,
            period_start=each.charge.period_start,
            period_end=each.charge.period_end,
            issued_at=each.issued_at,
        )
        for each in documents
    ]
