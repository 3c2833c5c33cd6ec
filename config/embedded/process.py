"""Children that never outlive their parent, and what is left where a system cannot promise that."""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LINUX = sys.platform.startswith("linux")
_PR_SET_PDEATHSIG = 1
_LOG_MAX_BYTES = 10_000_000
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


class ServerFailed(RuntimeError):
    """A server did not start; the message says why and what to do."""


def spawn(
    argv: Sequence[str | Path],
    *,
    stop_signal: signal.Signals,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | str = "/",
    user: int | None = None,
    group: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child that the kernel stops with ``stop_signal`` when this process dies.

    Call it from the main thread: the kernel watches the *thread* that made the child. The child
    is its own session, so that Ctrl-C reaches only us and we stop everything in order.
    """
    output = _open_log(log) if log else None
    try:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
            # Runs after the change of user: the kernel forgets the wish when the user changes.
            preexec_fn=_dies_with_parent(stop_signal),  # noqa: PLW1509 - only the main thread forks
        )
    finally:
        if output is not None:
            os.close(output)


def spawn_in_view(argv: Sequence[str | Path], *, cwd: Path) -> subprocess.Popen[bytes]:
    """Start a child like ``spawn`` whose output the person at the terminal sees."""
    return subprocess.Popen(
        [str(part) for part in argv],
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=_dies_with_parent(signal.SIGTERM),  # noqa: PLW1509 - only the main thread forks
    )


def stop(
    child: subprocess.Popen[bytes], *, stop_signal: signal.Signals, patience_seconds: float
) -> None:
    """Ask a child to stop and wait; whatever is left of its session afterwards is killed."""
    if child.poll() is None:
        child.send_signal(stop_signal)
    try:
        child.wait(patience_seconds)
    except subprocess.TimeoutExpired:
        pass
    kill_session(child)
    child.wait()


def kill_session(child: subprocess.Popen[bytes]) -> None:
    """Kill what still runs in the child's session, the child itself or what it left behind."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # nothing is left (macOS answers "not permitted" for a session of zombies)


def reap_stale(pid_file: Path, *, marker: str, stop_signal: signal.Signals) -> None:
    """Wait for the end of a server of a killed run, and stop it where no kernel does.

    The server is recognised by ``marker`` in its command line: a process id alone may belong
    to somebody else by now.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    give_up_at = time.monotonic() + 30
    asked = False
    while marker in _command_line(pid):
        if time.monotonic() > give_up_at:
            raise ServerFailed(f"an old server (process {pid}) does not stop; end it by hand")
        if not asked:
            _signal_if_alive(pid, stop_signal)
            asked = True
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        # As a server does: a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read, completely or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def last_lines(log: Path, count: int = 12) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    except OSError:
        return ""


def _dies_with_parent(stop_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def before_exec() -> None:
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != parent:  # it died between fork and prctl: nobody would tell us
            os._exit(1)

    return before_exec


def _open_log(log: Path) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LOG_MAX_BYTES:
        log.replace(log.with_suffix(".old.log"))
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _command_line(pid: int) -> str:
    """Return the command line of a living process, "" of any other."""
    if LINUX:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            return ""
    listing = ["ps", "-o", "args=", "-p", str(pid)]
    return subprocess.run(listing, capture_output=True, text=True, check=False).stdout


def _signal_if_alive(pid: int, stop_signal: signal.Signals) -> None:
    try:
        os.kill(pid, stop_signal)
    except (ProcessLookupError, PermissionError):
        pass
