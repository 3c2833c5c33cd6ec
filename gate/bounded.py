"""Run one function of the gate in a child process with limits on all it may use.

Libraries that read a stranger's bytes can abort the process, take all memory or never end; none
of that may happen to a worker of the hall. The child gets an empty environment, no network where
the system lets it give that up, a folder of its own for temporary files, and dies with its parent.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from gate.errors import Refused, Stopped, gettext_noop
from gate.limits import Limits

# The child finds the gate beside itself, also when it isn't installed.
START = "import sys; sys.path.insert(0, sys.argv[1]); from gate.child import main; main()"
SOURCE = Path(__file__).resolve().parent.parent
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKIO_WORKER_THREADS": "1",
    "RUST_BACKTRACE": "0",
}
MEMORY = ("memory", gettext_noop("reading it takes more memory than one input may use"))
TIME = ("time", gettext_noop("reading it takes longer than one input may take"))
OUTPUT = ("output", gettext_noop("reading it writes more than one input may write"))
DIED = ("unreadable", gettext_noop("the reader of this format can't read it and gave up"))
# What Python, C++, Rust and the loader of libraries say when they get none.
OUT_OF_MEMORY = (
    b"memoryerror",
    b"bad_alloc",
    b"memory allocation",
    b"cannot allocate memory",
    b"failed to map segment",
)
SMALLER = gettext_noop("Split it into smaller files, or ask the hall for a higher limit.")
AGAIN = gettext_noop("Export the file again; it is probably damaged.")
BY_SIGNAL = {
    signal.SIGABRT: DIED,
    signal.SIGKILL: TIME,
    signal.SIGXCPU: TIME,
    signal.SIGXFSZ: OUTPUT,
}


def bounded(
    function: str,
    arguments: Mapping[str, Any],
    *,
    limits: Limits,
    place: str = "",
    needs_pandas: bool = False,
) -> Any:
    """Call ``package.module:function`` of the gate in a child process.

    Parameters
    ----------
    function : str
        ``gate.…:name``; it is called with ``arguments`` as keywords and returns JSON values.
    arguments : mapping
        JSON values; they go through a pipe, never through the command line.
    limits : Limits
        What the child may use.
    place : str
        Of the input, for the error when the child is stopped.
    needs_pandas : bool
        Else it can't be imported there: pyarrow would do so by itself, for a second of work.

    Returns
    -------
    JSON value
        What the function returned.

    Raises
    ------
    Refused
        What the function raised, or `Stopped` when a limit stopped it or it died.
    """
    request = json.dumps(
        {
            "function": function,
            "arguments": arguments,
            "limits": limits.as_json(),
            "needs_pandas": needs_pandas,
        }
    ).encode()
    with (
        tempfile.TemporaryDirectory(prefix="gate-") as folder,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as complaints,
    ):
        code = _run(
            request,
            Path(folder),
            out,
            complaints,
            limits,
            open_files=_open_files(arguments),
        )
        out.seek(0)
        said = out.read(limits.output_bytes + 1)
        complaints.seek(0)
        complaint = complaints.read(1 << 16)
    if code != 0:
        raise _stopped(code, complaint, place)
    answer = json.loads(said)
    if "refused" in answer:
        raise Refused.from_json(answer["refused"])
    return answer["returned"]


def isolated_python() -> list[str]:
    """Return how a Python begins that reads what strangers sent.

    It takes nothing from its surroundings, and writes nothing into the installation: under a limit
    on files, a module compiled by it would be a torn one, and every later process would fail on it.
    """
    prefix = sys.pycache_prefix
    compiled = [] if prefix is None else ["-X", f"pycache_prefix={prefix}"]
    return [sys.executable, "-I", "-B", *compiled]


def _open_files(arguments: Mapping[str, Any]) -> list[int]:
    """Return the open files that paths mean: the child can't see ours by number unless it has them.

    A copy of what must not lie in any folder has no other path than ``/proc/self/fd/N``.
    """
    paths = [arguments.get("path"), *arguments.get("companions", {}).values()]
    found = (re.fullmatch(r"/proc/self/fd/(\d+)", str(path)) for path in paths)
    return [int(match[1]) for match in found if match]


def _run(
    request: bytes,
    folder: Path,
    out: IO[bytes],
    complaints: IO[bytes],
    limits: Limits,
    *,
    open_files: list[int],
) -> int:
    with subprocess.Popen(
        [*isolated_python(), "-W", "ignore", "-c", START, str(SOURCE)],
        stdin=subprocess.PIPE,
        stdout=out,
        stderr=complaints,
        cwd=folder,
        env={**ENVIRONMENT, "TMPDIR": str(folder)},
        start_new_session=True,
        pass_fds=open_files,
    ) as process:
        try:
            process.communicate(request, timeout=limits.wall_s)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            _end(process)
        return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the child and whatever it started; it is the leader of its own group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended, and so has its group
    process.wait()


def _stopped(code: int, complaint: bytes, place: str) -> Stopped:
    out_of_memory = any(sign in complaint.lower() for sign in OUT_OF_MEMORY)
    signalled = BY_SIGNAL.get(signal.Signals(-code), DIED) if code < 0 else DIED
    kind, text = MEMORY if out_of_memory else signalled
    stopped = Stopped(kind, text, place, AGAIN if kind == DIED[0] else SMALLER)
    # Where it failed, for a log of the hall; the message itself may quote cells.
    lines = re.findall(rb'File "([^"]+)", line (\d+)', complaint)
    kinds = re.findall(rb"^([A-Za-z_.]+)(?::|$)", complaint, re.MULTILINE)
    if lines and kinds:
        file, line = lines[-1]
        stopped.add_note(f"{kinds[-1].decode()} at {Path(file.decode()).name}:{line.decode()}")
    return stopped
