"""Pending migrations, run as the owner before anything else looks at an embedded database."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded import process

PROJECT = Path(__file__).resolve().parents[2]


def apply_pending(state: Path) -> None:
    """Bring the database of ``state`` up to date; costs a few file reads when it already is."""
    # Beside the data, so that both are deleted together.
    stamp = state / "pg" / "migrated"
    with _one_at_a_time(state / "migrate.lock"):
        wanted = fingerprint()
        if stamp.exists() and stamp.read_text() == wanted:
            return
        migrate()
        process.write_private(stamp, wanted)


def migrate() -> None:
    """Run the migrations in a process of their own, as the owner of the database."""
    # Without checks: they look at every page and form, and have their own place in the tests.
    options = ["migrate", "--verbosity=0", "--skip-checks"]
    command = [sys.executable, str(PROJECT / "manage.py"), *options]
    if subprocess.run(command, cwd=PROJECT, check=False).returncode != 0:
        raise SystemExit("the migrations failed; see above")


def fingerprint() -> str:
    """Return a hash of our migrations, the privileges, and the locked versions of all others."""
    digest = hashlib.sha256((PROJECT / "uv.lock").read_bytes())
    ours = sorted(PROJECT.glob("*/migrations/*.py"))
    for file in (*ours, PROJECT / "config" / "privileges.py"):
        digest.update(str(file.relative_to(PROJECT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
