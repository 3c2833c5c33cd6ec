"""What stands behind one step of a waterfall: a table of days, each leading to its intervals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from analytics.domain.figures import MemberTotals
from analytics.domain.money_steps import MoneySteps, money_steps
from config.templatetags.figures import money_change
from config.web.household.waterfalls import NAMES

Columns = Callable[[MemberTotals, MoneySteps], Sequence[int]]


@dataclass(frozen=True)
class StepTable:
    """The days behind a step; amounts as people read them, the last is the step's own."""

    key: str
    name: str
    columns: Sequence[str]
    rows: Sequence[tuple[date, Sequence[str]]]
    total: str


def _sold(totals: MemberTotals, steps: MoneySteps) -> Sequence[int]:
    received = totals.pool_sale_micro
    return received, received - steps.sold_micro, steps.sold_micro


def _bought(totals: MemberTotals, steps: MoneySteps) -> Sequence[int]:
    paid = totals.pool_purchase_micro - totals.platform_fee_micro
    return paid, paid - steps.bought_micro, steps.bought_micro


def _agreed(totals: MemberTotals, steps: MoneySteps) -> Sequence[int]:
    moved = totals.agreed_micro
    return moved, moved - steps.agreed_micro, steps.agreed_micro


def _fees(totals: MemberTotals, steps: MoneySteps) -> Sequence[int]:
    return totals.platform_fee_micro, totals.grid_fee_micro, steps.fees_micro


def _rest(totals: MemberTotals, steps: MoneySteps) -> Sequence[int]:
    return (steps.rest_micro,)


_BETTER: Final = gettext_lazy("Better by")
_TABLES: Final[Mapping[str, tuple[Columns, Sequence[str | Promise]]]] = {
    "sold": (
        _sold,
        (
            gettext_lazy("Neighbours paid me"),
            gettext_lazy("The grid would have paid"),
            _BETTER,
        ),
    ),
    "bought": (
        _bought,
        (
            gettext_lazy("Neighbours got"),
            gettext_lazy("The grid would have got"),
            _BETTER,
        ),
    ),
    "agreed": (
        _agreed,
        (
            gettext_lazy("Received less paid"),
            gettext_lazy("With the grid alone"),
            _BETTER,
        ),
    ),
    "fees": (
        _fees,
        (gettext_lazy("Platform"), gettext_lazy("Grid and links"), gettext_lazy("Sum")),
    ),
    "rest": (_rest, (gettext_lazy("Sum"),)),
}


def step_table(
    key: str, days: Sequence[tuple[date, MemberTotals]], currency: str
) -> StepTable | None:
    """Return the days behind a step; None if there is no such step."""
    if key not in _TABLES:
        return None
    columns, names = _TABLES[key]
    found = [(day, columns(totals, money_steps(totals))) for day, totals in days]
    return StepTable(
        key=key,
        name=str(NAMES[key]),
        columns=[str(name) for name in names],
        rows=[
            (day, [money_change(value, currency) for value in values])
            for day, values in found
            if any(values)
        ],
        total=money_change(sum(values[-1] for _, values in found), currency),
    )
