"""The end of the log, read from the database; accounts that wait to be opened."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import connection

from ledger.domain.merkle import Frontier
from ledger.domain.rule_core import OpenedAccount
from ledger.domain.sealing import LogState
from ledger.domain.state_map import StateMap
from ledger.models import Block, Head

# So many accounts are opened by one block; when more wait, it opens accounts and nothing else.
OPENED_MAX = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PIECE = 50_000


def microseconds(at: datetime) -> int:
    """Return a moment as the log writes it. [microseconds since 1970, UTC]"""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(time: int) -> datetime:
    """Return a time of the log as a moment."""
    return _EPOCH + timedelta(microseconds=time)


def load_log_state(last_block: int) -> LogState:
    """Read the end of the log after a block, every account included."""
    accounts = StateMap(bytes(Head.objects.values_list("padding", flat=True).get()))
    _load_accounts(accounts)
    if last_block == 0:
        return LogState(0, 0, Frontier.empty(), accounts)
    block = Block.objects.defer("entries").get(number=last_block)
    frontier = Frontier.from_bytes(size=block.log_size, data=bytes(block.frontier))
    return LogState(last_block, microseconds(block.booked_at), frontier, accounts)


def _load_accounts(accounts: StateMap) -> None:
    """Add every opened account in the order of the leaves, in pieces of bounded size."""
    last = -1
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT leaf_index, id, unit, coalesce(overdraft_limit, -1), salt,"
                " debits_pending, debits_posted, credits_pending, credits_posted"
                " FROM ledger_account WHERE leaf_index > %s ORDER BY leaf_index LIMIT %s",
                [last, _PIECE],
            )
            rows = cursor.fetchall()
            if not rows:
                return
            columns = list(zip(*rows, strict=True))
            accounts.add(
                ids=np.array(columns[1], dtype=np.int64),
                units=columns[2],
                limits=np.array(columns[3], dtype=np.int64),
                salts=[bytes(salt) for salt in columns[4]],
                counters=np.array(columns[5:], dtype=np.int64),
            )
            last = columns[0][-1]


def accounts_to_open() -> tuple[list[OpenedAccount], bool]:
    """Return accounts that no block has opened, in order, and whether these are all of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, unit, overdraft_limit, salt FROM ledger_account"
            " WHERE leaf_index IS NULL ORDER BY id LIMIT %s",
            [OPENED_MAX + 1],
        )
        rows = cursor.fetchall()
    opened = [OpenedAccount(row[0], row[1], row[2], bytes(row[3])) for row in rows[:OPENED_MAX]]
    return opened, len(rows) <= OPENED_MAX


def note_opened(opened: Sequence[OpenedAccount], *, first_index: int) -> None:
    """Note where the log opens accounts; only these may be used by commands."""
    if not opened:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_account a SET leaf_index = o.leaf_index"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS o(id, leaf_index) WHERE a.id = o.id",
            [
                [each.account for each in opened],
                list(range(first_index, first_index + len(opened))),
            ],
        )
