"""The ledger from its inbox to a signed log, against a bare COPY of the same transfers.

Everything runs on durable servers of this benchmark alone. The ledger books a load of random
transfers in a process of its own; then the transfers that it left behind are copied, block by
block and each block committed, into an empty table with the same indexes in the same database.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg

from benchmarks.process_memory import peak_mib_while
from benchmarks.servers import (
    PROJECT,
    child_environment,
    database_url,
    durable_servers,
    make_database,
    write_out,
)
from benchmarks.table import Row
from config.embedded.pair import Pair
from config.embedded.postgres import OWNER

ACCOUNTS: Final = 100_000
HOT_ACCOUNTS: Final = 10
TRANSFERS: Final = 200_000
PER_COMMAND: Final = 1_000
SIGNED_MAX: Final = 4.0
MEMORY_MAX_MIB: Final = 512.0
COPY_TURNS: Final = 3

_LOAD: Final = "import django; django.setup(); from benchmarks import ledger_load as l; l.main()"


@dataclass(frozen=True)
class Load:
    """A load that was settled, and the same transfers copied."""

    name: str
    transfers: int
    settled: dict[str, Any]
    copy_seconds: float
    peak_mib: float

    def rows(self) -> list[Row]:
        """Return the load's ratio with its parts."""
        seconds = float(self.settled["seconds"])
        parts = dict(self.settled["parts"])
        parts["rest"] = seconds - sum(parts.values())
        shares = sorted(parts.items(), key=lambda each: -each[1])
        return [
            Row(f"{self.name}, inbox to signed / bare COPY", seconds / self.copy_seconds, "x", 4.0),
            Row(f"{self.name}, largest process", self.peak_mib, "MiB", MEMORY_MAX_MIB),
            Row(f"{self.name}, inbox to signed", seconds, "s"),
            *(Row(f"{self.name}, of which {part}", spent, "s") for part, spent in shares),
            Row(f"{self.name}, bare COPY", self.copy_seconds, "s"),
            Row(f"{self.name}, transfers per second", self.transfers / seconds, "1/s"),
            Row(f"{self.name}, before the first block", self.settled["start_seconds"], "s"),
        ]


def measure() -> list[Row]:
    """Settle a load between many accounts and one between few."""
    with durable_servers() as (pair, folder):
        many = settle_load(pair, folder, "many", accounts=ACCOUNTS)
        hot = settle_load(pair, folder, "hot", accounts=HOT_ACCOUNTS)
    return [*many.rows(), *hot.rows()]


def settle_load(
    pair: Pair,
    folder: Path,
    name: str,
    *,
    accounts: int,
    transfers: int = TRANSFERS,
    per_command: int = PER_COMMAND,
) -> Load:
    """Settle a load in a database of its own, then copy its transfers."""
    make_database(pair, folder / name, name)
    numbers = [f"--accounts={accounts}", f"--transfers={transfers}", f"--per-command={per_command}"]
    _run(pair, folder / name, name, "submit", *numbers)
    write_out(pair)
    out = folder / name / "settled.json"
    peak_mib = _run(pair, folder / name, name, "settle", str(out))
    settled: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert settled["transfers"] == transfers, settled
    copies = [copy_again(pair, name, settled["blocks"]) for _ in range(COPY_TURNS)]
    label = f"{transfers:,} transfers, {accounts:,} accounts"
    return Load(label, transfers, settled, median(copies), peak_mib)


def _run(pair: Pair, folder: Path, database: str, *argv: str) -> float:
    child = subprocess.Popen(
        [sys.executable, "-c", _LOAD, *argv],
        cwd=PROJECT,
        env={
            **child_environment(pair, folder, database),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        },
    )
    peak_mib = peak_mib_while(child, also=[pair.postgres.pid])
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {child.returncode}")
    return peak_mib


def copy_again(pair: Pair, database: str, blocks: list[int]) -> float:
    """Copy the transfers of some blocks into a new table, a transaction a block; return seconds."""
    seconds = 0.0
    with psycopg.connect(database_url(pair, OWNER, database), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare_copy")
        connection.execute("CREATE TABLE bare_copy (LIKE ledger_transfer INCLUDING INDEXES)")
        write_out(pair)
        for block in blocks:
            with connection.cursor().copy(
                "COPY (SELECT t.* FROM ledger_transfer t JOIN ledger_inboxcommand c"
                " ON c.id = t.command_id WHERE c.block_id = %s ORDER BY t.id)"
                " TO STDOUT (FORMAT BINARY)",
                [block],
            ) as copy:
                rows = b"".join(copy)
            started = time.perf_counter()
            with (
                connection.transaction(),
                connection.cursor().copy("COPY bare_copy FROM STDIN (FORMAT BINARY)") as copy,
            ):
                copy.write(rows)
            seconds += time.perf_counter() - started
    return seconds
