"""An interval of form 2: agreements, then the pool, then the grid; from readings to a book.

``docs/market.md`` is the specification. Pure and deterministic: a month can be computed again
under other rules without anything being stored.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from marketplace.domain.agreement_matching import Agreed, Agreements, match_agreements
from marketplace.domain.auction import (
    Cleared,
    Matches,
    Metered,
    Terms,
    only_at,
    placed_at,
    pool_matches,
)
from marketplace.domain.clearing import Int64Array
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.forward.market import clear_forward
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market_positions import (
    MarketPositions,
    ZoneOutcome,
    agreed_matches,
    market_book,
    market_part,
    metered_positions,
)
from marketplace.domain.pool import PAY_AS_BID, PoolOrders, clear_pool


def clear_market(
    *,
    rules: IntervalRules,
    terms: Terms,
    metered: Metered,
    over_limit: npt.NDArray[np.bool_],
    agreements: Agreements,
    auction: HeldAuction | None = None,
) -> Cleared:
    """Clear an interval of form 2.

    Parameters
    ----------
    rules : IntervalRules
        The rule set at the start of the interval.
    terms, metered : Terms, Metered
        Who is expected to report on what terms, and readings. A missing one is never zero.
    over_limit : ndarray of bool, shape (n,)
        Rows of ``terms`` whose member owes more than the credit limit.
    agreements : Agreements
        Those in force.
    auction : HeldAuction, optional
        Of a forward interval: what was traded before delivery.
    """
    positions, missing_ids = metered_positions(rules, terms, metered, over_limit)
    return clear_positions(
        rules=rules,
        positions=positions,
        agreements=agreements,
        auction=auction,
        missing_ids=missing_ids,
    )


def clear_positions(
    *,
    rules: IntervalRules,
    positions: MarketPositions,
    agreements: Agreements,
    auction: HeldAuction | None,
    missing_ids: Int64Array,
) -> Cleared:
    """Clear an interval whose positions and limits are known; see `clear_market`."""
    agreed = match_agreements(
        agreements,
        matching_order=rules.market.matching_order,
        metering_point_ids=positions.ids,
        admitted=positions.admitted,
        import_wh=positions.import_wh,
        export_wh=positions.export_wh,
        middle_micro_per_kwh=rules.middle,
    )
    if auction is not None:
        return clear_forward(rules, positions, agreed, auction, missing_ids)
    return _metered(rules, positions, agreed, missing_ids)


def _metered(
    rules: IntervalRules, positions: MarketPositions, agreed: Agreed, missing_ids: Int64Array
) -> Cleared:
    """Let the pool trade what agreements left, by standing terms."""
    bids = np.flatnonzero(
        (positions.request_ids > 0) & (agreed.import_left > 0) & positions.admitted
    )
    offers = np.flatnonzero(
        (positions.offer_ids > 0) & (agreed.export_left > 0) & positions.admitted
    )
    pool = clear_pool(
        rules,
        _orders(positions, bids, positions.buy_limits, agreed.import_left),
        _orders(positions, offers, positions.sell_limits, agreed.export_left),
    )
    count = len(positions.ids)
    part = market_part(rules, positions, agreed, ZoneOutcome(pool.prices, pool.sent, pool.received))
    seller_rows, buyer_rows = offers[pool.trades.offer_index], bids[pool.trades.bid_index]
    if rules.pricing == PAY_AS_BID:
        wh = pool.trades.quantity_wh
        part = replace(
            part,
            by_trades=True,
            trade_sellers=positions.ids[seller_rows],
            trade_buyers=positions.ids[buyer_rows],
            trade_wh=wh,
            trade_prices=pool.trade_prices,
            trade_given=wh,
            trade_taken=wh,
        )
    book = market_book(
        rules,
        positions,
        part,
        missing_ids,
        offer_ids=only_at(positions.offer_ids, offers),
        request_ids=only_at(positions.request_ids, bids),
        sell_limits=only_at(positions.sell_limits, offers),
        buy_limits=only_at(positions.buy_limits, bids),
        sold_wh=placed_at(pool.offer_fills, offers, count),
        bought_wh=placed_at(pool.bid_fills, bids, count),
    )
    pool_trades = pool_matches(
        book,
        seller_rows=seller_rows,
        buyer_rows=buyer_rows,
        wh=pool.trades.quantity_wh,
        prices=pool.trade_prices,
    )
    matches = Matches.joined([agreed_matches(part), pool_trades])
    return Cleared(book, pool.price_low, pool.price_high, matches)


def _orders(
    positions: MarketPositions, rows: Int64Array, limits: Int64Array, left: Int64Array
) -> PoolOrders:
    return PoolOrders(
        rows=rows,
        limits=limits[rows],
        wh=left[rows],
        zones=positions.zone_of[rows],
        weights=positions.weights[rows],
    )
