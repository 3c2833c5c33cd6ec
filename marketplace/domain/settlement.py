"""From an interval's book to money: who owes whom how much, and what rounding left.

Buyers pay the pool the clearing price and the platform fee; the pool pays sellers and the
platform; what rounding each party's amount leaves in the pool is booked. Energy that met no
neighbour is bought from the supplier at the retail tariff or sold to it at the feed-in tariff.
Each interval's money therefore sums to zero over all parties, and the pool ends where it began.
"""

from dataclasses import dataclass

import numpy as np

from ledger.domain.commands import Transfers
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.domain.money import amounts_micro
from marketplace.domain.transfer_codes import TransferCode

# Entries that concern the community as a whole, not a metering point.
COMMUNITY_ROW = 0


@dataclass(frozen=True)
class CommunityAccounts:
    """Ledger accounts of the parties of a community that are not members."""

    pool: int
    supplier: int
    platform: int
    rounding: int


@dataclass(frozen=True, eq=False)
class Entries:
    """Amounts due, as columns; a negative amount flows from receiver to payer. [micro]"""

    metering_point_ids: Int64Array
    codes: Int64Array
    payers: Int64Array
    receivers: Int64Array
    amounts: Int64Array

    @classmethod
    def joined(cls, parts: list["Entries"]) -> "Entries":
        """Return several parts as one."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("metering_point_ids", "codes", "payers", "receivers", "amounts")
            )
        )


def settlement_key(interval_id: int, revision: int) -> str:
    """Return the key of the ledger command that settles a revision of an interval."""
    return f"settle:{interval_id}:{revision}"


def entries_of(book: IntervalBook, accounts: CommunityAccounts) -> Entries:
    """Price every position of a book.

    Returns
    -------
    Entries
        At most one entry per metering point and transfer code, zero amounts included.
    """
    price = book.price or 0
    fees = amounts_micro(book.bought_wh, book.platform_fee)
    paid = amounts_micro(book.bought_wh, price)
    earned = amounts_micro(book.sold_wh, price)
    members = book.account_ids
    pool, supplier = np.full_like(members, accounts.pool), np.full_like(members, accounts.supplier)

    def each(
        code: TransferCode, payers: Int64Array, receivers: Int64Array, amounts: Int64Array
    ) -> Entries:
        codes = np.full_like(members, code)
        return Entries(book.metering_point_ids, codes, payers, receivers, amounts)

    def once(code: TransferCode, receiver: int, amount: int) -> Entries:
        columns = (COMMUNITY_ROW, code, accounts.pool, receiver, amount)
        return Entries(*(np.array([value], dtype=np.int64) for value in columns))

    bought_from_grid = signed_amounts(book.import_wh - book.bought_wh, book.retail)
    sold_to_grid = signed_amounts(book.export_wh - book.sold_wh, book.feed_in)
    return Entries.joined(
        [
            each(TransferCode.POOL_PURCHASE, members, pool, paid + fees),
            each(TransferCode.POOL_SALE, pool, members, earned),
            each(TransferCode.GRID_PURCHASE, members, supplier, bought_from_grid),
            each(TransferCode.GRID_SALE, supplier, members, sold_to_grid),
            once(TransferCode.PLATFORM_FEE, accounts.platform, int(fees.sum())),
            once(TransferCode.ROUNDING, accounts.rounding, int(paid.sum() - earned.sum())),
        ]
    )


def signed_amounts(quantities_wh: Int64Array, price_micro_per_kwh: int) -> Int64Array:
    """Price energies that may be negative: a late reading can take back what was bought. [micro]"""
    amounts = amounts_micro(np.abs(quantities_wh), price_micro_per_kwh)
    return np.where(quantities_wh < 0, -amounts, amounts)


def transfers_between(before: Entries | None, after: Entries) -> Transfers | None:
    """Return the transfers that lead from what was posted to what is due; None if nothing moves.

    A revision posts differences only: what was posted stays, and the sum is what is due now.
    """
    entries = after
    if before is not None:
        undone = Entries(
            before.metering_point_ids,
            before.codes,
            before.payers,
            before.receivers,
            -before.amounts,
        )
        entries = _summed(Entries.joined([after, undone]))
    moved = np.flatnonzero(entries.amounts)
    if not len(moved):
        return None
    amounts = entries.amounts[moved]
    payers, receivers = entries.payers[moved], entries.receivers[moved]
    back = amounts < 0
    return Transfers(
        debit=np.where(back, receivers, payers),
        credit=np.where(back, payers, receivers),
        amount=np.abs(amounts),
        code=entries.codes[moved],
    )


def _summed(entries: Entries) -> Entries:
    """Add up entries of the same metering point, code and accounts."""
    keys = np.stack(
        [entries.metering_point_ids, entries.codes, entries.payers, entries.receivers], axis=1
    )
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    amounts = np.zeros(len(unique), dtype=np.int64)
    np.add.at(amounts, inverse.reshape(-1), entries.amounts)
    return Entries(unique[:, 0], unique[:, 1], unique[:, 2], unique[:, 3], amounts)
