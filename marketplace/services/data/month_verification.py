"""Compare the closed months of feeds with what was taken, what was measured, and what was signed.

What a month comes to is computed again from its counts and the signed price, its credit from the
figures of its report and the signed promise. That the ledger moved just that,
`marketplace.services.data.charge_verification` compares.
"""

from collections.abc import Iterator
from dataclasses import astuple
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count, Sum

from ledger.services.verification import one_state
from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.prices import due
from marketplace.domain.data.service import Measured, ServiceLevel, credit, credit_ppm
from marketplace.errors import MonthsDiffer
from marketplace.models import (
    DataCharge,
    DataProduct,
    FeedUse,
    ProbeDay,
    ProbeResult,
    ServiceReport,
)
from marketplace.queries.data.contracts import read_contract
from marketplace.queries.data.feeds import measured_of, use_of
from marketplace.queries.data.probes import get_measured
from marketplace.services.data.service_credits import end_of

State = DataCharge.State
_AT_ONCE: Final = 500
_DAY: Final = timedelta(days=1)
# A look that began just before a month's end may be noted after the month was closed.
_LOOK_TIME: Final = timedelta(minutes=10)
_NOT_CLOSED: Final = frozenset({State.OPENING, State.HELD, State.REFUSED})
# Of these it depends: released may be what was never used, or what could not be paid.
_RELEASED: Final = frozenset({State.RELEASING, State.RELEASED})


def verify_months() -> int:
    """Check every closed month of a feed; return how many there are.

    Looks are kept for 90 days: the figures of an older month are held against the sums of its
    days.

    Raises
    ------
    MonthsDiffer
        The message names the first month that does not follow.
    TermsBroken
        If a contract is not what was signed.
    """
    count = 0
    with one_state():
        for charge in _charges():
            count += _is_closed(charge)
    return count


def _charges() -> Iterator[DataCharge]:
    last = 0
    found = DataCharge.objects.filter(contract__product__kind=DataProduct.Kind.FEED).select_related(
        "contract__version",
        "contract__seller_key",
        "contract__buyer_key",
        "contract__revocation_key",
        "use",
        "service_report",
    )
    while batch := list(found.filter(id__gt=last).order_by("id")[:_AT_ONCE]):
        yield from batch
        last = batch[-1].pk


def _is_closed(charge: DataCharge) -> bool:
    """Check a month; return whether it was closed."""
    use: FeedUse | None = getattr(charge, "use", None)
    report: ServiceReport | None = getattr(charge, "service_report", None)
    state, was_asked = State(charge.state), charge.delivered_at is not None
    if state not in _RELEASED and was_asked == (state in _NOT_CLOSED):
        raise _differs(charge, "it was billed before it ended, or ended and was not billed")
    is_closed = use is not None and use.closed_at is not None
    if is_closed != was_asked or (report is not None) != was_asked:
        raise _differs(charge, "counts, report and charge were not closed together")
    if use is None or report is None or not was_asked:
        return False
    text = read_contract(charge.contract)
    _check_due(charge, use, report, text)
    _check_credit(charge, report, text.service)
    if charge.window_s != text.times.window_s:
        raise _differs(charge, "its dispute window is not the contract's")
    if report.due_micro and not text.service.is_empty:
        _check_figures(charge, report, text.service)
    return True


def _check_due(charge: DataCharge, use: FeedUse, report: ServiceReport, text: ContractText) -> None:
    """Compare what a month came to with its counts, at the signed price."""
    taken = use_of(
        charge, requests=use.request_count, records=use.record_count, until=end_of(charge)
    )
    expected = due(text.price, taken)
    for what, micro in (
        ("its counts", use.due_micro),
        ("its report", report.due_micro),
        ("its charge", charge.due_micro),
    ):
        if micro != expected:
            raise _differs(charge, f"{what} say {micro} are due, by price and counts {expected}")


def _check_credit(charge: DataCharge, report: ServiceReport, level: ServiceLevel) -> None:
    """Compare a month's credit with the figures of its report, by the signed promise."""
    if report.level != level.to_json():
        raise _differs(charge, "its report is not about what was promised")
    measured = measured_of(report)
    expected = (credit_ppm(level, measured), credit(level, measured, report.due_micro))
    if (report.credit_ppm, report.credit_micro) != expected:
        raise _differs(
            charge,
            f"its report says a credit of {report.credit_micro}, by promise and figures"
            f" {expected[1]}",
        )
    if charge.credit_micro != expected[1]:
        raise _differs(
            charge, f"its credit is {charge.credit_micro}, by promise and figures {expected[1]}"
        )


def _check_figures(charge: DataCharge, report: ServiceReport, level: ServiceLevel) -> None:
    """Compare a report with the looks of its month, or with the sums of its days.

    All figures are sums over looks, so each lies between those of fewer and those of more looks.
    """
    product_id, start, until = charge.contract.product_id, charge.period_start, end_of(charge)
    days = (start.date(), (until - timedelta.resolution).date())
    if _has_all_looks(product_id, *days):
        surely, at_most = (
            get_measured(product_id=product_id, start=start, end=end, max_age_s=level.max_age_s)
            for end in (min(until, report.made_at) - _LOOK_TIME, until)
        )
    else:
        surely, at_most = _of_days(product_id, start, until)
    figures = zip(astuple(surely), astuple(measured_of(report)), astuple(at_most), strict=True)
    if not all(low <= stated <= high for low, stated, high in figures):
        raise _differs(charge, "its report has other figures than the hall's looks")


def _has_all_looks(product_id: int, first: date, last: date) -> bool:
    """Tell whether all looks of these days are there: the oldest ones are forgotten first."""
    counted = ProbeDay.objects.filter(product=product_id, day__gte=first, day__lte=last)
    expected = counted.aggregate(looks=Sum("look_count"))["looks"] or 0
    there = ProbeResult.objects.filter(
        product=product_id, at__date__gte=first, at__date__lte=last
    ).count()
    return there >= expected


def _of_days(product_id: int, start: datetime, until: datetime) -> tuple[Measured, Measured]:
    """Return the least and the most that a time comes to by the sums of its days (UTC)."""
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    first_whole = midnight.date() if midnight == start else (midnight + _DAY).date()
    touched = ProbeDay.objects.filter(
        product=product_id, day__gte=start.date(), day__lte=(until - timedelta.resolution).date()
    )
    whole = touched.filter(day__gte=first_whole, day__lt=(until - _LOOK_TIME).date())
    sums = [
        days.aggregate(
            looks=Sum("look_count"),
            up=Sum("up_count"),
            valid=Sum("valid_count"),
            complete=Sum("completeness_count"),
            complete_ppm=Sum("completeness_sum_ppm"),
            days=Count("id"),
        )
        for days in (whole, touched)
    ]
    least, most = ({name: int(value or 0) for name, value in each.items()} for each in sums)
    # Ages against a promise are not summed by day: young enough were at most all answers.
    return (
        Measured(
            least["looks"],
            least["up"],
            0,
            least["valid"],
            least["complete"],
            least["complete_ppm"],
        ),
        Measured(
            most["looks"],
            most["up"],
            most["up"],
            most["valid"],
            most["complete"],
            most["complete_ppm"],
        ),
    )


def _differs(charge: DataCharge, what: str) -> MonthsDiffer:
    return MonthsDiffer(
        f"charge {charge.pk} of contract {charge.contract_id}, a month of a feed: {what}"
    )
