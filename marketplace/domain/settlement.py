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
from marketplace.domain.keyed_sums import rows_of, summed_by
from marketplace.domain.market_part import MarketPart
from marketplace.domain.money import amounts_micro, signed_amounts_micro
from marketplace.domain.position_money import (
    Deviations,
    Positions,
    deviations_of,
    positions_of,
    traders_of,
)
from marketplace.domain.transfer_codes import TransferCode

# Entries that concern the community as a whole, not a metering point.
COMMUNITY_ROW = 0


@dataclass(frozen=True)
class CommunityAccounts:
    """Ledger accounts of the parties of a community that are not members.

    ``grid`` is the grid operator, whom rule sets of form 2 pay; 0 where there is none.
    """

    pool: int
    supplier: int
    platform: int
    rounding: int
    grid: int = 0


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
    """Price every position of a book, of either form.

    Returns
    -------
    Entries
        In the order of docs/rules.md or docs/market.md, zero amounts included. At most one entry
        per metering point and transfer code, but one of code 7 for each match of an agreement.
    """
    part = book.market
    positions = positions_of(book)
    traders, deviations = traders_of(book, positions), deviations_of(book, positions)
    paid = traders.paid + traders.fees
    entries = [
        _each(TransferCode.POOL_PURCHASE, traders.ids, traders.accounts, accounts.pool, paid),
        _each(TransferCode.POOL_SALE, traders.ids, accounts.pool, traders.accounts, traders.earned),
        *_grid_entries(book, accounts, deviations),
    ]
    if part is not None:
        entries.append(_agreed_entries(book, part))
        entries += _market_entries(book, part, accounts, positions, deviations)
    entries.append(
        _once(TransferCode.PLATFORM_FEE, accounts.pool, accounts.platform, int(traders.fees.sum()))
    )
    left = int(traders.paid.sum()) - int(traders.earned.sum())
    if part is not None:
        fees, rent = _link_money(part)
        entries.append(_once(TransferCode.LINK_FEE, accounts.pool, accounts.grid, fees))
        entries.append(_once(TransferCode.CONGESTION_RENT, accounts.pool, accounts.grid, rent))
        left += int(deviations.owed.sum()) - int(deviations.due.sum()) - fees - rent
    entries.append(_once(TransferCode.ROUNDING, accounts.pool, accounts.rounding, left))
    return Entries.joined(entries)


def _grid_entries(
    book: IntervalBook, accounts: CommunityAccounts, deviations: Deviations
) -> list[Entries]:
    """Price what was bought from the grid and sold to it; late readings change nothing else."""
    ids, members = book.metering_point_ids, book.account_ids
    bought, sold = np.zeros_like(ids), np.zeros_like(ids)
    count = len(deviations.from_grid)
    bought[:count] = signed_amounts_micro(deviations.from_grid, deviations.grid_prices)
    sold[:count] = signed_amounts_micro(deviations.to_grid, deviations.feed_in_prices)
    if book.market is not None and book.market.settled_count is not None:
        late_import = book.import_wh - book.market.settled_import
        late_export = book.export_wh - book.market.settled_export
        bought += signed_amounts_micro(late_import, book.retail)
        sold += signed_amounts_micro(late_export, book.feed_in)
    return [
        _each(TransferCode.GRID_PURCHASE, ids, members, accounts.supplier, bought),
        _each(TransferCode.GRID_SALE, ids, accounts.supplier, members, sold),
    ]


def _agreed_entries(book: IntervalBook, part: MarketPart) -> Entries:
    """Price what agreements moved, match by match; nothing between points of one account."""
    buyers, _ = rows_of(part.match_buyers, book.metering_point_ids)
    sellers, _ = rows_of(part.match_sellers, book.metering_point_ids)
    payers, receivers = book.account_ids[buyers], book.account_ids[sellers]
    moved = payers != receivers
    return _each(
        TransferCode.AGREED_PURCHASE,
        part.match_buyers[moved],
        payers[moved],
        receivers[moved],
        amounts_micro(part.match_wh, part.match_prices)[moved],
    )


def _market_entries(
    book: IntervalBook,
    part: MarketPart,
    accounts: CommunityAccounts,
    positions: Positions,
    deviations: Deviations,
) -> list[Entries]:
    """Price the use of the grid, and what was agreed ahead and not kept."""
    ids, count = positions.ids, len(positions.ids)
    members = book.account_ids[:count]
    fees = signed_amounts_micro(deviations.taken, part.local_fees[:count]) + summed_by(
        ids, part.match_buyers, amounts_micro(part.match_wh, part.match_fees)
    )
    short = signed_amounts_micro(deviations.short, deviations.grid_prices)
    not_taken = signed_amounts_micro(deviations.not_taken, deviations.feed_in_prices)
    pool, supplier = accounts.pool, accounts.supplier
    return [
        _each(TransferCode.GRID_FEE, ids, members, accounts.grid, fees),
        _each(TransferCode.DEVIATION_DUE, ids, members, pool, deviations.owed),
        _each(TransferCode.DEVIATION_RECEIVED, ids, pool, members, deviations.due),
        _each(TransferCode.SHORTFALL, ids, members, supplier, short),
        _each(TransferCode.NOT_TAKEN, ids, supplier, members, not_taken),
    ]


def _link_money(part: MarketPart) -> tuple[int, int]:
    """Return the fees of all links, and what prices that differ between zones leave. [micro]"""
    prices = part.prices_of_zones()
    fees = signed_amounts_micro(part.sent, part.link_fees)
    brought = signed_amounts_micro(part.received, prices[part.link_to])
    cost = signed_amounts_micro(part.sent, prices[part.link_from])
    return int(fees.sum()), int((brought - cost - fees).sum())


def _each(
    code: TransferCode,
    ids: Int64Array,
    payers: Int64Array | int,
    receivers: Int64Array | int,
    amounts: Int64Array,
) -> Entries:
    def column(value: Int64Array | int) -> Int64Array:
        return value if isinstance(value, np.ndarray) else np.full(len(ids), value, dtype=np.int64)

    return Entries(ids, column(int(code)), column(payers), column(receivers), amounts)


def _once(code: TransferCode, payer: int, receiver: int, amount: int) -> Entries:
    columns = (COMMUNITY_ROW, int(code), payer, receiver, amount)
    return Entries(*(np.array([value], dtype=np.int64) for value in columns))


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
