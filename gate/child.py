"""The child's side of `gate.bounded`: limits first, then the function, then one JSON answer."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from gate.errors import Refused

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
FILES_OPEN = 128


class WithoutPandas(MetaPathFinder):
    """Says that there is no pandas: pyarrow imports it whenever it can, for a second of work."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ImportError("not in this process")
        return None


def main() -> None:
    """Read the request from standard input, answer on standard output."""
    request = json.load(sys.stdin)
    # What a library prints must not mix with the answer.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _limit(request["limits"])
    _leave_network()
    if not request["needs_pandas"]:
        sys.meta_path.insert(0, WithoutPandas())
    module, name = request["function"].split(":")
    if not module.startswith("gate."):
        raise ValueError(f"{module} is not of the gate")
    try:
        said = {"returned": getattr(importlib.import_module(module), name)(**request["arguments"])}
    except Refused as refused:
        said = {"refused": refused.as_json()}
    json.dump(said, answer)
    answer.flush()
    # Threads of libraries that are still reading ahead can abort an orderly exit.
    os._exit(0)


def _limit(limits: dict[str, int]) -> None:
    output, cpu = limits["output_bytes"], limits["cpu_s"]
    memory = limits["memory_bytes"]
    for kind, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, output, output),
        (resource.RLIMIT_NOFILE, FILES_OPEN, FILES_OPEN),
    ):
        try:
            resource.setrlimit(kind, (soft, hard))
        except (ValueError, OSError):
            continue  # a system that knows no such limit, or has a lower one already
    # Python ignores this signal by itself; a library that writes on would fill nothing but time.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)


def _leave_network() -> None:
    """Die with the parent, and enter a network of one's own with nothing in it.

    Both are Linux's; where the system refuses them, the other limits still hold.
    """
    try:
        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if library.unshare(CLONE_NEWNET) != 0:
            library.unshare(CLONE_NEWUSER | CLONE_NEWNET)
    except (AttributeError, OSError):
        return
