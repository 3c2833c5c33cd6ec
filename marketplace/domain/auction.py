"""From readings and standing terms to a cleared interval book: pure, deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from marketplace.domain.clearing import Ties, clear_uniform_price
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.domain.keyed_sums import rows_of
from marketplace.domain.pairing import Trades, pair_trades
from marketplace.domain.rules import BandPrices
from marketplace.domain.standing import KeyArray, limits_for_band


@dataclass(frozen=True, eq=False)
class Places:
    """Where metering points are, in the order of the terms: names, and indices of them.

    ``weights`` are those of shares by a fixed key.
    """

    zones: tuple[str, ...]
    zone_of: Int64Array
    levels: tuple[str, ...]
    level_of: Int64Array
    weights: Int64Array


@dataclass(frozen=True, eq=False)
class Terms:
    """Who is expected to report in an interval, and on what terms, in the order of meter codes.

    ``offer_ids`` and ``request_ids`` are 0 where a side has no standing rule in force or it is
    paused; ``has_*_limit`` is False where the rule set's default limit applies. ``places`` matter
    to rule sets of form 2.
    """

    metering_point_ids: Int64Array
    account_ids: Int64Array
    credit_limits: Int64Array
    spread_keys: KeyArray
    offer_ids: Int64Array
    sell_limits: Int64Array
    has_sell_limit: npt.NDArray[np.bool_]
    request_ids: Int64Array
    buy_limits: Int64Array
    has_buy_limit: npt.NDArray[np.bool_]
    places: Places | None = None

    def limits(self, prices: BandPrices) -> tuple[Int64Array, Int64Array]:
        """Return buy and sell limits in a tariff band: the member's own, else the default."""
        buy, sell = limits_for_band(self.spread_keys, prices)
        return (
            np.where(self.has_buy_limit, self.buy_limits, buy),
            np.where(self.has_sell_limit, self.sell_limits, sell),
        )


@dataclass(frozen=True, eq=False)
class Metered:
    """Current readings of an interval, as columns in any order; 1 where estimated. [Wh]"""

    metering_point_ids: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array
    estimated: Int64Array | None = None

    def rows_of(self, terms: Terms) -> tuple[Int64Array, npt.NDArray[np.bool_]]:
        """Return where the readings of expected metering points stand, and which have one."""
        return rows_of(terms.metering_point_ids, self.metering_point_ids)


@dataclass(frozen=True, eq=False)
class Matches:
    """Who sold to whom, as columns; a number is 0 where there is none. [Wh] and [micro/kWh]

    ``delivered_wh`` is below 0 where all of it was delivered as it was metered.
    """

    sellers: Int64Array
    buyers: Int64Array
    offers: Int64Array
    requests: Int64Array
    sell_orders: Int64Array
    buy_orders: Int64Array
    agreements: Int64Array
    wh: Int64Array
    prices: Int64Array
    delivered_wh: Int64Array

    def __len__(self) -> int:
        return len(self.wh)

    @classmethod
    def none(cls) -> Matches:
        """Return that nobody traded."""
        return cls(*(np.zeros(0, dtype=np.int64) for _ in fields(cls)))

    @classmethod
    def joined(cls, parts: Sequence[Matches]) -> Matches:
        """Return several parts as one."""
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls))
        )


@dataclass(frozen=True, eq=False)
class Cleared:
    """An interval's book with the auction's outcome and who traded with whom."""

    book: IntervalBook
    price_low: int | None
    price_high: int | None
    matches: Matches


def clear_interval_book(
    *, terms: Terms, metered: Metered, prices: BandPrices, over_limit: npt.NDArray[np.bool_]
) -> Cleared:
    """Run the auction of a metered interval.

    Parameters
    ----------
    terms : Terms
        Expected metering points and their standing terms.
    metered : Metered
        Readings; a metering point without one is reported as missing, never as zero.
    prices : BandPrices
        Tariffs and fee of the interval. [micro/kWh]
    over_limit : ndarray of bool, shape (n,)
        Rows of ``terms`` whose member owes more than the credit limit: they meet the grid.
    """
    at, present = metered.rows_of(terms)
    rows = np.flatnonzero(present)
    import_wh, export_wh = metered.import_wh[at[rows]], metered.export_wh[at[rows]]
    buy_limits, sell_limits = (limits[rows] for limits in terms.limits(prices))
    admitted = ~over_limit[rows]
    bids = np.flatnonzero((terms.request_ids[rows] > 0) & (import_wh > 0) & admitted)
    offers = np.flatnonzero((terms.offer_ids[rows] > 0) & (export_wh > 0) & admitted)
    clearing = clear_uniform_price(
        buy_limits[bids],
        import_wh[bids],
        sell_limits[offers],
        export_wh[offers],
        ties=Ties.PRO_RATA,
        # Rows stand in the order of meter codes, so the row is the rank.
        bid_ranks=bids,
        offer_ranks=offers,
    )
    trades = pair_trades(clearing) if clearing.volume_wh else _no_trades()
    book = IntervalBook(
        price=clearing.price,
        retail=prices.retail_micro_per_kwh,
        feed_in=prices.feed_in_micro_per_kwh,
        platform_fee=prices.platform_fee_micro_per_kwh,
        metering_point_ids=terms.metering_point_ids[rows],
        account_ids=terms.account_ids[rows],
        import_wh=import_wh,
        export_wh=export_wh,
        offer_ids=only_at(terms.offer_ids[rows], offers),
        request_ids=only_at(terms.request_ids[rows], bids),
        sell_limits=only_at(sell_limits, offers),
        buy_limits=only_at(buy_limits, bids),
        sold_wh=placed_at(clearing.offer_fills, offers, len(rows)),
        bought_wh=placed_at(clearing.bid_fills, bids, len(rows)),
        left_out_ids=terms.metering_point_ids[rows][~admitted],
        missing_ids=terms.metering_point_ids[~present],
    )
    return Cleared(
        book=book,
        price_low=clearing.price_low,
        price_high=clearing.price_high,
        matches=pool_matches(
            book,
            seller_rows=offers[trades.offer_index],
            buyer_rows=bids[trades.bid_index],
            wh=trades.quantity_wh,
            prices=np.full(len(trades.quantity_wh), clearing.price or 0, dtype=np.int64),
        ),
    )


def pool_matches(
    book: IntervalBook,
    *,
    seller_rows: Int64Array,
    buyer_rows: Int64Array,
    wh: Int64Array,
    prices: Int64Array,
) -> Matches:
    """Return trades between rows of a book that its standing terms made."""
    nothing = np.zeros_like(wh)
    return Matches(
        sellers=book.metering_point_ids[seller_rows],
        buyers=book.metering_point_ids[buyer_rows],
        offers=book.offer_ids[seller_rows],
        requests=book.request_ids[buyer_rows],
        sell_orders=nothing,
        buy_orders=nothing,
        agreements=nothing,
        wh=wh,
        prices=prices,
        delivered_wh=nothing - 1,
    )


def _no_trades() -> Trades:
    nothing = np.zeros(0, dtype=np.int64)
    return Trades(nothing, nothing, nothing)


def only_at(values: Int64Array, rows: Int64Array) -> Int64Array:
    """Keep the values of some rows, and 0 elsewhere."""
    kept = np.zeros_like(values)
    kept[rows] = values[rows]
    return kept


def placed_at(values: Int64Array, rows: Int64Array, count: int) -> Int64Array:
    placed = np.zeros(count, dtype=np.int64)
    placed[rows] = values
    return placed
