"""The document of an auction before delivery: its orders, in the order in which they arrived.

References
----------
docs/market.md, "The pool in forward mode: the auction".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from validator import canonical
from validator.bodies import is_key
from validator.errors import Malformed
from validator.interval_book import Flow, integer, natural
from validator.market_book import FORM, read_flows, read_prices, text
from validator.market_rules import NAME_LENGTH_MAX

CLOSURE, HALTED = "closure", "halted"
_HEADER = {
    "closes",
    "community",
    "ends",
    "form",
    "interval",
    "links",
    "orders",
    "prices",
    "reason",
    "starts",
    "timezone",
}
_ORDER = {
    "account",
    "dropped",
    "filled",
    "hold",
    "limit",
    "meter",
    "minimum",
    "order",
    "side",
    "wh",
    "zone",
}


class ForwardOrder(NamedTuple):
    """An order before delivery: limit in micro per kWh, energies in Wh, ``minimum`` to fill."""

    order: int
    meter: int
    account: int
    zone: str
    is_bid: bool
    limit: int
    wh: int
    minimum: int
    hold: str
    is_dropped: bool
    filled: int


@dataclass(frozen=True, slots=True)
class AuctionBook:
    """All rows of an auction: times in microseconds since 1970, prices in micro per kWh."""

    community: int
    interval: int
    starts: int
    ends: int
    closes: int
    timezone: str
    is_halted: bool
    links: tuple[Flow, ...]
    prices: Mapping[str, int | None]
    orders: list[ForwardOrder]


def fills_of(orders: Sequence[ForwardOrder]) -> tuple[Counter[int], Counter[int]]:
    """Return what each metering point bought and sold in all. [Wh]"""
    bought: Counter[int] = Counter()
    sold: Counter[int] = Counter()
    for one in orders:
        (bought if one.is_bid else sold)[one.meter] += one.filled
    return bought, sold


def read_auction(rows: Sequence[bytes]) -> AuctionBook:
    """Read an auction from its rows.

    Raises
    ------
    Malformed
        If a row is not canonical, of another form, or out of bounds, or there are too many.
    """
    value = canonical.read_object(rows[0], bytes_max=None)
    if value.keys() != _HEADER or value["form"] != FORM:
        raise Malformed("the header of an auction has other keys")
    if value["reason"] not in (CLOSURE, HALTED) or natural(value["orders"]) != len(rows) - 1:
        raise Malformed("reason or number of orders of an auction cannot be")
    book = AuctionBook(
        community=natural(value["community"]),
        interval=natural(value["interval"]),
        starts=natural(value["starts"]),
        ends=natural(value["ends"]),
        closes=natural(value["closes"]),
        timezone=text(value["timezone"]),
        is_halted=value["reason"] == HALTED,
        links=read_flows(value["links"]),
        prices=read_prices(value["prices"]),
        orders=[_read_order(row) for row in rows[1:]],
    )
    if book.ends <= book.starts:
        raise Malformed("the times of an auction cannot be")
    return book


def _read_order(row: bytes) -> ForwardOrder:
    value = canonical.read_object(row)
    if value.keys() != _ORDER or value["side"] not in ("buy", "sell"):
        raise Malformed("an order has another form")
    hold = text(value["hold"])
    order = ForwardOrder(
        order=natural(value["order"]),
        meter=natural(value["meter"]),
        account=natural(value["account"]),
        zone=text(value["zone"]),
        is_bid=value["side"] == "buy",
        limit=integer(value["limit"]),
        wh=natural(value["wh"]),
        minimum=natural(value["minimum"]),
        hold=hold,
        is_dropped=value["dropped"] == "1",
        filled=natural(value["filled"]),
    )
    if order.wh == 0 or order.minimum > order.wh or order.filled > order.wh:
        raise Malformed("the energies of an order cannot be")
    if value["dropped"] not in ("0", "1") or not is_key(hold):
        raise Malformed("an order has another form")
    if not 1 <= len(order.zone) <= NAME_LENGTH_MAX:
        raise Malformed("a zone's name cannot be")
    return order
