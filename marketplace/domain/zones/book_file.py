"""An order book of several zones as a file: as `book_file`, with a fourth column ``zone``."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

from marketplace.domain.book_file import (
    LINE_MAX_BYTES,
    UTF8_MARK,
    BookInvalid,
    Orders,
    blocks,
    check_sum,
    is_text,
    order_fault,
    shown_field,
)
from marketplace.domain.zones.clearing import ZoneOrders
from marketplace.domain.zones.network import ZONE_NAME_MAX

COLUMNS: Final = (b"side", b"price", b"quantity", b"zone")
HEADER: Final = b",".join(COLUMNS)

_PATTERNS: Final = {
    b"side": rb"(bid|offer)",
    b"price": rb"(-?[0-9]+)",
    b"quantity": rb"([0-9]+)",
    b"zone": rb'([^,"\r\n]+)',
}


@dataclass(frozen=True, eq=False)
class ZoneBookFile:
    """The zones in the order in which the file names them first, and its orders."""

    zones: tuple[str, ...]
    orders: ZoneOrders


def read_zone_book(file: BinaryIO) -> ZoneBookFile:
    """Read a book of several zones.

    Parameters
    ----------
    file : binary file
        A header of the columns side, price, quantity and zone in any order, then one order a line
        as for `read_book`. A zone is a name of 1 to ``ZONE_NAME_MAX`` printable characters.

    Returns
    -------
    ZoneBookFile
        Rows are in the order of the file, counted from 0.

    Raises
    ------
    BookInvalid
        At the first line that is not an order, or at which a side sums to more than int64 holds.
    """
    order = _columns(file.readline(LINE_MAX_BYTES + 1))
    at = [order.index(name) for name in COLUMNS]
    pattern = re.compile(
        b"^" + b",".join(_PATTERNS[name] for name in order) + rb"\r?$", re.MULTILINE
    )
    numbers: dict[bytes, int] = {}
    is_bid, zone, prices, quantities = bytearray(), array("q"), array("q"), array("q")
    for block in blocks(file):
        rows = pattern.findall(block)
        try:
            # Each line matches once at most: as many rows as lines means that all were understood.
            understood = len(rows) == block.count(b"\n")
            prices.extend([int(row[at[1]]) for row in rows])
            quantities.extend([int(row[at[2]]) for row in rows])
        except (OverflowError, ValueError):
            understood = False
        names = [row[at[3]] for row in rows]
        fresh = [name for name in dict.fromkeys(names) if name not in numbers]
        if (
            not understood
            or 0 in quantities[len(is_bid) :]
            or any(_zone_fault(name) for name in fresh)
        ):
            _raise_first_fault(block, at, line=len(is_bid) + 2)
        for name in fresh:
            numbers[name] = len(numbers)
        zone.extend([numbers[name] for name in names])
        is_bid.extend([row[at[0]] == b"bid" for row in rows])
    orders = ZoneOrders(
        np.array(zone, np.int64),
        np.array(is_bid, dtype=np.bool_),
        np.array(prices, np.int64),
        np.array(quantities, np.int64),
    )
    for text, side in (("bid", orders.is_bid), ("offer", ~orders.is_bid)):
        here = np.flatnonzero(side)
        check_sum(text, Orders(here, orders.prices[here], orders.quantities[here]))
    return ZoneBookFile(tuple(name.decode() for name in numbers), orders)


def _columns(line: bytes) -> list[bytes]:
    header = line.removeprefix(UTF8_MARK).rstrip(b"\r\n")
    wanted = f"make {HEADER.decode()} the first line"
    if not line:
        raise BookInvalid(1, f"the file is empty; {wanted}")
    if not is_text(header):
        raise BookInvalid(1, "the file is not text; save the book as CSV in UTF-8")
    order = header.split(b",")
    if sorted(order) != sorted(COLUMNS):
        raise BookInvalid(1, f"the header is {shown_field(header)}; {wanted}")
    return order


def _raise_first_fault(block: bytes, at: Sequence[int], *, line: int) -> None:
    for number, text in enumerate(block.split(b"\n")[:-1], start=line):
        fault = _fault(text.removesuffix(b"\r"), at)
        if fault is not None:
            raise BookInvalid(number, fault)
    raise AssertionError("a block was refused, but every line of it is an order")


def _fault(line: bytes, at: Sequence[int]) -> str | None:
    """Say what is wrong with a line and what to do, or None."""
    fields = line.split(b",")
    if len(line) > LINE_MAX_BYTES:
        return f"the line is longer than {LINE_MAX_BYTES} bytes; write one order a line"
    if not is_text(line):
        return "the line is not text; save the book as CSV in UTF-8"
    if not line.strip():
        return "the line is empty; remove it"
    if len(fields) != len(COLUMNS):
        return f"the line has {len(fields)} fields, not 4; write the columns of the header"
    side, price, quantity, zone = (fields[place] for place in at)
    return order_fault(side, price, quantity) or _zone_fault(zone)


def _zone_fault(name: bytes) -> str | None:
    if not name:
        return "the zone is missing; write its name"
    if not is_text(name):
        return "the line is not text; save the book as CSV in UTF-8"
    if b'"' in name or name != name.strip():
        return f"the zone {shown_field(name)} has quotes or spaces around it; write the bare name"
    if len(name.decode()) > ZONE_NAME_MAX:
        return f"the zone {shown_field(name)} is longer than {ZONE_NAME_MAX} characters; shorten it"
    return None
