"""What the ledger's tests are told in: accounts by name, commands as short rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from django.db import DatabaseError

from ledger.domain.commands import Command, TransferKind, Transfers
from ledger.services import SettlementWorker, open_accounts, submit
from ledger.services.log_state import microseconds
from ledger.services.worker import Booked

NOW = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
UNIT = "CNY/6"

Row = tuple[int, int, int]  # debit account, credit account, amount


def command(
    key: str,
    *rows: Row,
    kind: Sequence[TransferKind] | None = None,
    holds: Sequence[str] | None = None,
    corrects: Sequence[str] | None = None,
) -> Command:
    """Make a command of rows (debit account, credit account, amount)."""
    return Command.of(key, transfers(*rows, kind=kind, holds=holds, corrects=corrects))


def transfers(
    *rows: Row,
    kind: Sequence[TransferKind] | None = None,
    holds: Sequence[str] | None = None,
    corrects: Sequence[str] | None = None,
) -> Transfers:
    debit, credit, amount = np.array(rows, dtype=np.int64).reshape(-1, 3).T.copy()
    return Transfers(
        debit=debit,
        credit=credit,
        amount=amount,
        code=np.ones(len(rows), dtype=np.int64),
        kind=None if kind is None else np.array(kind, dtype=np.int64),
        holds=holds,
        corrects=corrects,
    )


def hold(
    key: str, debit: int, credit: int, amount: int, *, expires: datetime | None = None
) -> Command:
    rows = transfers((debit, credit, amount), kind=[TransferKind.HOLD])
    if expires is not None:
        rows = replace(rows, expires=np.array([microseconds(expires)], dtype=np.int64))
    return Command.of(key, rows)


def post(key: str, debit: int, credit: int, amount: int, *, of: str) -> Command:
    return command(key, (debit, credit, amount), kind=[TransferKind.POST], holds=[of])


def release(key: str, debit: int, credit: int, amount: int, *, of: str) -> Command:
    return command(key, (debit, credit, amount), kind=[TransferKind.RELEASE], holds=[of])


def open_account(path: str, *, overdraft_limit: int | None = None, unit: str = UNIT) -> int:
    return open_accounts(paths=[path], unit=unit, overdraft_limit=overdraft_limit)[path]


def open_worker(holder: str = "test") -> SettlementWorker:
    """Return a worker that holds the head."""
    worker = SettlementWorker(holder=holder)
    assert worker.take_head()
    return worker


def book(*commands: Command, now: datetime = NOW) -> list[Booked]:
    """Submit commands and settle them at once."""
    submit(commands=commands, submitted_at=now)
    worker = open_worker()
    blocks = worker.settle_inbox(now=now)
    worker.give_back()
    return blocks


def sqlstate(error: DatabaseError) -> str:
    """Return the code under which PostgreSQL refused."""
    return str(getattr(error.__cause__, "sqlstate", ""))
