"""The servers of this checkout: one process at a time runs them, any number use them.

``servers.lock`` is held by the process that runs the servers, ``servers.json`` says where they
are, and everybody who uses another's servers holds ``users.lock`` shared, so that the holder
leaves last. The kernel drops locks with their process: after a kill nothing has to be cleaned.
"""

import fcntl
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from config.embedded import migrations, process
from config.embedded.pair import Pair
from config.embedded.process import ServerFailed

_FILE = "servers.json"


@dataclass(frozen=True)
class Holder:
    """Who runs the servers, and where they are."""

    pid: int
    address: str | None
    environment: dict[str, str]


def state_folder() -> Path:
    """Return the folder of everything this checkout keeps, made when missing."""
    chosen = os.environ.get("HELIOPOLIS_STATE")
    state = Path(chosen) if chosen else migrations.PROJECT / ".local"
    state.mkdir(parents=True, exist_ok=True)
    return state.resolve()


def uses_own_servers() -> bool:
    """Return whether the environment names servers, so that none are to be started."""
    named = [name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    if len(named) == 1:
        raise SystemExit(
            f"{named[0]} is set alone: set DATABASE_URL and REDIS_URL, or neither of them"
        )
    return bool(named)


def ensure_secret_key(state: Path) -> None:
    """Set the key that signs sessions, the same at every start, when nobody has chosen one."""
    if os.environ.get("HELIOPOLIS_SECRET_KEY"):
        return
    file = state / "secret_key"
    if not file.exists():
        process.write_private(file, secrets.token_urlsafe(48))
    os.environ["HELIOPOLIS_SECRET_KEY"] = file.read_text()


@contextmanager
def servers(state: Path, *, migrate: bool = True) -> Iterator[None]:
    """Use the servers of ``state`` in this process and its children, started when none run."""
    with ExitStack() as stack:
        while True:
            lock = _try_lock(state / "servers.lock")
            if lock is not None:
                stack.callback(os.close, lock)
                stack.enter_context(_hold(state, Pair(state), migrate=migrate))
                break
            users = os.open(state / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
            # Before the look at the file: a holder that removed it waits for this lock.
            fcntl.flock(users, fcntl.LOCK_SH)
            found = _read(state)
            if found is not None:
                stack.callback(os.close, users)
                os.environ.update(found.environment)
                if migrate:
                    migrations.apply_pending(state)
                break
            os.close(users)
            time.sleep(0.05)
        yield


@contextmanager
def hold_servers(state: Path, pair: Pair, *, address: str) -> Iterator[None]:
    """Run the servers for a whole program; wait for a command that runs them just now."""
    told = False
    while (lock := _try_lock(state / "servers.lock")) is None:
        found = _read(state)
        if found is not None and found.address is not None:
            raise SystemExit(f"this checkout already runs at {found.address} (process {found.pid})")
        if not told and found is not None:
            _say(f"waiting for the end of a command that runs the servers (process {found.pid})")
            told = True
        time.sleep(0.1)
    try:
        with _hold(state, pair, address=address):
            yield
    finally:
        os.close(lock)


@contextmanager
def _hold(
    state: Path, pair: Pair, *, address: str | None = None, migrate: bool = True
) -> Iterator[None]:
    (state / _FILE).unlink(missing_ok=True)  # of a holder that was killed
    try:
        pair.start()
    except ServerFailed as failure:
        raise SystemExit(str(failure)) from failure
    try:
        os.environ.update(pair.environment())
        if migrate:
            migrations.apply_pending(state)
        holder = Holder(os.getpid(), address, pair.environment())
        process.write_private(state / _FILE, json.dumps(asdict(holder)))
        yield
    finally:
        (state / _FILE).unlink(missing_ok=True)
        try:
            # A whole program is stopped to stop everything; a command only comes to its end.
            if address is None:
                _wait_for_users(state)
        finally:
            pair.stop()


def _wait_for_users(state: Path) -> None:
    users = os.open(state / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for other commands that use these servers (Ctrl-C: do not wait)")
            fcntl.flock(users, fcntl.LOCK_EX)
    finally:
        os.close(users)


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _read(state: Path) -> Holder | None:
    """Return what the living holder wrote, None while it starts or stops."""
    try:
        holder = Holder(**json.loads((state / _FILE).read_text()))
    except FileNotFoundError:
        return None
    return holder if process.is_alive(holder.pid) else None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
