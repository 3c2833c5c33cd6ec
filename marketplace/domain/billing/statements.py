"""From positions and movements of money to the lines of statements, for many members at once."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from marketplace.domain.billing.lines import LINE_RULES, Line, line_of
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
    kinds = _Kinds.of(tariffs)
    sums = _Sums.empty(kinds, [positions.members, movements.members])
    for at, rule in enumerate(LINE_RULES):
        if rule.energy is not None:
            energy = getattr(positions, rule.energy) * positions.weights
            sums.add(sums.energy_wh, positions, at, energy)
    # The fee is paid with the purchase: it is taken out of one line and put into the other.
    fees = positions.fees * positions.weights
    sums.add(sums.amounts, positions, _AT[Line.POOL_PURCHASE], fees)
    sums.add(sums.amounts, positions, _AT[Line.PLATFORM_FEE], -fees)
    sums.add(sums.amounts, movements, _rules_of(movements), movements.amounts)
    return sums.items()


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


@dataclass(frozen=True, eq=False)
class _Kinds:
    """What tells lines apart beside the member: section, line and price; few for many rows.

    ``table`` is the kind of each rule's line in each interval.
    """

    sections: Int64Array
    lines: Int64Array
    prices: Int64Array
    table: Int64Array

    @classmethod
    def of(cls, tariffs: Tariffs) -> "_Kinds":
        count = len(tariffs.sections)
        varied = np.full(count, NO_PRICE, dtype=np.int64)
        rows = []
        for rule in LINE_RULES:
            told = varied if rule.tariff is None else getattr(tariffs, rule.tariff)
            prices = np.where(tariffs.is_told_apart, told, varied)
            rows.append(np.stack([tariffs.sections, np.full(count, int(rule.line)), prices]))
        columns = np.concatenate(rows, axis=1)
        unique, inverse = np.unique(columns, axis=1, return_inverse=True)
        sections, lines, prices = unique
        return cls(sections, lines, prices, inverse.reshape(len(LINE_RULES), count))


@dataclass(frozen=True, eq=False)
class _Sums:
    """A place for each member and kind: sorting millions of rows would take far longer."""

    kinds: _Kinds
    energy_wh: Int64Array
    amounts: Int64Array

    @classmethod
    def empty(cls, kinds: _Kinds, members: list[Int64Array]) -> "_Sums":
        count = 1 + max(int(each.max(initial=-1)) for each in members)
        size = count * len(kinds.lines)
        return cls(kinds, np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64))

    def add(
        self,
        sums: Int64Array,
        at: Positions | Movements,
        rules: int | Int64Array,
        values: Int64Array,
    ) -> None:
        """Add values of rows to the lines of some rules, one for all or one each."""
        kinds = self.kinds.table[rules, at.intervals]
        np.add.at(sums, at.members * len(self.kinds.lines) + kinds, values)

    def items(self) -> Items:
        """Return the lines that have anything, in order of member, section, line and price."""
        found = np.flatnonzero((self.energy_wh != 0) | (self.amounts != 0))
        members, kinds = np.divmod(found, max(1, len(self.kinds.lines)))
        return Items(
            members,
            self.kinds.sections[kinds],
            self.kinds.lines[kinds],
            self.kinds.prices[kinds],
            self.energy_wh[found],
            self.amounts[found],
        )


_AT = {rule.line: at for at, rule in enumerate(LINE_RULES)}
_CODES = max(rule.code for rule in LINE_RULES) + 1


def _rules_of(movements: Movements) -> Int64Array:
    """Return the rule of each movement's line."""
    codes = movements.codes
    paid, received = (
        np.array([_rule_at(code, sign) for code in range(_CODES)], dtype=np.int64)
        for sign in (-1, 1)
    )
    strange = (codes < 0) | (codes >= _CODES)
    strange |= paid[np.where(strange, 0, codes)] < 0
    if strange.any():
        raise ValueError(f"no line of a statement is made of code {int(codes[strange][0])}")
    chosen: Int64Array = np.where(movements.amounts > 0, received[codes], paid[codes])
    return chosen


def _rule_at(code: int, sign: int) -> int:
    try:
        return _AT[line_of(code, sign)]
    except KeyError:
        return -1


def _column(parts: "list[Items] | list[Positions]", name: str) -> Int64Array:
    if not parts:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate([getattr(part, name) for part in parts])
