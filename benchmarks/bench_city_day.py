"""A city's day from its readings file to settled, rolled-up books, against a bare COPY.

The day runs as anybody would run it, ``manage.py replay`` in a process of its own, on durable
servers of this benchmark alone. Then the rows that it left behind are copied, table by table and
with every key, check and trigger in place, into a second database on the same server.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg
from psycopg import sql

from benchmarks.make_city import INTERVALS, make_city
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
from config.embedded.postgres import ADMIN, APP

HOUSEHOLDS: Final = 10_000
FEWER_HOUSEHOLDS: Final = 1_000
RATIO_MAX: Final = 4.0
# With zones, grid fees, agreements and certificates; what they write is copied too.
FULL_RATIO_MAX: Final = 6.0
_FULL: Final = "import django; django.setup(); from benchmarks import full_city as c; c.main()"
ROWS_MAX: Final = 4.0
MEMORY_MAX_MIB: Final = 1024.0
# A day of a thousand households takes seconds, so that one hiccup would be most of it.
FEWER_TURNS: Final = 3
COPY_TURNS: Final = 2
COPY_BYTES: Final = 2**20

# What an insert may not carry: counters follow from transfers, answers and places in the log from
# the worker, salts from the database.
NOT_COPIED: Final = {
    "ledger_account": {
        *("debits_pending", "debits_posted", "credits_pending", "credits_posted"),
        *("salt", "leaf_index"),
    },
    "ledger_inboxcommand": {"state", "refusal", "block_id", "position", "leaf_index"},
}
# Tied to the rows they need by triggers, not by foreign keys.
COPIED_LAST: Final = "ledger_transfer"


@dataclass(frozen=True)
class Day:
    """A replayed day."""

    database: str
    household_intervals: int
    seconds: float
    wall_seconds: float
    stages: dict[str, float]
    peak_mib: float
    rows_written: int
    grown_tables: tuple[str, ...]


@dataclass(frozen=True)
class Copied:
    """The rows of a day, copied."""

    seconds: float
    transfer_seconds: float
    commit_seconds: float
    rows: int
    bytes: int


def measure() -> list[Row]:
    """Replay a small and a large city, then copy the large one's rows."""
    with durable_servers() as (pair, folder):
        small = [
            _replay(pair, folder, households=FEWER_HOUSEHOLDS, name=f"small_{turn}")
            for turn in range(FEWER_TURNS)
        ]
        day = _replay(pair, folder, households=HOUSEHOLDS, name="large")
        copied = _copied(pair, folder, day)
        full = _replay(pair, folder, households=HOUSEHOLDS, name="full", everything=True)
        full_copied = _copied(pair, folder, full)
    per_small = median(each.seconds / each.household_intervals for each in small)
    per_large = day.seconds / day.household_intervals
    label = f"city day, {HOUSEHOLDS:,} x {INTERVALS}"
    return [
        Row(f"{label}, file to books / bare COPY", day.seconds / copied.seconds, "x", RATIO_MAX),
        Row(
            f"{label}, everything on / bare COPY",
            full.seconds / full_copied.seconds,
            "x",
            FULL_RATIO_MAX,
        ),
        Row(
            f"{label}, rows written per household-interval",
            day.rows_written / day.household_intervals,
            "rows",
            ROWS_MAX,
        ),
        Row(f"{label}, largest process", day.peak_mib, "MiB", MEMORY_MAX_MIB),
        Row(f"{label}, file to books", day.seconds, "s"),
        *(Row(f"{label}, of which {name}", spent, "s") for name, spent in day.stages.items()),
        Row(f"{label}, whole command with start and check", day.wall_seconds, "s"),
        Row(f"{label}, household-intervals per second", 1 / per_large, "1/s"),
        Row(f"{label}, bare COPY", copied.seconds, "s"),
        Row(f"{label}, bare COPY, of which transfers", copied.transfer_seconds, "s"),
        Row(f"{label}, bare COPY, of which keys checked at commit", copied.commit_seconds, "s"),
        Row(f"{label}, bare COPY, rows", copied.rows, "rows"),
        Row(f"{label}, bare COPY, bytes", copied.bytes, "bytes"),
        Row(f"{label}, everything on", full.seconds, "s"),
        *(
            Row(f"{label}, everything on, of which {name}", spent, "s")
            for name, spent in full.stages.items()
        ),
        Row(f"{label}, everything on, largest process", full.peak_mib, "MiB", MEMORY_MAX_MIB),
        Row(f"{label}, everything on, bare COPY", full_copied.seconds, "s"),
        Row(f"{label}, everything on, bare COPY, rows", full_copied.rows, "rows"),
        Row(
            f"city day, cost per household at {HOUSEHOLDS:,} / at {FEWER_HOUSEHOLDS:,}",
            per_large / per_small,
            "x",
        ),
    ]


