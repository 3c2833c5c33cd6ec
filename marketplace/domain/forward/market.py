"""Trades made before delivery, held against what agreements left of the readings."""

from dataclasses import replace

import numpy as np

from marketplace.domain.agreement_matching import Agreed
from marketplace.domain.auction import Cleared, Matches
from marketplace.domain.clearing import Int64Array
from marketplace.domain.forward.delivery import (
    ForwardTrades,
    HeldAuction,
    laid_on_trades,
    pair_auction,
)
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.keyed_sums import rows_of
from marketplace.domain.market_part import MarketPart
from marketplace.domain.market_positions import (
    MarketPositions,
    ZoneOutcome,
    agreed_matches,
    market_book,
    market_part,
)
from marketplace.domain.pool import PAY_AS_BID


def clear_forward(
    rules: IntervalRules,
    positions: MarketPositions,
    agreed: Agreed,
    auction: HeldAuction,
    missing_ids: Int64Array,
) -> Cleared:
    """Clear a forward interval, whose auction was held before delivery."""
    forward = rules.forward
    if forward is None:
        raise ValueError("a rule set in metered mode has no auctions before delivery")
    trades = pair_auction(auction, rules.pricing)
    points = auction.metering_point_ids
    sellers, seller_found = rows_of(points[trades.sell_rows], positions.ids)
    buyers, buyer_found = rows_of(points[trades.buy_rows], positions.ids)
    kept = seller_found & buyer_found
    given, taken = (
        laid_on_trades(
            positions=np.where(kept, rows, -1),
            energy_wh=left,
            order_ranks=ranks,
            wh=trades.wh,
            delivery=forward.delivery,
        )
        for rows, left, ranks in (
            (sellers, agreed.export_left, trades.sell_rows),
            (buyers, agreed.import_left, trades.buy_rows),
        )
    )
    own = forward.deviation == "own"
    part = market_part(
        rules,
        positions,
        agreed,
        ZoneOutcome(auction.prices, auction.sent, auction.received),
    )
    part = replace(part, deviation=forward.deviation)
    if own or rules.pricing == PAY_AS_BID:
        told = np.flatnonzero(kept) if own else np.arange(len(kept))
        part = replace(
            part,
            by_trades=True,
            trade_sellers=points[trades.sell_rows[told]],
            trade_buyers=points[trades.buy_rows[told]],
            trade_wh=trades.wh[told],
            trade_prices=trades.prices[told],
            trade_given=given[told],
            trade_taken=taken[told],
        )
    if not own:
        part = _with_absent(part, positions, auction)
    traded = _matches_of(trades, auction, delivered_wh=np.minimum(given, taken))
    book = _book_of(rules, positions, part, missing_ids, auction)
    return Cleared(book, None, None, Matches.joined([agreed_matches(part), traded]))


def _matches_of(
    trades: ForwardTrades, auction: HeldAuction, *, delivered_wh: Int64Array
) -> Matches:
    """Return the trades by their orders; no offer, request or agreement stands behind them."""
    no_terms = np.zeros(len(trades.wh), dtype=np.int64)
    points = auction.metering_point_ids
    return Matches(
        sellers=points[trades.sell_rows],
        buyers=points[trades.buy_rows],
        offers=no_terms,
        requests=no_terms,
        sell_orders=auction.order_ids[trades.sell_rows],
        buy_orders=auction.order_ids[trades.buy_rows],
        agreements=no_terms,
        wh=trades.wh,
        prices=trades.prices,
        delivered_wh=delivered_wh,
    )


def _book_of(
    rules: IntervalRules,
    positions: MarketPositions,
    part: MarketPart,
    missing_ids: Int64Array,
    auction: HeldAuction,
) -> IntervalBook:
    """Return the book, which has no orders of its own: the auction's document has them."""
    none = np.zeros(len(positions.ids), dtype=np.int64)
    bought, sold = auction.filled_by_point(positions.ids)
    return market_book(
        rules,
        positions,
        part,
        missing_ids,
        offer_ids=none,
        request_ids=none,
        sell_limits=none,
        buy_limits=none,
        sold_wh=sold,
        bought_wh=bought,
    )


def _with_absent(part: MarketPart, positions: MarketPositions, auction: HeldAuction) -> MarketPart:
    """Add who traded ahead and has no position, in the order of their first orders."""
    absent = ~np.isin(auction.metering_point_ids, positions.ids)
    ids, first = np.unique(auction.metering_point_ids[absent], return_index=True)
    order = np.argsort(first)
    ids, at = ids[order], np.flatnonzero(absent)[first[order]]
    bought, sold = auction.filled_by_point(ids)
    traded = (bought > 0) | (sold > 0)
    return replace(
        part,
        absent_ids=ids[traded],
        absent_accounts=auction.account_ids[at][traded],
        absent_zones=auction.zone_of[at][traded],
        absent_bought=bought[traded],
        absent_sold=sold[traded],
    )
