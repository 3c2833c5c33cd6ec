"""A member's money as a waterfall: with the grid alone, what changed it, what it came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics.domain.money_steps import MoneySteps
from config.templatetags.figures import money, money_change
from config.web.chart_cards import ChartCard
from config.web.chart_kinds.bars import Step, waterfall
from config.web.charts import Words

MICRO: Final = 10**6
NAMES: Final[Mapping[str, str | Promise]] = {
    "sold": gettext_lazy("Sold to neighbours"),
    "bought": gettext_lazy("Bought from neighbours"),
    "agreed": gettext_lazy("Partners, gifts, contracts"),
    "fees": gettext_lazy("Fees"),
    "rest": gettext_lazy("Deviations and corrections"),
    "later": gettext_lazy("Corrected since, in the next statement"),
    "earlier": gettext_lazy("Corrections of earlier months"),
}


@dataclass(frozen=True)
class Change:
    """A step of the waterfall that opens its rows. [micro], positive: better off."""

    key: str
    name: str
    micro: int


def changes_of(steps: MoneySteps) -> list[Change]:
    """Return the steps that changed anything, in the order of the picture."""
    values = {
        "sold": steps.sold_micro,
        "bought": steps.bought_micro,
        "agreed": steps.agreed_micro,
        "fees": steps.fees_micro,
        "rest": steps.rest_micro,
    }
    return [Change(key, str(NAMES[key]), micro) for key, micro in values.items() if micro]


def few_changes_of(steps: MoneySteps) -> list[Change]:
    """Return the same in three steps, for a small picture."""
    with_neighbours = steps.sold_micro + steps.bought_micro + steps.agreed_micro
    values = (
        ("neighbours", _("With neighbours instead"), with_neighbours),
        ("fees", str(NAMES["fees"]), steps.fees_micro),
        ("rest", str(NAMES["rest"]), steps.rest_micro),
    )
    return [Change(key, name, micro) for key, name, micro in values if micro]


def waterfall_card(
    *,
    key: str,
    title: str,
    alone_micro: int,
    changes: list[Change],
    net_micro: int,
    currency: str,
    note: str,
) -> ChartCard:
    """Return the picture with its table; it shows costs, so that what helps goes down."""
    names = (_("With the grid alone"), _("What it came to"))
    steps = [
        Step(names[0], paid(alone_micro, currency), -alone_micro / MICRO, "total"),
        *(
            Step(each.name, money_change(-each.micro, currency), -each.micro / MICRO)
            for each in changes
        ),
        Step(names[1], paid(net_micro, currency), -net_micro / MICRO, "total"),
    ]
    told = "; ".join(f"{step.name} {step.figure}" for step in steps)
    return ChartCard(
        key=key,
        title=title,
        svg=waterfall(steps, Words(title, told, currency)),
        columns=[_("Step"), _("Change of what I pay")],
        rows=[(step.name, step.figure) for step in steps],
        note=note,
    )


def paid(net_micro: int, currency: str) -> str:
    """Say what a sum means to a household: paid or received."""
    amount = money(abs(net_micro), currency)
    if net_micro > 0:
        return _("{amount} received").format(amount=amount)
    return _("{amount} paid").format(amount=amount)


def saved_sentence(saved_micro: int, currency: str) -> str:
    """Say in one sentence what the market changed."""
    amount = money(abs(saved_micro), currency)
    if saved_micro > 0:
        text = _("The market made you {amount} better off than the grid alone.")
    elif saved_micro < 0:
        text = _("The market cost you {amount} more than the grid alone.")
    else:
        text = _("The market came to the same as the grid alone.")
    return text.format(amount=amount)
