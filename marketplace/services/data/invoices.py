"""Issue invoices and credit notes; the numbers of a seller have no gaps."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.invoices import Delivered, invoice_lines, refund_lines, total_micro
from marketplace.domain.data.prices import PriceForm
from marketplace.domain.notices import NoticeKind
from marketplace.models import DataCharge, DataDispute, DataInvoice, FeedUse, Participant
from marketplace.services.notices import notify

Kind = DataInvoice.Kind


@transaction.atomic
def issue_invoices(charges: Sequence[DataCharge], *, now: datetime) -> int:
    """Issue what closed charges ask for; return how many documents that is.

    An invoice says what was delivered, less credits for its service; what a verdict gave back
    stands in a credit note beside it. The caller has the charges locked and has just closed them.
    """
    paid = [charge for charge in charges if charge.due_micro > charge.credit_micro]
    if not paid:
        return 0
    sellers = sorted({charge.contract.seller_id for charge in paid})
    # Whoever counts a seller's documents holds the seller.
    list(
        Participant.objects.select_for_update(no_key=True)
        .filter(id__in=sellers)
        .order_by("id")
        .values_list("id")
    )
    last = dict(
        DataInvoice.objects.filter(seller__in=sellers)
        .values_list("seller")
        .annotate(last=Max("number"))
    )
    details = _details(paid)
    issued: list[DataInvoice] = []
    for charge in sorted(paid, key=lambda each: each.id):
        for document in _documents(charge, details, last, now=now):
            issued.append(document)
    DataInvoice.objects.bulk_create(issued)
    for document in issued:
        notify(
            participant_id=document.charge.contract.buyer_id,
            kind=NoticeKind.INVOICE_ISSUED,
            key=f"invoice:{document.seller_id}:{document.number}",
            subject={
                "charge": document.charge_id,
                "contract": document.charge.contract_id,
                "title": details[document.charge_id][0],
            },
            now=now,
        )
    return len(issued)


def _details(charges: Sequence[DataCharge]) -> dict[int, tuple[str, int, str]]:
    """Return title, units taken and the reason of a dispute by charge."""
    ids = [charge.id for charge in charges]
    titles = DataCharge.objects.filter(id__in=ids).values_list(
        "id", "contract__product__title", named=True
    )
    reasons = dict(DataDispute.objects.filter(charge__in=ids).values_list("charge", "reason"))
    uses = {use.charge_id: use for use in FeedUse.objects.filter(charge__in=ids)}
    details = {}
    by_id = {charge.id: charge for charge in charges}
    for id_, title in titles:
        use = uses.get(id_)
        rule = ContractText.read(bytes(by_id[id_].contract.body)).price
        is_records = rule.form == PriceForm.PER_RECORD
        units = (use.record_count if is_records else use.request_count) if use else 0
        details[id_] = (title, units, reasons.get(id_, ""))
    return details


def _documents(
    charge: DataCharge,
    details: dict[int, tuple[str, int, str]],
    last: dict[int, int],
    *,
    now: datetime,
) -> list[DataInvoice]:
    text = ContractText.read(bytes(charge.contract.body))
    title, units, reason = details[charge.id]
    delivered = Delivered(title, text.version_number, charge.period_start, charge.period_end, units)
    seller_id = charge.contract.seller_id
    number = last.get(seller_id, 0) + 1
    kinds = [
        (
            Kind.INVOICE,
            invoice_lines(
                text.price,
                delivered,
                due_micro=charge.due_micro,
                credit_micro=charge.credit_micro,
            ),
        )
    ]
    if charge.refund_micro:
        lines = refund_lines(
            title=title, invoice_number=number, reason=reason, refund_micro=charge.refund_micro
        )
        kinds.append((Kind.CREDIT_NOTE, lines))
    last[seller_id] = number + len(kinds) - 1
    return [
        DataInvoice(
            charge=charge,
            seller_id=seller_id,
            kind=kind,
            number=number + at,
            amount_micro=total_micro(lines),
            lines=lines,
            issued_at=now,
        )
        for at, (kind, lines) in enumerate(kinds)
    ]
