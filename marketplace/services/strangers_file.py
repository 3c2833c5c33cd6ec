"""Read a meter file of somebody unknown: in a child process with limits, and keep nothing of it.

The recognisers are our own and bounded, but a stranger's bytes are read before anybody signed in:
what they make a process do must end by itself, and must not take the pages of others with it.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gate.bounded import isolated_python
from marketplace.errors import N_, Invalid

MOST_BYTES: Final = 3_000_000
_TAKES_S: Final = 20
_SOURCE: Final = Path(__file__).resolve().parent.parent.parent
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    "from marketplace.domain.readings.hours_child import main; main(*sys.argv[2:])"
)
_ENVIRONMENT: Final = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_UNREADABLE: Final = N_("This file cannot be read as meter readings.")


@dataclass(frozen=True)
class SentHours:
    """Whole hours of one meter. [s since 1970-01-01 UTC], [Wh]"""

    format: str
    start_s: list[int]
    import_wh: list[int]
    export_wh: list[int]


def read_hours(*, content: bytes, timezone: str) -> SentHours:
    """Return the whole hours of the only meter in a file of any known format.

    Parameters
    ----------
    timezone : str
        Whose clock times without an offset are of.

    Raises
    ------
    Invalid
        If the file is too large, of no known format, of several meters, or has no whole hour; says
        what is wrong, and on which line.
    """
    if len(content) > MOST_BYTES:
        raise Invalid("file", N_("At most 3 MB: send one month of one meter."))
    with TemporaryDirectory(prefix="trial-") as folder:
        path = Path(folder) / "sent"
        path.write_bytes(content)
        try:
            done = subprocess.run(
                [*isolated_python(), "-c", _START, str(_SOURCE), str(path), timezone],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TAKES_S,
                env=_ENVIRONMENT,
                cwd=folder,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Invalid("file", _UNREADABLE) from error
    try:
        said = json.loads(done.stdout) if done.returncode == 0 else {}
    except ValueError:
        said = {}
    if "refused" in said:
        raise Invalid("file", "{why}", why=said["refused"])
    if "hours" not in said:
        raise Invalid("file", _UNREADABLE)
    return SentHours(said["format"], *said["hours"])
