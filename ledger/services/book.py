"""Read accounts and earlier transfers into a book to judge by."""

from collections.abc import Sequence

import numpy as np
from django.db import connection

from ledger.domain.commands import Int64Array, TransferKind
from ledger.domain.copy_format import packed_columns
from ledger.domain.judge import NO_LIMIT, Book, Hold
from ledger.domain.rule_core import AskedCommand
from ledger.domain.state_map import StateMap
from ledger.models import Transfer

COUNTERS = ("debits_pending", "debits_posted", "credits_pending", "credits_posted")

# Every account, or those of a list; the list is written as text, which is three times faster.
# In pieces of some thousands, since a piece must not pass a gigabyte.
_SELECT_ACCOUNTS = """
    COPY (
        SELECT string_agg(
            int8send(id) || int8send(unit) || int8send(overdraft_limit) || int8send(debits_pending)
                || int8send(debits_posted) || int8send(credits_pending)
                || int8send(credits_posted), '' ORDER BY id)
        FROM (
            SELECT id, dense_rank() OVER (ORDER BY unit) AS unit,
                coalesce(overdraft_limit, %(no_limit)s) AS overdraft_limit,
                debits_pending, debits_posted, credits_pending, credits_posted
            FROM ledger_account
            WHERE leaf_index IS NOT NULL AND (%(ids)s IS NULL OR id = ANY(%(ids)s::bigint[]))
        ) AS account
        GROUP BY id >> 16 ORDER BY id >> 16
    ) TO STDOUT (FORMAT BINARY)
"""


def load_book(asked: Sequence[AskedCommand], accounts: StateMap, *, pruned: int) -> Book:
    """Read what some commands touch: accounts, holds and the transfers they refer to.

    Parameters
    ----------
    asked : sequence of AskedCommand
        The commands.
    accounts : StateMap
        Every account at the end of the log, so that few have to be read again.
    pruned : int
        The last transfer that is forgotten, see ``Book``.
    """
    commands = [each.transfers for each in asked if each.transfers is not None]
    sides = [side for each in commands for side in (each.debit, each.credit)]
    touched = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *sides]))
    book = _book_from(accounts, touched)
    if len(book.ids) < len(touched):  # unknown, or opened by this very block: only there to read
        book = _read_accounts("{" + ",".join(map(str, touched.tolist())) + "}")
    book.pruned = pruned
    holds = {name for each in commands for name in each.holds or () if name}
    if holds:
        _load_holds(book, holds)
    corrected = {name for each in commands for name in each.corrects or () if name}
    if corrected:
        _load_corrected(book, corrected)
    return book


def _book_from(accounts: StateMap, ids: Int64Array) -> Book:
    known, units, limits, counters = accounts.rows(ids)
    return Book(
        ids=known,
        units=units,
        limits=np.where(limits < 0, NO_LIMIT, limits),
        counters=counters,
    )


def load_all_accounts() -> Book:
    """Read every account that the log has opened."""
    return _read_accounts(None)


def _read_accounts(ids: str | None) -> Book:
    with (
        connection.cursor() as cursor,
        cursor.copy(_SELECT_ACCOUNTS, {"no_limit": NO_LIMIT, "ids": ids}) as copy,
    ):
        copy.set_types(["bytea"])
        columns = packed_columns((piece for (piece,) in copy.rows()), 3 + len(COUNTERS))
    return Book(ids=columns[0], units=columns[1], limits=columns[2], counters=columns[3:].copy())


def _load_holds(book: Book, names: set[str]) -> None:
    """Read the holds that some references name, whether they have ended or not."""
    keys = {name.partition("/")[0] for name in names}
    found = [
        hold
        for hold in Transfer.objects.filter(command__key__in=keys, kind=TransferKind.HOLD)
        .select_related("command")
        .defer("command__body")
        if f"{hold.command.key}/{hold.leg}" in names
    ]
    ended = set(
        Transfer.objects.filter(hold__in=[hold.id for hold in found]).values_list(
            "hold_id", flat=True
        )
    )
    for hold in found:
        book.holds[f"{hold.command.key}/{hold.leg}"] = Hold(
            id=hold.id,
            debit=hold.debit_account_id,
            credit=hold.credit_account_id,
            amount=hold.amount,
            is_open=hold.id not in ended,
            expires=hold.expires or 0,
        )


def _load_corrected(book: Book, names: set[str]) -> None:
    """Read where the booked commands that some references name begin, and how long they are."""
    keys = {name.partition("/")[0] for name in names}
    firsts = Transfer.objects.filter(command__key__in=keys, leg=0)
    for key, first_id, count in firsts.values_list("command__key", "id", "command__transfer_count"):
        book.booked[key] = (first_id, count)
