"""Clear an order book from a file: for research, and for checking us.

Needs no database and no Django, so that it starts at once and runs wherever NumPy does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from marketplace.domain.book_file import BookInvalid, Orders, read_book
from marketplace.domain.clearing import Clearing, clear_uniform_price, welfare_nano
from marketplace.domain.pairing import Trades, pair_trades
from marketplace.management.trades_file import (
    ClearFailed,
    check_is_not,
    micro_text,
    reading,
    replacing,
)

TRADES_HEADER: Final = "bid_row,offer_row,quantity,price\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Clear the book named on the command line; 0 when done, 2 with a line on stderr when not."""
    parser = argparse.ArgumentParser(
        prog="manage.py clear", description="Clear an order book from a file at one price."
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    try:
        summary = run(book=options.book, zones=options.zones, out=options.out)
    except ClearFailed as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(summary))
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments, here and for the Django command of the same name."""
    parser.add_argument(
        "book",
        metavar="BOOK.csv",
        help="orders in arrival order under the header side,price,quantity: "
        "bid or offer, whole micro per kWh, whole Wh; with --zones also a column zone",
    )
    parser.add_argument(
        "--zones",
        metavar="LINKS.csv",
        help="clear all zones of the book together; links between them under the header "
        "from,to,limit_wh,loss_ppm,fee, one direction a line",
    )
    parser.add_argument(
        "--out",
        metavar="TRADES.csv",
        required=True,
        help="file for the trades: bid_row,offer_row,quantity,price, rows counted from 0; "
        "with --zones also zone,to_link,from_link, where a link buys or sells in a zone",
    )


def run(*, book: str, zones: str | None, out: str) -> Mapping[str, Any]:
    """Clear the file ``book``, coupled by the links of the file ``zones`` where one is named."""
    if zones is None:
        return clear_book(book=book, out=out)
    # One zone needs nothing of this, and starts sooner without it.
    from marketplace.management.clear_zones import clear_zones

    return clear_zones(book=book, links=zones, out=out)


def clear_book(*, book: str, out: str) -> dict[str, int | float | str | None]:
    """Clear the file ``book``, write its trades to ``out`` and return the summary.

    Raises
    ------
    ClearFailed
        If the book is refused or a file cannot be used. ``out`` is then what it was before.
    """
    started = time.perf_counter()
    with reading(book, BookInvalid) as file:
        bids, offers = read_book(file)
    check_is_not(out, book, "the book")
    clearing = clear_uniform_price(bids.prices, bids.quantities, offers.prices, offers.quantities)
    trades = pair_trades(clearing)
    with replacing(out) as file:
        _write_trades(file, clearing, trades, bids, offers)
    return {
        "volume_wh": clearing.volume_wh,
        "price_micro_per_kwh": clearing.price,
        "price_low": clearing.price_low,
        "price_high": clearing.price_high,
        "welfare_micro": micro_text(welfare_nano(clearing, bids.prices, offers.prices)),
        "seconds": round(time.perf_counter() - started, 6),
    }


def _write_trades(
    file: TextIO, clearing: Clearing, trades: Trades, bids: Orders, offers: Orders
) -> None:
    file.write(TRADES_HEADER)
    columns = zip(
        bids.rows[trades.bid_index].tolist(),
        offers.rows[trades.offer_index].tolist(),
        trades.quantity_wh.tolist(),
        strict=True,
    )
    price = clearing.price
    file.writelines(f"{bid},{offer},{quantity},{price}\n" for bid, offer, quantity in columns)
