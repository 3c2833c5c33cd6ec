"""What a statement's lines are about: a table from the codes of transfers, one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

EnergyName = Literal[
    "bought_wh",
    "sold_wh",
    "agreed_bought_wh",
    "agreed_sold_wh",
    "grid_import_wh",
    "grid_export_wh",
]


class Line(IntEnum):
    """A line of a statement; stored with every statement, never renumbered."""

    POOL_PURCHASE = 1
    POOL_SALE = 2
    GRID_PURCHASE = 3
    GRID_SALE = 4
    PLATFORM_FEE = 5
    AGREED_PURCHASE = 7
    GRID_FEE = 8
    DEVIATION_DUE = 12
    DEVIATION_RECEIVED = 13
    SHORTFALL = 14
    NOT_TAKEN = 15
    AGREED_SALE = 107


@dataclass(frozen=True)
class LineRule:
    """How a line is made.

    Parameters
    ----------
    line : Line
    code : int
        Transfers of this code between a member and another party are its amount.
    energy : str or None
        The column of positions that is its energy; None: money without an energy of its own.
    tariff : str or None
        The interval's price by which it is told apart; None: one line whatever the prices.
    is_taxed : bool
        A supply to the member, or a fee on one: the base of a tax.
    """

    line: Line
    code: int
    energy: EnergyName | None
    tariff: Literal["retail", "feed_in"] | None
    is_taxed: bool


# A transfer of code 1 carries the fee with the price of the energy: `items_of` tells them apart.
# In one of code 7 a member is on either side: what is paid is the first line, what is received the
# second. A new code of transfers is one row more.
LINE_RULES = (
    LineRule(Line.POOL_PURCHASE, 1, "bought_wh", None, True),
    LineRule(Line.PLATFORM_FEE, 1, "bought_wh", None, True),
    LineRule(Line.AGREED_PURCHASE, 7, "agreed_bought_wh", None, True),
    LineRule(Line.GRID_PURCHASE, 3, "grid_import_wh", "retail", True),
    LineRule(Line.GRID_FEE, 8, None, None, True),
    LineRule(Line.SHORTFALL, 14, None, None, False),
    LineRule(Line.DEVIATION_DUE, 12, None, None, False),
    LineRule(Line.POOL_SALE, 2, "sold_wh", None, False),
    LineRule(Line.AGREED_SALE, 7, "agreed_sold_wh", None, False),
    LineRule(Line.GRID_SALE, 4, "grid_export_wh", "feed_in", False),
    LineRule(Line.NOT_TAKEN, 15, None, None, False),
    LineRule(Line.DEVIATION_RECEIVED, 13, None, None, False),
)
RULE_OF_LINE: Mapping[int, LineRule] = {rule.line: rule for rule in LINE_RULES}
# Where a statement shows a line: what was paid, then what was received.
ORDER_OF_LINES: Mapping[int, int] = {rule.line: at for at, rule in enumerate(LINE_RULES)}
TAXED_LINES = frozenset(rule.line for rule in LINE_RULES if rule.is_taxed)


def line_of(code: int, amount: int) -> Line:
    """Return the line that a member's movement belongs to; ``amount`` is positive if received.

    Raises
    ------
    KeyError
        No line is made of transfers of this code.
    """
    return _LINES_OF_CODE[code][amount > 0]


# By code: the line of what is paid, and of what is received.
_LINES_OF_CODE: Mapping[int, tuple[Line, Line]] = {
    **{rule.code: (rule.line, rule.line) for rule in LINE_RULES if rule.line != Line.PLATFORM_FEE},
    7: (Line.AGREED_PURCHASE, Line.AGREED_SALE),
}
