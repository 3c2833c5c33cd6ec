"""From positions and movements of money to the lines of statements, for many members at once."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.billing_lines import LINE_RULES, RULE_OF_LINE, Line, LineRule, line_of
from marketplace.domain.money import amounts_micro

Int64Array = npt.NDArray[np.int64]

# The price of a line whose prices varied: no price is as low.
NO_PRICE: Final = int(np.iinfo(np.int64).min)
# The section of what belongs to the period itself.
OF_THE_PERIOD: Final = 0
TOTALS: Final = (
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "agreed_bought_wh",
    "agreed_sold_wh",
)
_CODES = max(rule.code for rule in LINE_RULES) + 1


@dataclass(frozen=True, eq=False)
class Tariffs:
    """Prices of some intervals, as columns. [micro/kWh]

    Attributes
    ----------
    sections : ndarray of int64
        ``OF_THE_PERIOD``, or the interval's number if it was billed before and is corrected.
    retail, feed_in : ndarray of int64
    is_told_apart : ndarray of bool
        Energy from and to the grid was settled at these tariffs, and has a line for each.
    """

    sections: Int64Array
    retail: Int64Array
    feed_in: Int64Array
    is_told_apart: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Positions:
    """What metering points did, as columns; ``intervals`` and ``members`` are indices. [Wh]

    ``bought_wh`` and ``sold_wh`` are what the pool's prices were paid on, and ``fees`` what of the
    purchases was the platform's [micro]. ``weights`` is 1, or -1 for what was billed before and is
    taken back.
    """

    intervals: Int64Array
    members: Int64Array
    weights: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array
    bought_wh: Int64Array
    sold_wh: Int64Array
    agreed_bought_wh: Int64Array
    agreed_sold_wh: Int64Array
    grid_import_wh: Int64Array
    grid_export_wh: Int64Array
    fees: Int64Array

    @classmethod
    def joined(cls, parts: "list[Positions]") -> "Positions":
        """Return several parts as one."""
        return cls(*(_column(parts, field.name) for field in fields(cls)))


@dataclass(frozen=True, eq=False)
class Movements:
    """Money of members in some intervals, as columns; positive when received. [micro]"""

    intervals: Int64Array
    members: Int64Array
    codes: Int64Array
    amounts: Int64Array


@dataclass(frozen=True, eq=False)
class Items:
    """Lines of statements, as columns. [Wh], [micro]"""

    members: Int64Array
    sections: Int64Array
    lines: Int64Array
    prices: Int64Array
    energy_wh: Int64Array
    amounts: Int64Array

    @classmethod
    def joined(cls, parts: "list[Items]") -> "Items":
        """Return several parts as one."""
        return cls(*(_column(parts, field.name) for field in fields(cls)))

    def summed(self) -> "Items":
        """Add up what belongs to the same line; in order of member, section, line and price."""
        keys = (self.prices, self.lines, self.sections, self.members)
        order = np.lexsort(keys)
        if not len(order):
            return self
        sorted_keys = [key[order] for key in keys]
        is_new = np.zeros(len(order), dtype=np.bool_)
        is_new[0] = True
        for key in sorted_keys:
            is_new[1:] |= key[1:] != key[:-1]
        first = np.flatnonzero(is_new)
        energy = np.add.reduceat(self.energy_wh[order], first)
        amounts = np.add.reduceat(self.amounts[order], first)
        kept = (energy != 0) | (amounts != 0)
        prices, lines, sections, members = (key[first][kept] for key in sorted_keys)
        return Items(members, sections, lines, prices, energy[kept], amounts[kept])


def items_of(tariffs: Tariffs, positions: Positions, movements: Movements) -> Items:
    """Make the lines of statements.

    Parameters
    ----------
    tariffs : Tariffs
        Of the intervals that positions and movements point to.
    positions : Positions
        Where the energies of lines come from, and the fee inside of a purchase.
    movements : Movements
        Where the amounts come from: every one of them is in exactly one line.

    Returns
    -------
    Items
        Summed. Over a member and code they come to the member's movements.

    Raises
    ------
    ValueError
        If no line is made of transfers of some code.
    """
    parts = [_energies(rule, tariffs, positions) for rule in LINE_RULES if rule.energy is not None]
    parts += _fees(tariffs, positions)
    parts.append(_money(tariffs, movements))
    return Items.joined(parts).summed()


def totals_of(tariffs: Tariffs, positions: Positions, member_count: int) -> Int64Array:
    """Add up what members' metering points did in the period itself.

    Returns
    -------
    ndarray of int64, shape (7, member_count)
        The columns named by ``TOTALS`` [Wh], and what all of it would have come to with the grid
        alone, each interval at its tariffs [micro].
    """
    own = tariffs.sections[positions.intervals] == OF_THE_PERIOD
    members, weights = positions.members[own], positions.weights[own]
    intervals = positions.intervals[own]
    alone = amounts_micro(positions.export_wh[own], tariffs.feed_in[intervals]) - amounts_micro(
        positions.import_wh[own], tariffs.retail[intervals]
    )
    columns: list[Int64Array] = [*(getattr(positions, name)[own] for name in TOTALS), alone]
    totals = np.zeros((len(columns), member_count), dtype=np.int64)
    for row, column in zip(totals, columns, strict=True):
        np.add.at(row, members, column * weights)
    return totals


def _energies(rule: LineRule, tariffs: Tariffs, positions: Positions) -> Items:
    assert rule.energy is not None, rule
    energy = getattr(positions, rule.energy) * positions.weights
    lines = np.full_like(energy, rule.line)
    return _at(tariffs, positions, lines, energy_wh=energy, amounts=np.zeros_like(energy))


def _fees(tariffs: Tariffs, positions: Positions) -> list[Items]:
    """Take the platform fee out of the purchase that it was paid with."""
    fees = positions.fees * positions.weights
    nothing = np.zeros_like(fees)
    return [
        _at(tariffs, positions, np.full_like(fees, line), energy_wh=nothing, amounts=amounts)
        for line, amounts in ((Line.PLATFORM_FEE, -fees), (Line.POOL_PURCHASE, fees))
    ]


def _money(tariffs: Tariffs, movements: Movements) -> Items:
    codes = movements.codes
    known = np.array([any(rule.code == code for rule in LINE_RULES) for code in range(_CODES)])
    strange = (codes < 0) | (codes >= _CODES) | ~known[np.clip(codes, 0, _CODES - 1)]
    if strange.any():
        raise ValueError(f"no line of a statement is made of code {int(codes[strange][0])}")
    paid, received = (
        np.array([line_of(code, sign) if known[code] else 0 for code in range(_CODES)])
        for sign in (-1, 1)
    )
    lines = np.where(movements.amounts > 0, received[codes], paid[codes]).astype(np.int64)
    nothing = np.zeros_like(movements.amounts)
    return _at(tariffs, movements, lines, energy_wh=nothing, amounts=movements.amounts)


def _at(
    tariffs: Tariffs,
    at: Positions | Movements,
    lines: Int64Array,
    *,
    energy_wh: Int64Array,
    amounts: Int64Array,
) -> Items:
    """Return lines with section and price of the intervals that they belong to."""
    told_apart = tariffs.is_told_apart[at.intervals]
    prices = np.full_like(lines, NO_PRICE)
    for line in np.unique(lines).tolist():
        tariff = RULE_OF_LINE[line].tariff
        if tariff is not None:
            chosen = (lines == line) & told_apart
            prices[chosen] = getattr(tariffs, tariff)[at.intervals[chosen]]
    return Items(at.members, tariffs.sections[at.intervals], lines, prices, energy_wh, amounts)


def _column(parts: "list[Items] | list[Positions]", name: str) -> Int64Array:
    if not parts:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate([getattr(part, name) for part in parts])
