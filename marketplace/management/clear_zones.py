"""Clear a book of several zones from files: as `clear_book`, with the links between the zones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

from marketplace.domain.book_file import BookInvalid
from marketplace.domain.zones.book_file import read_zone_book
from marketplace.domain.zones.clearing import CoupledClearing, clear_coupled
from marketplace.domain.zones.network import Network, NetworkInvalid, read_links
from marketplace.domain.zones.pairing import NOBODY, ZoneTrades, pair_in_zones
from marketplace.management.trades_file import check_is_not, micro_text, reading, replacing

TRADES_HEADER: Final = "bid_row,offer_row,quantity,price,zone,to_link,from_link\n"


def clear_zones(*, book: str, links: str, out: str) -> dict[str, Any]:
    """Clear the zones of ``book`` together, write the trades to ``out`` and return the summary.

    Raises
    ------
    ClearFailed
        If the book or the links are refused or a file cannot be used. ``out`` is then what it was.
    """
    started = time.perf_counter()
    with reading(book, BookInvalid) as file:
        content = read_zone_book(file)
    with reading(links, NetworkInvalid) as file:
        network = read_links(file, content.zones)
    check_is_not(out, book, "the book")
    check_is_not(out, links, "the file of links")
    clearing = clear_coupled(network, content.orders)
    trades = pair_in_zones(network, clearing)
    with replacing(out) as target:
        target.write(TRADES_HEADER)
        target.writelines(_lines(network, clearing, trades))
    return {
        "volume_wh": clearing.volume_wh,
        "welfare_micro": micro_text(clearing.welfare_nano),
        "gap_micro": str(clearing.gap_nano / 1_000),
        "zones": {name: _zone_summary(clearing, zone) for zone, name in enumerate(network.zones)},
        "links": [_link_summary(network, clearing, number) for number in range(len(network.links))],
        "seconds": round(time.perf_counter() - started, 6),
    }


def _zone_summary(clearing: CoupledClearing, zone: int) -> dict[str, int | str | None]:
    return {
        "price_micro_per_kwh": clearing.prices[zone],
        "price_low": _number(clearing.price_low[zone]),
        "price_high": _number(clearing.price_high[zone]),
        "dual_micro_per_kwh": clearing.duals[zone],
        "bought_wh": clearing.bought[zone],
        "sold_wh": clearing.sold[zone],
    }


def _link_summary(
    network: Network, clearing: CoupledClearing, number: int
) -> dict[str, int | str | None]:
    link = network.links[number]
    return {
        "from": network.zones[link.from_zone],
        "to": network.zones[link.to_zone],
        "sent_wh": clearing.sent[number],
        "received_wh": clearing.received[number],
        "fee_micro": micro_text(clearing.fee_nano(network, number)),
        "rent_micro": micro_text(clearing.rent_nano(network, number)),
        "dual_micro_per_kwh": _number(clearing.link_dual(network, number)),
    }


def _number(value: int | Fraction | None) -> int | str | None:
    """Write a fraction as text: JSON's numbers would round it."""
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else str(value)
    return value


def _lines(
    network: Network, clearing: CoupledClearing, trades: Sequence[ZoneTrades]
) -> Iterator[str]:
    for name, price, pairs in zip(network.zones, clearing.prices, trades, strict=True):
        columns = zip(
            pairs.bid_row.tolist(),
            pairs.offer_row.tolist(),
            pairs.quantity_wh.tolist(),
            pairs.to_link.tolist(),
            pairs.from_link.tolist(),
            strict=True,
        )
        for bid, offer, quantity, to_link, from_link in columns:
            yield (
                f"{_place(bid)},{_place(offer)},{quantity},{price},{name},"
                f"{_place(to_link)},{_place(from_link)}\n"
            )


def _place(number: int) -> str:
    return "" if number == NOBODY else str(number)
