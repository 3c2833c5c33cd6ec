"""An order book as a file: ``side,price,quantity``, one order a line, in arrival order.

Strict on purpose: whoever checks us with a file must know that every byte of it was understood.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, Final

import numpy as np

from marketplace.domain.clearing import INT64_MAX, QUANTITY_SUM_MAX_WH, Int64Array

HEADER: Final = b"side,price,quantity"
# Far above any honest row (the longest has 47 bytes), far below what would fill the memory.
LINE_MAX_BYTES: Final = 1024

_BLOCK_BYTES: Final = 1 << 18
UTF8_MARK: Final = b"\xef\xbb\xbf"
_ROWS: Final = re.compile(rb"^(bid|offer),(-?[0-9]+),([0-9]+)\r?$", re.MULTILINE)
_INTEGER: Final = re.compile(rb"-?[0-9]+")
_FRACTION: Final = re.compile(rb"[-+]?([0-9]+[.][0-9]*|[.][0-9]+)")
_SHOWN_MAX: Final = 40


class BookInvalid(ValueError):
    """A book that cannot be cleared: ``line`` says where, counted from 1, the text why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, eq=False)
class Orders:
    """One side of a book; ``rows`` are counted from 0 over the whole file, the header aside."""

    rows: Int64Array
    prices: Int64Array
    quantities: Int64Array


def read_book(file: BinaryIO) -> tuple[Orders, Orders]:
    """Read the bids and the offers of a book.

    Parameters
    ----------
    file : binary file
        The header and one order a line: ``bid`` or ``offer``, a price [micro/kWh] and a positive
        quantity [Wh], both whole numbers within int64.

    Returns
    -------
    tuple of Orders
        Bids and offers, each in the order of the file.

    Raises
    ------
    BookInvalid
        At the first line that is not an order, or at which a side sums to more than int64 holds.
    """
    _check_header(file.readline(LINE_MAX_BYTES + 1))
    is_bid, prices, quantities = bytearray(), array("q"), array("q")
    for block in blocks(file):
        rows = _ROWS.findall(block)
        try:
            # Each line matches once at most: as many rows as lines means that all were understood.
            understood = len(rows) == block.count(b"\n")
            prices.extend([int(price) for _, price, _ in rows])
            quantities.extend([int(quantity) for _, _, quantity in rows])
        except (OverflowError, ValueError):
            understood = False
        if not understood or 0 in quantities[len(is_bid) :]:
            _raise_first_fault(block, line=len(is_bid) + 2)
        is_bid.extend([side == b"bid" for side, _, _ in rows])

    bidding = np.array(is_bid, dtype=np.bool_)
    table = (np.arange(len(is_bid)), np.array(prices, np.int64), np.array(quantities, np.int64))
    bids = Orders(*(column[bidding] for column in table))
    offers = Orders(*(column[~bidding] for column in table))
    for name, side in (("bid", bids), ("offer", offers)):
        check_sum(name, side)
    return bids, offers


def blocks(file: BinaryIO) -> Iterator[bytes]:
    """Cut the file at line ends, every line closed. A line without end is passed on as it is."""
    rest = b""
    while block := file.read(_BLOCK_BYTES):
        block = rest + block
        end = block.rfind(b"\n") + 1
        rest = block[end:]
        if end:
            yield block[:end]
        if len(rest) > LINE_MAX_BYTES:
            break
    if rest:
        yield rest + b"\n"


def _check_header(line: bytes) -> None:
    header = line.removeprefix(UTF8_MARK).rstrip(b"\r\n")
    if header == HEADER:
        return
    wanted = f"make {HEADER.decode()} the first line"
    if not line:
        raise BookInvalid(1, f"the file is empty; {wanted}")
    if not is_text(header):
        raise BookInvalid(1, "the file is not text; save the book as CSV in UTF-8")
    raise BookInvalid(1, f"the header is {shown_field(header)}; {wanted}")


def check_sum(name: str, side: Orders) -> None:
    """Refuse a side that sums to more than int64 holds, at the line where it does."""
    # The first sum is rounded, a millionth is far more than it can be off: exact where it matters.
    if float(side.quantities.sum(dtype=np.float64)) < QUANTITY_SUM_MAX_WH * (1 - 1e-6):
        return
    for row, total in zip(side.rows.tolist(), accumulate(side.quantities.tolist()), strict=True):
        if total > QUANTITY_SUM_MAX_WH:
            raise BookInvalid(
                row + 2,
                f"the {name} quantities up to here sum to {total} Wh, above "
                f"{QUANTITY_SUM_MAX_WH}; split the book",
            )


def _raise_first_fault(block: bytes, *, line: int) -> None:
    for number, text in enumerate(block.split(b"\n")[:-1], start=line):
        fault = _fault(text.removesuffix(b"\r"))
        if fault is not None:
            raise BookInvalid(number, fault)
    raise AssertionError("a block was refused, but every line of it is an order")


def _fault(line: bytes) -> str | None:
    """Say what is wrong with a line and what to do, or None."""
    fields = line.split(b",")
    if len(line) > LINE_MAX_BYTES:
        return f"the line is longer than {LINE_MAX_BYTES} bytes; write one order a line"
    if not is_text(line):
        return "the line is not text; save the book as CSV in UTF-8"
    if not line.strip():
        return "the line is empty; remove it"
    if len(fields) != 3:
        return f"the line has {len(fields)} fields, not 3; write {HEADER.decode()}"
    return order_fault(*fields)


def order_fault(side: bytes, price: bytes, quantity: bytes) -> str | None:
    """Say what is wrong with an order's fields and what to do, or None."""
    if side not in (b"bid", b"offer"):
        return f"the side is {shown_field(side)}; write bid or offer"
    fault = _integer_fault("price", price, "micro per kWh")
    fault = fault or _integer_fault("quantity", quantity, "Wh")
    if fault is None and int(quantity) == 0:
        return "the quantity is 0; write at least 1 Wh, or remove the order"
    if fault is None and quantity.startswith(b"-"):
        return (
            f"the quantity is {shown_field(quantity)}, below 0; an offer is what sells, not a minus"
        )
    return fault


def _integer_fault(name: str, field: bytes, unit: str) -> str | None:
    if not field:
        return f"the {name} is missing; write whole {unit}"
    if _FRACTION.fullmatch(field):
        return f"the {name} {shown_field(field)} is a fraction; write whole {unit}"
    if not _INTEGER.fullmatch(field):
        return f"the {name} {shown_field(field)} is not a whole number; write {unit} in digits only"
    if not -INT64_MAX - 1 <= int(field) <= INT64_MAX:
        return f"the {name} {shown_field(field)} is outside int64; check the unit, it is {unit}"
    return None


def is_text(line: bytes) -> bool:
    """Say whether a line is printable UTF-8."""
    try:
        return line.decode().replace("\t", " ").isprintable()
    except UnicodeDecodeError:
        return False


def shown_field(field: bytes) -> str:
    """Quote a field for an error message, cut where it is long."""
    text = ascii(field.decode())
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
