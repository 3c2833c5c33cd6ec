"""The positions of an interval of form 2, and the parts of its book that follow from them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marketplace.domain.agreement_matching import Agreed
from marketplace.domain.auction import Matches, Metered, Terms
from marketplace.domain.clearing import Int64Array
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market_part import MarketPart, nothing
from marketplace.domain.market_rules import PRICE_TAKING
from marketplace.domain.pool import SHARING_STATIC
from marketplace.domain.standing import limits_between


@dataclass(frozen=True, eq=False)
class ZoneOutcome:
    """Prices of the zones and flows over the links. [micro/kWh] and [Wh]"""

    prices: tuple[int | None, ...]
    sent: Int64Array
    received: Int64Array


@dataclass(frozen=True, eq=False)
class MarketPositions:
    """Metering points with a reading, in the order of the book. [Wh] and [micro/kWh]

    ``offer_ids`` and ``request_ids`` are 0 where nothing is in force; who is not ``admitted``
    makes no orders whatever they say. ``zone_of`` and ``level_of`` are indices of the rule set's
    zones and of ``levels``.
    """

    ids: Int64Array
    accounts: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array
    estimated: Int64Array
    zone_of: Int64Array
    levels: tuple[str, ...]
    level_of: Int64Array
    weights: Int64Array
    admitted: npt.NDArray[np.bool_]
    offer_ids: Int64Array
    request_ids: Int64Array
    sell_limits: Int64Array
    buy_limits: Int64Array


def metered_positions(
    rules: IntervalRules, terms: Terms, metered: Metered, over_limit: npt.NDArray[np.bool_]
) -> tuple[MarketPositions, Int64Array]:
    """Return who has a reading, with their limits, and who has none; see `clear_market`."""
    at, present = metered.rows_of(terms)
    rows = np.flatnonzero(present)
    missing_ids = terms.metering_point_ids[~present]
    return _positions(rules, terms, metered, rows, ~over_limit[rows], at=at[rows]), missing_ids


def _positions(
    rules: IntervalRules,
    terms: Terms,
    metered: Metered,
    rows: Int64Array,
    admitted: npt.NDArray[np.bool_],
    *,
    at: Int64Array,
) -> MarketPositions:
    places = terms.places
    if places is None:
        raise ValueError("form 2 needs to know where metering points are")
    zones = np.array([rules.zone_index(zone) for zone in places.zones], dtype=np.int64)
    zone_of, level_of = zones[places.zone_of[rows]], places.level_of[rows]
    fees = rules.local_fees(zone_of, places.levels, level_of)
    buy, sell = _limits(rules, terms, rows, fees)
    none = np.zeros(len(rows), dtype=np.int64)
    return MarketPositions(
        ids=terms.metering_point_ids[rows],
        accounts=terms.account_ids[rows],
        import_wh=metered.import_wh[at],
        export_wh=metered.export_wh[at],
        estimated=none if metered.estimated is None else metered.estimated[at],
        zone_of=zone_of,
        levels=places.levels,
        level_of=level_of,
        weights=places.weights[rows] if rules.pricing == SHARING_STATIC else none,
        admitted=admitted,
        offer_ids=terms.offer_ids[rows],
        request_ids=terms.request_ids[rows],
        sell_limits=sell,
        buy_limits=buy,
    )


def _limits(
    rules: IntervalRules, terms: Terms, rows: Int64Array, fees: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """Return buy and sell limits: the member's own, else the default of the pricing."""
    prices = rules.prices
    floor = prices.feed_in_micro_per_kwh
    ceilings = prices.retail_micro_per_kwh - prices.platform_fee_micro_per_kwh - fees
    if rules.pricing in PRICE_TAKING:
        buy, sell = ceilings, np.full(len(rows), floor, dtype=np.int64)
    else:
        buy, sell = limits_between(terms.spread_keys[rows], floor, rules.middle, ceilings)
    return (
        np.where(terms.has_buy_limit[rows], terms.buy_limits[rows], buy),
        np.where(terms.has_sell_limit[rows], terms.sell_limits[rows], sell),
    )


def market_part(
    rules: IntervalRules,
    positions: MarketPositions,
    agreed: Agreed,
    outcome: ZoneOutcome,
) -> MarketPart:
    """Return what a book has besides, without trades and without what was traded ahead."""
    links = np.array(
        [(each.from_zone, each.to_zone, each.fee_micro_per_kwh) for each in rules.links],
        dtype=np.int64,
    ).reshape(-1, 3)
    zones, levels = rules.zones, positions.levels
    pairs = zip(agreed.seller_rows.tolist(), agreed.buyer_rows.tolist(), strict=True)
    fees = [
        rules.fee(
            zones[positions.zone_of[seller]],
            zones[positions.zone_of[buyer]],
            levels[positions.level_of[buyer]],
        )
        for seller, buyer in pairs
    ]
    empty = nothing()
    return MarketPart(
        pricing=rules.pricing,
        deviation=None,
        zones=zones,
        prices=outcome.prices,
        link_from=links[:, 0],
        link_to=links[:, 1],
        link_fees=links[:, 2],
        sent=outcome.sent,
        received=outcome.received,
        levels=levels,
        zone_of=positions.zone_of,
        level_of=positions.level_of,
        weights=positions.weights,
        estimated=positions.estimated,
        local_fees=rules.local_fees(positions.zone_of, levels, positions.level_of),
        match_agreements=agreed.agreement_ids,
        match_sellers=positions.ids[agreed.seller_rows],
        match_buyers=positions.ids[agreed.buyer_rows],
        match_wh=agreed.wh,
        match_prices=agreed.prices,
        match_fees=np.array(fees, dtype=np.int64),
        by_trades=False,
        trade_sellers=empty,
        trade_buyers=empty,
        trade_wh=empty,
        trade_prices=empty,
        trade_given=empty,
        trade_taken=empty,
        absent_ids=empty,
        absent_accounts=empty,
        absent_zones=empty,
        absent_bought=empty,
        absent_sold=empty,
        settled_count=None,
        settled_import=empty,
        settled_export=empty,
    )


def market_book(
    rules: IntervalRules,
    positions: MarketPositions,
    part: MarketPart,
    missing_ids: Int64Array,
    **orders: Int64Array,
) -> IntervalBook:
    """Return the book of positions and their orders and fills."""
    return IntervalBook(
        price=part.prices[0] if len(part.zones) == 1 else None,
        retail=rules.prices.retail_micro_per_kwh,
        feed_in=rules.prices.feed_in_micro_per_kwh,
        platform_fee=rules.prices.platform_fee_micro_per_kwh,
        metering_point_ids=positions.ids,
        account_ids=positions.accounts,
        import_wh=positions.import_wh,
        export_wh=positions.export_wh,
        left_out_ids=positions.ids[~positions.admitted],
        missing_ids=missing_ids,
        market=part,
        **orders,
    )


def agreed_matches(part: MarketPart) -> Matches:
    """Return who sold to whom by agreement."""
    none = np.zeros_like(part.match_wh)
    return Matches(
        sellers=part.match_sellers,
        buyers=part.match_buyers,
        offers=none,
        requests=none,
        sell_orders=none,
        buy_orders=none,
        agreements=part.match_agreements,
        wh=part.match_wh,
        prices=part.match_prices,
        delivered_wh=none - 1,
    )
