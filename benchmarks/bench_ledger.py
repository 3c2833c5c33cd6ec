"""The ledger from its inbox to a signed and attested log, against a bare COPY of its transfers.

Everything runs on durable servers of this benchmark alone: the settlement worker, beside it the
publisher, and in a second run also the web server and one validator, each a process of its own as
in ``./dev run``. Then the transfers that the first run left behind are copied, block by block and
each block committed, into an empty table with the same indexes in the same database.

``python -m benchmarks.bench_ledger --large`` weighs the processes at two million transfers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg

from benchmarks.one_validator import one_validator
from benchmarks.process_memory import peak_mib_while
from benchmarks.servers import (
    PROJECT,
    child_environment,
    database_url,
    durable_servers,
    make_database,
    write_out,
)
from benchmarks.table import Row, format_table
from config.embedded.pair import Pair
from config.embedded.postgres import OWNER

ACCOUNTS: Final = 100_000
HOT_ACCOUNTS: Final = 10
TRANSFERS: Final = 400_000
SMALL_TRANSFERS: Final = 40_000
LARGE_TRANSFERS: Final = 2_000_000
PER_COMMAND: Final = 1_000
SIGNED_MAX: Final = 4.0
ATTESTED_MAX: Final = 6.0
MEMORY_MAX_MIB: Final = 512.0
# What costs the same whatever the size; the rest is for a machine that is not quiet.
GROWTH_MAX: Final = 1.3
COPY_TURNS: Final = 3
READY_SECONDS: Final = 60.0

_LOAD: Final = "import django; django.setup(); from benchmarks import ledger_load as l; l.main()"


@dataclass(frozen=True)
class Load:
    """A load that was settled: seconds by step, and the largest process. [MiB]"""

    transfers: int
    accounts: int
    settled: dict[str, Any]
    parts: dict[str, float]
    peak_mib: float

    @property
    def name(self) -> str:
        return f"ledger, {self.transfers:,} transfers, {self.accounts:,} accounts"

    @property
    def signed_seconds(self) -> float:
        return float(self.settled["signed_seconds"])

    @property
    def processor_seconds(self) -> float:
        return float(self.settled["processor_seconds"])

    @property
    def attested_seconds(self) -> float:
        return float(self.settled["attested_seconds"])

    def part_rows(self) -> list[Row]:
        """Return where the time went, the largest part first."""
        shares = sorted(self.parts.items(), key=lambda each: -each[1])
        return [Row(f"{self.name}, of which {part}", spent, "s") for part, spent in shares]


def measure() -> list[Row]:
    """Settle a load between many accounts and one between few; erase people on either side."""
    with durable_servers() as (pair, folder):
        rows, _ = _measured(pair, folder, "many", accounts=ACCOUNTS)
        hot_rows, large = _measured(pair, folder, "hot", accounts=HOT_ACCOUNTS)
        small = settle_load(pair, folder, "small", accounts=HOT_ACCOUNTS, transfers=SMALL_TRANSFERS)
        # In turns, so that a machine that slows down slows both.
        turns = [[_erase(pair, folder, name) for name in ("small", "hot")] for _ in range(2)]
    erased_small, erased_large = map(min, zip(*turns, strict=True))
    growth = large.processor_seconds / TRANSFERS / (small.processor_seconds / SMALL_TRANSFERS)
    sizes = f"at {TRANSFERS:,} transfers / at {SMALL_TRANSFERS:,}"
    return [
        *rows,
        *hot_rows,
        Row(f"ledger, processor time per transfer {sizes}", growth, "x", GROWTH_MAX),
        Row(f"erase a household, {sizes}", erased_large / erased_small, "x", GROWTH_MAX),
        Row(f"erase a household, {TRANSFERS:,} transfers", erased_large * 1e3, "ms"),
    ]


def _measured(pair: Pair, folder: Path, database: str, *, accounts: int) -> tuple[list[Row], Load]:
    """Settle a load twice, the second time with a validator, and copy its transfers."""
    signed = settle_load(pair, folder, database, accounts=accounts)
    blocks = signed.settled["blocks"]
    copies = [copy_again(pair, database, blocks) for _ in range(COPY_TURNS)]
    attested = settle_load(
        pair, folder, f"{database}_attested", accounts=accounts, is_validated=True
    )
    name, copied = signed.name, median(copies)
    peak_mib = max(signed.peak_mib, attested.peak_mib)
    rows = [
        Row(
            f"{name}, inbox to signed / bare COPY", signed.signed_seconds / copied, "x", SIGNED_MAX
        ),
        Row(
            f"{name}, inbox to cosigned / bare COPY",
            attested.attested_seconds / copied,
            "x",
            ATTESTED_MAX,
        ),
        Row(f"{name}, largest process", peak_mib, "MiB", MEMORY_MAX_MIB),
        Row(f"{name}, inbox to signed", signed.signed_seconds, "s"),
        Row(f"{name}, of which until booked", float(signed.settled["booked_seconds"]), "s"),
        *signed.part_rows(),
        Row(f"{name}, inbox to cosigned by one validator", attested.attested_seconds, "s"),
        Row(f"{name}, bare COPY", copied, "s"),
        Row(f"{name}, transfers per second", signed.transfers / signed.signed_seconds, "1/s"),
        Row(f"{name}, before the first block", float(signed.settled["start_seconds"]), "s"),
    ]
    return rows, signed


def settle_load(
    pair: Pair,
    folder: Path,
    name: str,
    *,
    accounts: int,
    transfers: int = TRANSFERS,
    per_command: int = PER_COMMAND,
    is_validated: bool = False,
) -> Load:
    """Settle a load in a database of its own, with or without a validator that follows."""
    home = folder / name
    make_database(pair, home, name)
    environment = _environment(pair, home, name)
    numbers = [f"--accounts={accounts}", f"--transfers={transfers}", f"--per-command={per_command}"]
    _require_success(_started(environment, "submit", *numbers))
    with ExitStack() as stack:
        watched = [pair.postgres.pid]
        if is_validated:
            watched += stack.enter_context(one_validator(home, environment))
        publisher = _started(environment, "publish", str(home / "published.json"))
        stack.callback(publisher.kill)
        _wait_for(home / "published.json", publisher)
        if is_validated:
            _wait_until_followed(home)
        write_out(pair)
        worker = _started(environment, "settle", str(home / "settled.json"))
        peak_mib = peak_mib_while(worker, also=[*watched, publisher.pid])
        _require_success(worker)
        publisher.terminate()
        _require_success(publisher)
    settled: dict[str, Any] = json.loads((home / "settled.json").read_text(encoding="utf-8"))
    published: dict[str, float] = json.loads((home / "published.json").read_text(encoding="utf-8"))
    assert settled["transfers"] == transfers, settled
    return Load(transfers, accounts, settled, {**settled["parts"], **published}, peak_mib)


def _erase(pair: Pair, folder: Path, name: str) -> float:
    """Return what erasing a household takes, in a database that has its load. [s]"""
    out = folder / name / "erased.json"
    _require_success(_started(_environment(pair, folder / name, name), "erase", str(out)))
    return float(json.loads(out.read_text(encoding="utf-8")))


def _environment(pair: Pair, home: Path, name: str) -> dict[str, str]:
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings"}
    return {**child_environment(pair, home, name), **settings}


def _started(environment: dict[str, str], *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _LOAD, *argv], cwd=PROJECT, env=environment)


def _require_success(child: subprocess.Popen[bytes]) -> None:
    if child.wait() != 0:
        raise RuntimeError(f"{child.args!r} ended with {child.returncode}")


def _wait_for(path: Path, child: subprocess.Popen[bytes]) -> None:
    """Wait until a child says by a file that it is ready."""
    give_up_at = time.monotonic() + READY_SECONDS
    while not path.exists():
        if child.poll() is not None or time.monotonic() > give_up_at:
            raise RuntimeError(f"{child.args!r} was not ready")
        time.sleep(0.02)


def _wait_until_followed(home: Path) -> None:
    """Wait until the validator has cosigned what was in the log before the load."""
    give_up_at = time.monotonic() + READY_SECONDS
    while not (home / "publication" / "checkpoint").exists():
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"the validator does not follow, see {home / 'validator.log'}")
        time.sleep(0.05)


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


def main() -> None:
    """Weigh every process at two million transfers, with a validator that follows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--large", action="store_true", help="two million transfers")
    transfers = LARGE_TRANSFERS if parser.parse_args().large else TRANSFERS
    with durable_servers() as (pair, folder):
        load = settle_load(
            pair, folder, "large", accounts=ACCOUNTS, transfers=transfers, is_validated=True
        )
    rows = [
        Row(f"{load.name}, largest process", load.peak_mib, "MiB", MEMORY_MAX_MIB),
        Row(f"{load.name}, inbox to signed", load.signed_seconds, "s"),
        Row(f"{load.name}, inbox to cosigned by one validator", load.attested_seconds, "s"),
        *load.part_rows(),
    ]
    print(format_table(rows))


if __name__ == "__main__":
    main()
