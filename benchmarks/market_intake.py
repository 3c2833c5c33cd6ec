"""Order intake from request to *accepted*, against a bare COPY of the same rows.

Orders go the way of the API: bytes, validation, one hold per member and interval, COPY, the
settlement worker, its answers noted; on durable servers of this benchmark alone. Then the rows of
intervals, batches and orders are copied into databases of the same members, with every key, check
and trigger in place.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import psycopg
from psycopg import sql

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
from config.embedded.postgres import APP, OWNER

ORDERS: Final = 100_000
RATIO_MAX: Final = 5.0
COPY_TURNS: Final = 2
INTAKE_TURNS: Final = 1
TABLES: Final = (
    "marketplace_deliveryinterval",
    "marketplace_orderbatch",
    "marketplace_order",
)

_LOAD: Final = "import django; django.setup(); from benchmarks import intake_load as l; l.main()"


def measure() -> list[Row]:
    """Place the orders in a database of their own, and copy the rows into others."""
    with durable_servers() as (pair, folder):
        make_database(pair, folder, "members")
        _run(pair, folder, "members", "members")
        turns = [_intake(pair, folder, f"intake_{turn}") for turn in range(INTAKE_TURNS)]
        dumps = _dumped(pair, folder, "intake_0")
        copied = median(_copied(pair, dumps, f"bare_{turn}") for turn in range(COPY_TURNS))
    told = sorted(turns, key=lambda turn: float(turn["seconds"]))[INTAKE_TURNS // 2]
    label = f"intake of {ORDERS:,} orders"
    return [
        Row(f"{label} to accepted / bare COPY", told["seconds"] / copied, "x", RATIO_MAX),
        Row(f"{label}, to accepted", told["seconds"], "s"),
        *(Row(f"{label}, of which {name}", spent, "s") for name, spent in told["parts"].items()),
        Row(f"{label}, bare COPY", copied, "s"),
        Row(f"{label}, orders per second", ORDERS / told["seconds"], "1/s"),
    ]


def _intake(pair: Pair, folder: Path, name: str) -> dict[str, Any]:
    _clone(pair, name)
    told: dict[str, Any] = json.loads(_run(pair, folder, name, "orders", str(ORDERS)))
    return told


def _run(pair: Pair, folder: Path, database: str, *words: str) -> bytes:
    write_out(pair)
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, *words],
        cwd=PROJECT,
        env={
            **child_environment(pair, folder, database),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout


def _clone(pair: Pair, name: str) -> None:
    with psycopg.connect(database_url(pair, OWNER, "postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE members").format(sql.Identifier(name))
        )


def _dumped(pair: Pair, folder: Path, database: str) -> list[tuple[str, Path]]:
    dumps = []
    with psycopg.connect(database_url(pair, APP, database)) as connection:
        for table in TABLES:
            dump = folder / f"{table}.copy"
            statement = sql.SQL("COPY {} TO STDOUT (FORMAT BINARY)").format(sql.Identifier(table))
            with connection.cursor().copy(statement) as copy, dump.open("wb") as file:
                for piece in copy:
                    file.write(piece)
            dumps.append((table, dump))
    return dumps


def _copied(pair: Pair, dumps: list[tuple[str, Path]], name: str) -> float:
    _clone(pair, name)
    write_out(pair)
    started = time.perf_counter()
    with (
        psycopg.connect(database_url(pair, APP, name)) as connection,
        connection.cursor() as cursor,
    ):
        for table, dump in dumps:
            statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table))
            with cursor.copy(statement) as copy:
                copy.write(dump.read_bytes())
            assert cursor.rowcount > 0, table
    return time.perf_counter() - started
