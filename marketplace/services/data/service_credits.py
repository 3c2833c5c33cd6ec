"""The end of a feed's month: what was taken becomes what is due, what was missed a credit.

A month ends when its time is over, or with its contract. Its count is closed for good under the
lock of its row, so that a request is either billed with it or turned away; charge, report and money
are one transaction. Twice, late, or on two hosts comes to the same.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.prices import due
from marketplace.domain.data.service import credit, credit_ppm
from marketplace.domain.notices import NoticeKind
from marketplace.models import DataCharge, DataContract, DataProduct, FeedUse, ServiceReport
from marketplace.queries.data.feeds import text_of, use_of
from marketplace.queries.data.probes import get_measured
from marketplace.services.data.charges import deliver_charge
from marketplace.services.data.feeds import open_use
from marketplace.services.notices import notify

SCAN_ROWS_MAX = 200
_OVER = (DataContract.State.REVOKED, DataContract.State.ENDED)


def close_due_months(*, now: datetime) -> int:
    """Close the months of feeds that are over, or whose contract is; return how many.

    Raises
    ------
    ExceptionGroup
        Of months that could not be closed; all others were.
    """
    ended = Q(contract__state__in=_OVER, contract__closed_at__lte=now)
    over = Q(period_end__lte=now) | ended & Q(period_start__lt=F("contract__closed_at"))
    due_ids = (
        DataCharge.objects.filter(
            over,
            contract__product__kind=DataProduct.Kind.FEED,
            state=DataCharge.State.HELD,
        )
        .order_by("id")
        .values_list("id", flat=True)
    )
    closed, failures = 0, []
    for charge_id in due_ids[:SCAN_ROWS_MAX]:
        try:
            closed += _close_month(charge_id, now=now)
        except Exception as failure:  # one bad contract must not hold up the others' money
            failures.append(failure)
    if failures:
        raise ExceptionGroup("months of feeds that could not be closed", failures)
    return closed


@transaction.atomic
def _close_month(charge_id: int, *, now: datetime) -> bool:
    charge = (
        DataCharge.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
        .select_related("contract__product")
        .filter(id=charge_id, state=DataCharge.State.HELD)
        .first()
    )
    if charge is None or (charge.held_micro and charge.expires_at <= now):
        return False  # another host has it, or all of it goes back
    open_use(charge=charge, now=now)
    # Whoever counts waits here, and finds the month closed.
    use = FeedUse.objects.select_for_update(no_key=True).get(charge=charge)
    text = text_of(charge.contract)
    until = end_of(charge)
    taken = use_of(charge, requests=use.request_count, records=use.record_count, until=until)
    report = _report(charge, text, due_micro=due(text.price, taken), until=until, now=now)
    use.due_micro, use.closed_at, use.changed_at = report.due_micro, now, now
    use.save(update_fields=["due_micro", "closed_at", "changed_at"])
    deliver_charge(
        charge_id=charge.id,
        due_micro=report.due_micro,
        credit_micro=report.credit_micro,
        window=timedelta(seconds=text.times.window_s),
        now=now,
    )
    if report.credit_micro:
        _tell(charge, report, now=now)
    return True


def end_of(charge: DataCharge) -> datetime:
    """Return when a charge's period ended: by the calendar, or with its contract."""
    closed_at = charge.contract.closed_at
    if charge.contract.state in _OVER and closed_at is not None:
        return max(charge.period_start, min(charge.period_end, closed_at))
    return charge.period_end


def _report(
    charge: DataCharge, text: ContractText, *, due_micro: int, until: datetime, now: datetime
) -> ServiceReport:
    level = text.service
    measured = get_measured(
        product_id=charge.contract.product_id,
        start=charge.period_start,
        end=until,
        max_age_s=level.max_age_s,
    )
    return ServiceReport.objects.create(
        charge=charge,
        level=level.to_json(),
        look_count=measured.look_count,
        up_count=measured.up_count,
        fresh_count=measured.fresh_count,
        valid_count=measured.valid_count,
        completeness_count=measured.completeness_count,
        completeness_sum_ppm=measured.completeness_sum_ppm,
        due_micro=due_micro,
        credit_ppm=credit_ppm(level, measured),
        credit_micro=credit(level, measured, due_micro),
        made_at=now,
    )


def _tell(charge: DataCharge, report: ServiceReport, *, now: datetime) -> None:
    for participant_id in (charge.contract.buyer_id, charge.contract.seller_id):
        notify(
            participant_id=participant_id,
            kind=NoticeKind.SERVICE_CREDIT,
            key=f"service-credit:{charge.id}",
            subject={
                "charge": charge.id,
                "contract": charge.contract_id,
                "credit_micro": report.credit_micro,
                "title": charge.contract.product.title,
            },
            now=now,
        )
