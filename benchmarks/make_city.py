"""Make a day of a synthetic city: quarter-hour readings of as many households as asked for.

    python -m benchmarks.make_city --households 10000 CITY.csv

The curves are invented and only plausible: a base load, a morning and an evening peak, and on
about 45 % of the roofs a clear-sky bell cut by passing clouds. The same seed makes the same file.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketplace.domain.readings.writer import write_readings

FloatArray = NDArray[np.float64]

MINUTES: Final = 15
INTERVALS: Final = 24 * 60 // MINUTES
SOLAR_SHARE: Final = 0.45
FIRST_START: Final = datetime(2026, 6, 30, 16, 0, tzinfo=UTC)  # midnight at +08:00
OFFSET: Final = timedelta(hours=8)


def make_city(path: Path, *, households: int, seed: int = 1) -> int:
    """Write the readings of a synthetic city for one day.

    Parameters
    ----------
    path : Path
        The readings file to write.
    households : int
        Number of meters, named HOME-000000 and up; each has 96 intervals of 15 minutes.
    seed : int, default 1

    Returns
    -------
    int
        Rows written.
    """
    random = np.random.default_rng(seed)
    # Interval by interval, as a meter data company delivers them.
    net_wh = (_load_wh(random, households) - _solar_wh(random, households)).T.ravel()
    starts = int(FIRST_START.timestamp()) + np.arange(INTERVALS, dtype=np.int64) * MINUTES * 60
    write_readings(
        path,
        meters=[f"HOME-{number:06d}" for number in range(households)],
        meter_index=np.tile(np.arange(households, dtype=np.int32), INTERVALS),
        start_epoch_s=np.repeat(starts, households),
        minutes=MINUTES,
        import_wh=np.maximum(net_wh, 0),
        export_wh=np.maximum(-net_wh, 0),
        offset=OFFSET,
    )
    return households * INTERVALS


def _hours() -> FloatArray:
    return (np.arange(INTERVALS) + 0.5) * MINUTES / 60


def _load_wh(random: np.random.Generator, households: int) -> NDArray[np.int64]:
    """Return load by household and interval. [Wh]"""
    hours = _hours()
    shift = random.normal(0, 0.7, (households, 1))
    morning = np.exp(-((hours - 7.5 - shift) ** 2) / 2)
    evening = np.exp(-((hours - 19.5 - shift) ** 2) / 6)
    size_w = random.lognormal(np.log(450), 0.45, (households, 1))
    noise = random.lognormal(0, 0.35, (households, INTERVALS))
    power_w = size_w * (0.4 + 0.8 * morning + 1.6 * evening) * noise
    return np.rint(power_w * MINUTES / 60).astype(np.int64)


def _solar_wh(random: np.random.Generator, households: int) -> NDArray[np.int64]:
    """Return generation by household and interval, zero where there is no roof plant. [Wh]"""
    height = np.sin((_hours() - 5.5) / 13 * np.pi)
    clear = np.where(np.abs(_hours() - 12) < 6.5, np.maximum(height, 0) ** 1.3, 0)
    clouds = np.clip(1 - random.gamma(0.8, 0.2, INTERVALS), 0.15, 1)  # one sky over the city
    peak_w = random.uniform(2500, 7000, (households, 1)) * 0.8
    peak_w *= random.random((households, 1)) < SOLAR_SHARE
    shade = random.uniform(0.85, 1, (households, INTERVALS))
    return np.rint(peak_w * clear * clouds * shade * MINUTES / 60).astype(np.int64)


def main() -> None:
    """Read the arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("path", type=Path)
    parser.add_argument("--households", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rows = make_city(arguments.path, households=arguments.households, seed=arguments.seed)
    print(f"{arguments.path}: {rows} rows")


if __name__ == "__main__":
    main()
