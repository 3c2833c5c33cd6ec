"""An auction before delivery: what was held for its orders, and its outcome recomputed.

References
----------
docs/market.md, "The pool in forward mode: the auction".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from validator.auction_book import AuctionBook, ForwardOrder
from validator.bodies import HOLD, Transfers
from validator.checks import Objected
from validator.interval_money import amount_of
from validator.interval_rules import Prices, RuleSet
from validator.market_archive import Margin, MarketArchive, MarketFresh
from validator.market_auction import hold_auction
from validator.market_rules import PAY_AS_BID, ForwardRules, MarketRules
from validator.zone_checks import require_optimal
from validator.zones import ZoneOrder

MARGIN_CODE = 22
MICROSECONDS_PER_MINUTE = 60_000_000


def note_margin(key: str, body: Transfers, time: int, fresh: MarketFresh) -> None:
    """Remember what a booked command holds as margin of orders.

    Parameters
    ----------
    key : str
        The command's key.
    body : Transfers
        Its legs.
    time : int
        When its block was closed. [microseconds since 1970]
    fresh : MarketFresh
        Where it is noted.
    """
    if body.kind is None or MARGIN_CODE not in body.code:
        return
    held = sum(
        amount
        for kind, code, amount in zip(body.kind, body.code, body.amount, strict=True)
        if kind == HOLD and code == MARGIN_CODE
    )
    if held:
        fresh.margins[key] = Margin(held, time)


def require_one_place(index: int, auction: AuctionBook) -> None:
    """Check that no order stands twice and no metering point in two places."""
    places: dict[int, tuple[str, int]] = {}
    for one in auction.orders:
        if places.setdefault(one.meter, (one.zone, one.account)) != (one.zone, one.account):
            raise Objected(index, "book", "a metering point has two zones or two accounts")
    if len({one.order for one in auction.orders}) != len(auction.orders):
        raise Objected(index, "book", "an order stands twice")


def require_auction_prices(
    index: int, auction: AuctionBook, rules: RuleSet, market: MarketRules, forward: ForwardRules
) -> None:
    """Check times and zones of an auction against its rule set."""
    closes = auction.starts - forward.gate_closure_minutes * MICROSECONDS_PER_MINUTE
    length = rules.interval_minutes * MICROSECONDS_PER_MINUTE
    if auction.timezone != rules.timezone or auction.ends - auction.starts != length:
        raise Objected(index, "prices", "the rule set's intervals are others")
    if auction.closes != closes:
        raise Objected(index, "prices", "the rule set closes orders at another time")
    if auction.prices.keys() != {*market.zones} or any(
        one.zone not in market.zones for one in auction.orders
    ):
        raise Objected(index, "prices", "the zones are others than the rule set's")
    if len(auction.links) != len(market.links):
        raise Objected(index, "prices", "the links are others than the rule set's")


def margins_of(auction: AuctionBook, prices: Prices, forward: ForwardRules) -> Counter[str]:
    """Return what each command has to hold for the orders that name it. [micro]"""
    needed: Counter[str] = Counter()
    for one in auction.orders:
        needed[one.hold] += _margin(one, prices, forward)
    return needed


def require_margins(
    index: int, closes: int, needed: Counter[str], archive: MarketArchive, fresh: MarketFresh
) -> None:
    """Check that margins were held in time, and take them from what was held.

    Raises
    ------
    Objected
        If a hold is not there, came late, or is too small for the orders that name it.
    """
    for key, amount in needed.items():
        margin = fresh.margins.get(key) or archive.margin(key)
        if margin is None:
            if archive.is_whole:
                raise Objected(index, "hold", "an order's margin was not held")
            continue
        if margin.time > closes:
            raise Objected(index, "hold", "an order's margin was held after the gate had closed")
        if margin.left < amount:
            raise Objected(index, "hold", "the margin of orders is too small")
        fresh.margins[key] = margin._replace(left=margin.left - amount)


def _margin(order: ForwardOrder, prices: Prices, forward: ForwardRules) -> int:
    if order.is_bid:
        return amount_of(order.wh, max(order.limit, 0) + prices.fee + prices.grid)
    return amount_of(order.wh, max(-order.limit, 0) + forward.margin)


def require_outcome(index: int, auction: AuctionBook, market: MarketRules) -> None:
    """Check prices, flows, fills and what was dropped.

    Raises
    ------
    Objected
        If the orders give another outcome.
    """
    orders = auction.orders
    if auction.is_halted:
        if _is_anything(auction):
            raise Objected(index, "auction", "something trades though the market was halted")
        return
    if len(market.zones) > 1:
        _require_minimums(index, orders)
        require_optimal(
            index,
            market,
            [
                ZoneOrder(one.zone, one.is_bid, one.limit, one.wh, rank, one.filled)
                for rank, one in enumerate(orders)
                if not one.is_dropped
            ],
            auction.prices,
            auction.links,
        )
        return
    held = hold_auction(orders)
    (price,) = auction.prices.values()
    if price != (None if market.pricing == PAY_AS_BID else held.price):
        raise Objected(index, "auction", "the auction gives another price")
    if any(
        (one.filled, one.is_dropped) != (held.filled.get(rank, 0), rank in held.dropped)
        for rank, one in enumerate(orders)
    ):
        raise Objected(index, "auction", "the auction gives other fills")


def _is_anything(auction: AuctionBook) -> bool:
    return (
        any(price is not None for price in auction.prices.values())
        or any(one.filled or one.is_dropped for one in auction.orders)
        or any(flow.sent or flow.received for flow in auction.links)
    )


def _require_minimums(index: int, orders: Sequence[ForwardOrder]) -> None:
    for one in orders:
        if (one.is_dropped and one.filled) or (0 < one.filled < one.minimum):
            raise Objected(index, "auction", "a fill is below its minimum, or of a dropped order")
        # Whatever is filled at all is as much as it wants.
        if one.is_dropped and one.minimum <= 1:
            raise Objected(index, "auction", "an order without a minimum is dropped for it")
