"""The money of a book: entries, the differences of a revision, and the command they become.

References
----------
docs/rules.md, "Money".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from validator.bodies import VERSION, Transfers
from validator.interval_book import Book, Header

PURCHASE, SALE, GRID_PURCHASE, GRID_SALE, FEE, ROUNDING = range(1, 7)
NOBODY = 0


class Entry(NamedTuple):
    """Whose money, for what, from which account to which; the amount may be negative."""

    meter: int
    code: int
    payer: int
    receiver: int
    amount: int


def amount_of(wh: int, price: int) -> int:
    """Return what energy costs, rounded half to even. [micro]

    Parameters
    ----------
    wh : int
        Energy, also below 0 where more was traded than metered. [Wh]
    price : int
        Price, also below 0. [micro per kWh]
    """
    if wh < 0:
        return -amount_of(-wh, price)
    whole, rest = divmod(wh * price, 1000)
    return whole + (rest > 500 or (rest == 500 and whole % 2 == 1))


def entries_of(book: Book) -> list[Entry]:
    """Return all entries of a book of form 1, in order, also those of an amount of 0."""
    header, parties, positions = book.header, book.header.parties, book.positions
    price = header.price or 0
    bought = [amount_of(one.bought_wh, price) for one in positions]
    sold = [amount_of(one.sold_wh, price) for one in positions]
    fees = [amount_of(one.bought_wh, header.fee) for one in positions]
    pool, supplier = parties.pool, parties.supplier
    entries = [
        Entry(one.meter, PURCHASE, one.account, pool, amount + fee)
        for one, amount, fee in zip(positions, bought, fees, strict=True)
    ]
    entries += (
        Entry(one.meter, SALE, pool, one.account, amount)
        for one, amount in zip(positions, sold, strict=True)
    )
    for one in positions:
        amount = amount_of(one.import_wh - one.bought_wh, header.retail)
        entries.append(Entry(one.meter, GRID_PURCHASE, one.account, supplier, amount))
    for one in positions:
        amount = amount_of(one.export_wh - one.sold_wh, header.feed_in)
        entries.append(Entry(one.meter, GRID_SALE, supplier, one.account, amount))
    entries.append(Entry(NOBODY, FEE, pool, parties.platform, sum(fees)))
    entries.append(Entry(NOBODY, ROUNDING, pool, parties.rounding, sum(bought) - sum(sold)))
    return entries


def moves_of(entries: Sequence[Entry], before: Sequence[Entry] | None) -> list[Entry]:
    """Return what a book moves: its entries, or their difference to those of the one before."""
    moves = list(entries)
    if before is not None:
        differences: Counter[tuple[int, int, int, int]] = Counter()
        for *key, amount in entries:
            differences[tuple(key)] += amount  # type: ignore[index]  # four numbers
        for *key, amount in before:
            differences[tuple(key)] -= amount  # type: ignore[index]  # four numbers
        moves = [Entry(*key, amount) for key, amount in sorted(differences.items())]
    # An agreement of two metering points of one account moves no money.
    return [one for one in moves if one.amount and one.payer != one.receiver]


def settlement_of(
    header: Header, entries: Sequence[Entry], before: Sequence[Entry] | None, *, rules: str
) -> bytes:
    """Return the SHA-256 of the command that settles a book; nothing where nothing moves."""
    moves = moves_of(entries, before)
    if not moves:
        return b""
    return _digest(
        document=f"book:{header.interval}:{header.revision}",
        rules=rules,
        amount=[abs(move.amount) for move in moves],
        code=[move.code for move in moves],
        credit=[move.receiver if move.amount > 0 else move.payer for move in moves],
        debit=[move.payer if move.amount > 0 else move.receiver for move in moves],
    )


def digest_of(body: Transfers) -> bytes:
    """Return the SHA-256 of a command that was booked; nothing where it is no settlement."""
    columns = (body.corrects, body.expires, body.hold, body.kind)
    if body.document is None or body.rules is None or any(one is not None for one in columns):
        return b""
    return _digest(
        document=body.document,
        rules=body.rules,
        amount=body.amount,
        code=body.code,
        credit=body.credit,
        debit=body.debit,
    )


def _digest(*, document: str, rules: str, **columns: list[int]) -> bytes:
    # Keys and hashes need no escape: this is the canonical writing.
    lists = ",".join(
        f'"{name}":["{joined}"]'
        for name, column in sorted(columns.items())
        if (joined := '","'.join(map(str, column)))
    )
    body = (
        f'{{"document":"{document}","rules":"{rules}","transfers":{{{lists}}},'
        f'"version":"{VERSION}"}}'
    )
    return sha256(body.encode()).digest()
