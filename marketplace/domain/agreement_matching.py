"""What agreements in force move before the pool and the grid: contracts, gifts, partners."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from marketplace.domain.clearing import Int64Array
from marketplace.domain.keyed_sums import rows_of

Flags = npt.NDArray[np.bool_]

# Stages of a matching order, in their order; gifts are contracts at nothing.
CONTRACTS = "contracts"
PARTNERS = "partners"


@dataclass(frozen=True, eq=False)
class Agreements:
    """Agreements in force at a moment, as columns in any order.

    Attributes
    ----------
    ids : ndarray of int64, shape (k,)
        Numbers of the agreements.
    is_partner : ndarray of bool, shape (k,)
        Nominated partners; the others are contracts and gifts.
    ranks : ndarray of int64, shape (k,)
        Of partners, 1 is served first; 0 of the others.
    seller_ids, buyer_ids : ndarray of int64, shape (k,)
        Metering points.
    prices, has_price : ndarray of int64 and of bool, shape (k,)
        Fixed price, where there is one; a partner's otherwise is the middle of the
        interval. [micro/kWh]
    maximum_wh, has_maximum : ndarray of int64 and of bool, shape (k,)
        Limit per interval, where there is one. [Wh]
    """

    ids: Int64Array
    is_partner: Flags
    ranks: Int64Array
    seller_ids: Int64Array
    buyer_ids: Int64Array
    prices: Int64Array
    has_price: Flags
    maximum_wh: Int64Array
    has_maximum: Flags

    @classmethod
    def none(cls) -> Self:
        """Return that nobody has agreed on anything."""
        number, flag = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
        return cls(number, flag, number, number, number, number, flag, number, flag)


@dataclass(frozen=True, eq=False)
class Agreed:
    """What agreements moved, in the order of the stages; rows are those of the positions. [Wh]"""

    agreement_ids: Int64Array
    seller_rows: Int64Array
    buyer_rows: Int64Array
    wh: Int64Array
    prices: Int64Array
    import_left: Int64Array
    export_left: Int64Array


def match_agreements(
    agreements: Agreements,
    *,
    matching_order: tuple[str, ...],
    metering_point_ids: Int64Array,
    admitted: Flags,
    import_wh: Int64Array,
    export_wh: Int64Array,
    middle_micro_per_kwh: int,
) -> Agreed:
    """Withdraw agreed energy from both sides, agreement by agreement.

    Parameters
    ----------
    agreements : Agreements
        Those in force.
    matching_order : tuple of str
        Stages of the rule set.
    metering_point_ids, import_wh, export_wh : ndarray of int64, shape (n,)
        The positions and their readings. [Wh]
    admitted : ndarray of bool, shape (n,)
        False for who is left out: they take no part as buyers.
    middle_micro_per_kwh : int
        Price of partners that have not agreed on one. [micro/kWh]
    """
    import_left, export_left = import_wh.copy(), export_wh.copy()
    served = _in_order(agreements, matching_order)
    sellers, seller_found = rows_of(agreements.seller_ids[served], metering_point_ids)
    buyers, buyer_found = rows_of(agreements.buyer_ids[served], metering_point_ids)
    able = seller_found & buyer_found
    able[able] = admitted[buyers[able]]
    served, sellers, buyers = served[able], sellers[able], buyers[able]
    wh = np.zeros(len(served), dtype=np.int64)
    # One after the other, since each leaves less to the next; a member has a handful at most.
    for index, (at, seller, buyer) in enumerate(
        zip(served.tolist(), sellers.tolist(), buyers.tolist(), strict=True)
    ):
        moved = min(int(export_left[seller]), int(import_left[buyer]))
        if agreements.has_maximum[at]:
            moved = min(moved, int(agreements.maximum_wh[at]))
        export_left[seller] -= moved
        import_left[buyer] -= moved
        wh[index] = moved
    kept = wh > 0
    served = served[kept]
    return Agreed(
        agreement_ids=agreements.ids[served],
        seller_rows=sellers[kept],
        buyer_rows=buyers[kept],
        wh=wh[kept],
        prices=np.where(
            agreements.has_price[served], agreements.prices[served], middle_micro_per_kwh
        ),
        import_left=import_left,
        export_left=export_left,
    )


def _in_order(agreements: Agreements, matching_order: tuple[str, ...]) -> Int64Array:
    """Return the agreements of the stages that there are, in the order in which they are served."""
    order = np.lexsort((agreements.ids, agreements.ranks, agreements.is_partner))
    wanted = np.where(
        agreements.is_partner, PARTNERS in matching_order, CONTRACTS in matching_order
    ).astype(np.bool_)
    served: Int64Array = order[wanted[order]]
    return served
