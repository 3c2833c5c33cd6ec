"""Pytest plugin: a private PostgreSQL and Valkey for the session, before settings are read.

A conftest would be too late, pytest-django has read the settings by then. With DATABASE_URL,
DATABASE_OWNER_URL and REDIS_URL set, those servers are used instead.
"""

import atexit
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.pair import Pair
from config.embedded.process import ServerFailed
from tests import databases

_held: list[int] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if not worker:
        _begin_session()
        if getattr(early_config.known_args_namespace, "numprocesses", None):
            _make_template_beside()
    # Each worker has a database of its own, made when the first test asks for it.
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        os.environ[name] = databases.url_of(os.environ[name], databases.worker_name())
    number = int(worker.removeprefix("gw")) % 15 + 1 if worker else 0
    os.environ["REDIS_URL"] = databases.url_of(os.environ["REDIS_URL"], str(number))
    return (yield)


def pytest_report_header() -> str:
    real_data = os.environ.get("HELIOPOLIS_REAL_DATA")
    if real_data:
        return f"real data: {real_data}"
    return "real data: HELIOPOLIS_REAL_DATA is not set, tests on real data are skipped"


def _begin_session() -> None:
    root = databases.PROJECT / ".local"
    root.mkdir(exist_ok=True)
    _sweep(root)
    folder = root / f"test-{os.getpid()}"
    folder.mkdir()
    _held.append(_lock(folder))
    os.environ[databases.SESSION] = str(folder)
    os.environ["HELIOPOLIS_STATE"] = str(folder / "state")
    os.environ.setdefault("HELIOPOLIS_SECRET_KEY", "only-for-tests")
    pair: Pair | None = None
    if not os.environ.get("DATABASE_URL"):
        pair = Pair(folder, durable=False)
        try:
            pair.start()
        except ServerFailed as failure:
            raise pytest.UsageError(str(failure)) from failure
        os.environ.update(pair.environment())
    elif not (os.environ.get("DATABASE_OWNER_URL") and os.environ.get("REDIS_URL")):
        raise pytest.UsageError("DATABASE_URL is set: set DATABASE_OWNER_URL and REDIS_URL too")
    session = os.getpid()

    def end() -> None:
        if os.getpid() != session:
            return  # a fork of ours ends, not the session
        if pair is None:
            databases.drop_session()
        else:
            pair.stop()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)


def _make_template_beside() -> None:
    """Migrate while the workers collect: all of them would wait for the first that needs it."""
    # If it fails, the first worker that needs the template tries again and says why.
    maker = subprocess.Popen(
        [sys.executable, "-m", "tests.databases"],
        cwd=databases.PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def end() -> None:
        if os.getpid() == session:
            maker.kill()
            maker.wait()

    session = os.getpid()
    atexit.register(end)


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _sweep(root: Path) -> None:
    """Remove folders of killed sessions: the kernel stopped their servers, and freed the lock."""
    for folder in root.glob("test-*"):
        try:
            descriptor = _lock(folder)
        except OSError:
            continue  # a session that runs beside us
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