def _copied(pair: Pair, folder: Path, day: Day) -> Copied:
    """Copy a day's rows some times; the fastest counts."""
    turns = [
        _copy_again(pair, folder, day, f"{day.database}_copy_{turn}") for turn in range(COPY_TURNS)
    ]
    return min(turns, key=lambda each: each.seconds)


def _replay(
    pair: Pair, folder: Path, *, households: int, name: str, everything: bool = False
) -> Day:
    """Make a city's file, and carry it to settled books in a fresh database."""
    path, out = folder / f"city_{households}.csv", folder / f"{name}.json"
    if not path.exists():
        make_city(path, households=households)
    make_database(pair, folder, name)
    before = _writes(pair, name)
    write_out(pair)
    plain = ["manage.py", "replay", str(path), "--summary", str(out)]
    arguments = ["-c", _FULL, str(path), str(out)] if everything else plain
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={**child_environment(pair, folder, name), "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.DEVNULL,
    )
    peak_mib = peak_mib_while(child, also=[pair.postgres.pid])
    wall_seconds = time.perf_counter() - started
    if child.returncode != 0:
        raise RuntimeError(f"{name}: {households} households ended with {child.returncode}")
    summary: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert summary["money"]["imbalance_micro"] == 0, summary["money"]
    assert (summary["households"], summary["intervals"]) == (households, INTERVALS), summary
    after = _writes(pair, name)
    written = {table: after[table][1] - before.get(table, (0, 0))[1] for table in after}
    grown = {table: after[table][0] - before.get(table, (0, 0))[0] for table in after}
    seconds = dict(summary["seconds"])
    return Day(
        database=name,
        household_intervals=households * INTERVALS,
        seconds=seconds.pop("total"),
        wall_seconds=wall_seconds,
        stages=seconds,
        peak_mib=max(peak_mib, summary["peak_rss_mb"] * 1e6 / 2**20),
        rows_written=sum(written.values()),
        grown_tables=tuple(table for table, rows in grown.items() if rows),
    )


def _writes(pair: Pair, database: str) -> dict[str, tuple[int, int]]:
    """Return rows inserted, and rows inserted or updated, by table, as the server counted."""
    with psycopg.connect(database_url(pair, ADMIN, database)) as connection:
        rows = connection.execute(
            "SELECT relname, n_tup_ins, n_tup_ins + n_tup_upd FROM pg_stat_user_tables"
        )
        return {table: (inserted, written) for table, inserted, written in rows}


def _copy_again(pair: Pair, folder: Path, day: Day, name: str) -> Copied:
    """Copy a day's rows into a second database of the same schema, one COPY a table."""
    make_database(pair, folder, name)
    copies: list[tuple[sql.Composed, Path]] = []  # transfers last
    with psycopg.connect(database_url(pair, APP, day.database)) as source:
        for table in _in_key_order(source, day.grown_tables):
            target = _table_and_columns(source, table)
            dump = folder / f"{day.database}_{table}.copy"
            if not dump.exists():
                _dump(source, target, dump)
            copies.append((target, dump))
    write_out(pair)
    rows = 0
    started = last_started = copied = time.perf_counter()
    with (
        psycopg.connect(database_url(pair, APP, name)) as connection,
        connection.cursor() as cursor,
    ):
        for target, dump in copies:
            last_started = time.perf_counter()
            statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(target)
            with cursor.copy(statement) as copy, dump.open("rb") as file:
                while piece := file.read(COPY_BYTES):
                    copy.write(piece)
            rows += cursor.rowcount
            copied = time.perf_counter()
    ended = time.perf_counter()
    size = sum(dump.stat().st_size for _, dump in copies)
    return Copied(ended - started, copied - last_started, ended - copied, rows, size)


def _in_key_order(connection: psycopg.Connection, tables: tuple[str, ...]) -> list[str]:
    """Return tables so that each comes after those its foreign keys name."""
    needs: dict[str, set[str]] = {table: set() for table in tables if table != COPIED_LAST}
    found = connection.execute(
        "SELECT t.relname, r.relname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
        " JOIN pg_class r ON r.oid = c.confrelid WHERE c.contype = 'f' AND t.oid <> r.oid"
    )
    for table, needed in found:
        if table in needs and needed in needs:
            needs[table].add(needed)
    ordered = list(TopologicalSorter(needs).static_order())
    return [*ordered, COPIED_LAST] if COPIED_LAST in tables else ordered


def _table_and_columns(connection: psycopg.Connection, table: str) -> sql.Composed:
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
        [table],
    )
    columns = [name for (name,) in rows if name not in NOT_COPIED.get(table, set())]
    return sql.SQL("{} ({})").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def _dump(connection: psycopg.Connection, target: sql.Composed, dump: Path) -> None:
    statement = sql.SQL("COPY {} TO STDOUT (FORMAT BINARY)").format(target)
    with connection.cursor().copy(statement) as copy, dump.open("wb") as file:
        for piece in copy:
            file.write(piece)
