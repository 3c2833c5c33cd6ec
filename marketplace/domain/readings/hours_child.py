"""The child's side of reading a stranger's file: limits first, then hours, one JSON answer."""

import json
import resource
import sys
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.intervals import readings_of_flows
from marketplace.domain.readings.formats.recognition import Asked, read_meter_file

_MEMORY_BYTES: Final = 1_500_000_000
_CPU_S: Final = 15
_HOURS_MAX: Final = 10_000
_ENERGY_MAX_WH: Final = 10**7
_NAME: Final = "file"


def main(path: str, timezone: str) -> None:
    """Read the file at a path and write what it says, or why it cannot be taken."""
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, _MEMORY_BYTES),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    try:
        said = hours_of(Path(path), timezone)
    except ReadingsInvalid as error:
        # The path is the hall's own; whoever sent the file knows it by another name.
        said = {"refused": str(error).replace(path, _NAME)}
    json.dump(said, sys.stdout)


def hours_of(path: Path, timezone: str) -> dict[str, object]:
    """Return format and hours of the only meter in a file: starts, imports, exports.

    Raises
    ------
    ReadingsInvalid
        If it cannot be read, or is not of one meter.
    """
    flows = read_meter_file(path, default_zone=ZoneInfo(timezone), asked=Asked())
    if len(flows.meters) != 1:
        raise ReadingsInvalid(
            _NAME,
            1,
            f"the file has {len(flows.meters)} meters",
            "send a file of one meter",
        )
    readings, _ = readings_of_flows(flows, minutes=60, file=_NAME)
    if len(readings) > _HOURS_MAX:
        raise ReadingsInvalid(_NAME, 1, "the file is of more than a year", "send one month")
    if max(readings.import_wh.max(), readings.export_wh.max()) > _ENERGY_MAX_WH:
        raise ReadingsInvalid(
            _NAME, 1, "an hour has more than 10,000 kWh", "check the unit of the energies"
        )
    columns = [readings.start_epoch_s, readings.import_wh, readings.export_wh]
    return {"format": flows.format, "hours": [column.tolist() for column in columns]}
