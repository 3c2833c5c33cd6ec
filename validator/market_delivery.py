"""What of each forward trade was delivered, where every party answers for its own deviation.

References
----------
docs/market.md, "Money", the rule ``own``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from validator.auction_book import ForwardOrder
from validator.interval_auction import Order, share
from validator.interval_money import amount_of
from validator.interval_rules import Prices
from validator.market_auction import Trade
from validator.market_rules import FIFO


@dataclass(slots=True)
class Delivered:
    """What a metering point's trades come to. [Wh, micro]"""

    bought: int = 0
    sold: int = 0
    paid: int = 0
    earned: int = 0
    owed: int = 0
    due: int = 0


def deliver(
    trades: Sequence[Trade],
    orders: Sequence[ForwardOrder],
    *,
    exports: Mapping[int, int],
    imports: Mapping[int, int],
    delivery: str,
    prices: Prices,
) -> dict[int, Delivered]:
    """Lay what was metered over the trades and price what is missing.

    Parameters
    ----------
    trades : sequence of Trade
        As they were paired; those of a metering point without a reading are left aside.
    orders : sequence of ForwardOrder
        Of the auction, by rank.
    exports, imports : mapping
        What agreements left of each metering point's energy. [Wh]
    delivery : str
        First-in-first-out, or pro rata.
    prices : Prices
        Of the interval.
    """
    known = [
        one
        for one in trades
        if orders[one.buyer].meter in imports and orders[one.seller].meter in exports
    ]
    given = _laid([one.seller for one in known], known, orders, exports, delivery)
    taken = _laid([one.buyer for one in known], known, orders, imports, delivery)
    found: dict[int, Delivered] = {}
    for trade, one, other in zip(known, given, taken, strict=True):
        buyer = found.setdefault(orders[trade.buyer].meter, Delivered())
        seller = found.setdefault(orders[trade.seller].meter, Delivered())
        wh = min(one, other)
        amount = amount_of(wh, trade.price)
        buyer.bought += wh
        buyer.paid += amount
        seller.sold += wh
        seller.earned += amount
        if other > one:
            saved = max(0, prices.retail - prices.fee - trade.price)
            owed = amount_of(other - one, saved)
            seller.owed += owed
            buyer.due += owed
        elif one > other:
            owed = amount_of(one - other, max(0, trade.price - prices.feed_in))
            buyer.owed += owed
            seller.due += owed
    return found


def _laid(
    ranks: Sequence[int],
    trades: Sequence[Trade],
    orders: Sequence[ForwardOrder],
    metered: Mapping[int, int],
    delivery: str,
) -> list[int]:
    """Return how much of each trade one side's metering points have metered. [Wh]

    Parameters
    ----------
    ranks : sequence of int
        For each trade the order of that side.
    """
    of_meter: dict[int, list[int]] = {}
    for at in sorted(range(len(trades)), key=lambda at: (ranks[at], at)):
        of_meter.setdefault(orders[ranks[at]].meter, []).append(at)
    laid = [0] * len(trades)
    for meter, places in of_meter.items():
        whole = sum(trades[at].wh for at in places)
        left = min(metered[meter], whole)
        if delivery == FIFO:
            for at in places:
                laid[at] = min(trades[at].wh, left)
                left -= laid[at]
            continue
        parts = [Order(0, trades[at].wh, rank) for rank, at in enumerate(places)]
        for rank, wh in share(parts, left).items():
            laid[places[rank]] = wh
    return laid
