"""The test session's databases: one migrated template, and clones of it.

Everything is named in the environment, so that the workers of pytest-xdist and child processes
share what the main process started.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from config.embedded import migrations
from config.embedded.postgres import find_programs

PROJECT = Path(__file__).resolve().parent.parent
SESSION = "HELIOPOLIS_TEST_SESSION"


def session_folder() -> Path:
    return Path(os.environ[SESSION])


def session_name() -> str:
    """Return what begins the name of every database of this session."""
    return session_folder().name.replace("-", "_")


def worker_name() -> str:
    return f"{session_name()}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


def url_of(url: str, database: str) -> str:
    """Return ``url`` with another database in it."""
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def clone_template(name: str) -> None:
    """Make a database that looks as after the last migration, as fast as files are copied."""
    clone(_ensure_template(), name)


def clone(database: str, name: str) -> None:
    """Copy a database that nobody is connected to."""
    # Copying files takes half the work of writing every page to the log first.
    query = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with _as_owner() as connection:
        connection.execute(query.format(sql.Identifier(name), sql.Identifier(database)))


def fill(url: str) -> None:
    """Bring an empty database of another server to where the template is, if roles have one name.

    Migrating it takes ten seconds; whoever migrates it now finds nothing to do.
    """
    tools, ours = find_programs(), os.environ["DATABASE_OWNER_URL"]
    has_both = all((tools / name).exists() for name in ("pg_dump", "psql"))
    if not has_both or urlsplit(ours).username != urlsplit(url).username:
        return
    file = session_folder() / f"{worker_name()}_template.sql"
    _run([tools / "pg_dump", f"--file={file}", url_of(ours, _ensure_template())])
    _run([tools / "psql", "-qX", "--set=ON_ERROR_STOP=1", f"--file={file}", url])


def drop(name: str) -> None:
    """Remove a database, whoever still looks at it."""
    with _as_owner() as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def drop_session() -> None:
    """Remove what the session made on a server that outlives it."""
    with _as_owner() as connection:
        names = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
            [f"{session_name()}_"],
        ).fetchall()
    for (name,) in names:
        drop(name)


def _ensure_template() -> str:
    name = f"{session_name()}_template"
    descriptor = os.open(session_folder() / "template.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = session_folder() / "template.done"
        if not done.exists():
            _make_template(name)
            done.touch()
    finally:
        os.close(descriptor)
    return name


def _make_template(name: str) -> None:
    """Migrate a new database, or read what the same migrations came to the last time."""
    drop(name)  # half of one, of a worker that failed
    with _as_owner() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        version = connection.info.server_version
    url = url_of(os.environ["DATABASE_OWNER_URL"], name)
    kept = PROJECT / ".local" / f"migrated-{version}-{migrations.fingerprint()[:32]}.sql"
    tools = find_programs()
    if kept.exists() and (tools / "psql").exists():
        _run([tools / "psql", "-qX", "--set=ON_ERROR_STOP=1", f"--file={kept}", url])
        return
    _migrate(name)
    if (tools / "pg_dump").exists() and not os.environ.get("CI"):
        for old in kept.parent.glob("migrated-*.sql"):
            old.unlink(missing_ok=True)
        half = kept.with_suffix(f".{os.getpid()}")
        _run([tools / "pg_dump", f"--file={half}", url])
        half.rename(kept)


def _migrate(name: str) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": url_of(os.environ["DATABASE_URL"], name),
        "DATABASE_OWNER_URL": url_of(os.environ["DATABASE_OWNER_URL"], name),
    }
    _run([sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"], environment)


def _run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    run = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{run.stdout}{run.stderr}")


@contextmanager
def _as_owner() -> Iterator[psycopg.Connection]:
    # "postgres" is there on every server, and nobody clones it.
    url = url_of(os.environ["DATABASE_OWNER_URL"], "postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


if __name__ == "__main__":
    _ensure_template()
