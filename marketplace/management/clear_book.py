"""Clear an order book from a file: for research, and for checking us.

Needs no database and no Django, so that it starts at once and runs wherever NumPy does.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TextIO

from marketplace.domain.book_file import BookInvalid, Orders, read_book
from marketplace.domain.clearing import Clearing, clear_uniform_price, welfare_nano
from marketplace.domain.pairing import Trades, pair_trades

TRADES_HEADER: Final = "bid_row,offer_row,quantity,price\n"


class ClearFailed(Exception):
    """A book that cannot be cleared or a file that cannot be used, told in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Clear the book named on the command line; 0 when done, 2 with a line on stderr when not."""
    parser = argparse.ArgumentParser(
        prog="manage.py clear", description="Clear an order book from a file at one price."
    )
    add_arguments(parser)
    options = parser.parse_args(argv)
    try:
        summary = clear_book(book=options.book, out=options.out)
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
        "bid or offer, whole micro per kWh, whole Wh",
    )
    parser.add_argument(
        "--out",
        metavar="TRADES.csv",
        required=True,
        help="file for the trades: bid_row,offer_row,quantity,price, rows counted from 0",
    )


def clear_book(*, book: str, out: str) -> dict[str, int | float | str | None]:
    """Clear the file ``book``, write its trades to ``out`` and return the summary.

    Raises
    ------
    ClearFailed
        If the book is refused or a file cannot be used. ``out`` is then what it was before.
    """
    started = time.perf_counter()
    bids, offers = _read(book)
    if os.path.exists(out) and os.path.samefile(book, out):
        raise ClearFailed(f"{out}: is the book itself; name another file for the trades")
    clearing = clear_uniform_price(bids.prices, bids.quantities, offers.prices, offers.quantities)
    trades = pair_trades(clearing)
    try:
        with _replacing(out) as file:
            _write_trades(file, clearing, trades, bids, offers)
    except OSError as error:
        raise ClearFailed(f"{out}: {error.strerror}; name a file that can be written") from error
    return {
        "volume_wh": clearing.volume_wh,
        "price_micro_per_kwh": clearing.price,
        "price_low": clearing.price_low,
        "price_high": clearing.price_high,
        "welfare_micro": _micro_text(welfare_nano(clearing, bids.prices, offers.prices)),
        "seconds": round(time.perf_counter() - started, 6),
    }


def _read(book: str) -> tuple[Orders, Orders]:
    try:
        with open(book, "rb") as file:
            return read_book(file)
    except BookInvalid as error:
        raise ClearFailed(f"{book}:{error.line}: {error}") from error
    except OSError as error:
        raise ClearFailed(f"{book}: {error.strerror}; name a file that can be read") from error


@contextmanager
def _replacing(path: str) -> Iterator[TextIO]:
    """Open a file that takes the place of ``path`` once it is complete, and not before."""
    if os.path.exists(path) and not os.path.isfile(path):
        # A pipe or a device is written to; renaming over it would remove it.
        with open(path, "w", encoding="ascii") as file:
            yield file
        return
    target = os.path.realpath(path)
    partial = f"{target}.{os.getpid()}.partial"
    try:
        with open(partial, "x", encoding="ascii") as file:
            yield file
        if os.path.exists(target):
            os.chmod(partial, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(partial, target)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


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


def _micro_text(nano: int) -> str:
    """Write nano-units as micro-units, all decimals that are not zero and no others."""
    sign = "-" if nano < 0 else ""
    micro, thousandths = divmod(abs(nano), 1_000)
    return f"{sign}{micro}.{thousandths:03d}".rstrip("0").rstrip(".")
