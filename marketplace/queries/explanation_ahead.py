"""Why a forward interval came to what it did: orders, their rank in the auction, what was kept."""

from dataclasses import dataclass

import numpy as np

from marketplace.domain.clearing import Int64Array
from marketplace.domain.forward.auction_book import StoredAuction, read_auction, unpack_rows
from marketplace.domain.forward.orders import BUY
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.market_part import Deviation
from marketplace.domain.position_money import deviations_of, positions_of
from marketplace.models import Auction, DeliveryInterval
from marketplace.queries.order_book import OrderLine, list_orders


@dataclass(frozen=True)
class PlacedOrder:
    """An order with its place among those of its side and zone; counts are None if it was in none.

    ``eager_count`` orders had a better limit, ``equal_count`` the same one, itself included.
    """

    line: OrderLine
    eager_count: int | None
    equal_count: int | None
    side_count: int | None


@dataclass(frozen=True)
class Kept:
    """What became of trades made ahead, once the readings were there. [Wh]"""

    short_wh: int
    not_taken_wh: int


@dataclass(frozen=True)
class Ahead:
    """What a metering point had ordered ahead of delivery, and the auction. [Wh], [micro/kWh]

    Figures of the auction are None before it was held, ``kept`` before the interval is cleared.
    """

    deviation: Deviation
    orders: list[PlacedOrder]
    is_auctioned: bool
    is_halted: bool
    volume_wh: int | None
    price_low_micro_per_kwh: int | None
    price_high_micro_per_kwh: int | None
    document_key: str
    kept: Kept | None


def explain_ahead(
    *,
    participant_id: int,
    interval: DeliveryInterval,
    metering_point_id: int,
    book: IntervalBook | None,
) -> Ahead | None:
    """Explain what was traded ahead; None where the rules know no trade ahead.

    Parameters
    ----------
    book : IntervalBook or None
        The clearing in force; None before there is one.
    """
    document = interval.rule_set.document
    if document["mode"] != "forward":
        return None
    auction = Auction.objects.filter(interval=interval).first()
    stored = read_auction(unpack_rows(bytes(auction.book))) if auction else None
    lines = list_orders(
        participant_ids=[participant_id],
        metering_point_id=metering_point_id,
        starts_at=interval.starts_at,
    )
    zone = lines[0].zone if lines else None
    return Ahead(
        deviation=document["deviation"],
        orders=[_placed(line, stored) for line in reversed(lines)],
        is_auctioned=auction is not None,
        is_halted=auction is not None and auction.reason == Auction.Reason.HALTED,
        volume_wh=auction.volume_wh if auction else None,
        price_low_micro_per_kwh=auction.price_lows.get(zone) if auction else None,
        price_high_micro_per_kwh=auction.price_highs.get(zone) if auction else None,
        document_key=auction.document_key if auction else "",
        kept=_kept(book, metering_point_id) if book else None,
    )


def _placed(line: OrderLine, stored: StoredAuction | None) -> PlacedOrder:
    """Rank an order among those of its zone and side that stood at gate closure."""
    if stored is None:
        return PlacedOrder(line, None, None, None)
    orders = stored.orders
    [at] = np.nonzero(orders.order_ids == line.id)
    if not len(at):
        return PlacedOrder(line, None, None, None)
    own = int(at[0])
    rivals = (orders.sides == orders.sides[own]) & (orders.zones == orders.zones[own])
    eagerness: Int64Array = np.where(orders.sides == BUY, -orders.limits, orders.limits)
    return PlacedOrder(
        line,
        eager_count=int((eagerness[rivals] < eagerness[own]).sum()),
        equal_count=int((eagerness[rivals] == eagerness[own]).sum()),
        side_count=int(rivals.sum()),
    )


def _kept(book: IntervalBook, point: int) -> Kept:
    """Return what was sold ahead and not delivered, bought and not taken."""
    part, positions = book.market, positions_of(book)
    deviations = deviations_of(book, positions)
    own = positions.ids == point
    short, not_taken = int(deviations.short[own].sum()), int(deviations.not_taken[own].sum())
    if part is None:
        return Kept(short, not_taken)
    # Who sent no reading has delivered and taken nothing.
    absent = part.absent_ids == point
    short += int(part.absent_sold[absent].sum())
    not_taken += int(part.absent_bought[absent].sum())
    if part.deviation == "own":
        lack = np.maximum(0, part.trade_wh - part.trade_given)
        rest = np.maximum(0, part.trade_wh - part.trade_taken)
        short += int(lack[part.trade_sellers == point].sum())
        not_taken += int(rest[part.trade_buyers == point].sum())
    return Kept(short, not_taken)
