"""The durable servers that benchmarks measure on, and databases of their own in them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from config.embedded.pair import Pair
from config.embedded.postgres import ADMIN, APP, OWNER

PROJECT: Final = Path(__file__).resolve().parents[1]


@contextmanager
def durable_servers() -> Iterator[tuple[Pair, Path]]:
    """Run durable servers below the checkout: a temporary folder may be memory, without fsync."""
    state = PROJECT / ".local"
    state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=state) as name:
        folder = Path(name)
        folder.chmod(0o755)  # where we are root, the server is somebody else
        pair = Pair(folder, durable=True)
        pair.start()
        try:
            yield pair, folder
        finally:
            pair.stop()


def make_database(pair: Pair, folder: Path, name: str) -> None:
    """Make an empty book."""
    with psycopg.connect(database_url(pair, OWNER, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
        cwd=PROJECT,
        env=child_environment(pair, folder, name),
        check=True,
    )


def child_environment(pair: Pair, folder: Path, database: str) -> dict[str, str]:
    """Return the environment of a process that works on one of the databases."""
    return {
        **os.environ,
        **pair.environment(),
        "DATABASE_URL": database_url(pair, APP, database),
        "DATABASE_OWNER_URL": database_url(pair, OWNER, database),
        "HELIOPOLIS_STATE": str(folder),
    }


def database_url(pair: Pair, role: str, database: str) -> str:
    """Return where a role finds a database."""
    return urlsplit(pair.postgres.url(role))._replace(path=f"/{database}").geturl()


def write_out(pair: Pair) -> None:
    """Write out what came before, so that nobody pays for another's pages."""
    with psycopg.connect(database_url(pair, ADMIN, "postgres"), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
