"""Turn the real data that a machine may hold into the hall's own readings file."""

from __future__ import annotations

import csv
import gzip
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from marketplace.domain.readings.writer import write_readings

PACIFIC_STANDARD = timedelta(hours=-8)


def fontana_csv(real_data: Path, out: Path, *, days: int) -> Path:
    """Write 17 homes as readings at the grid connection, from New Year on, and return the path.

    The source is in local standard time all year, so one offset fits every row.
    """
    zone = timezone(PACIFIC_STANDARD)
    meters: dict[str, int] = {}
    index, starts, net = [], [], []
    end: datetime | None = None
    source = real_data / "homes_fontana" / "homes_hourly.csv.gz"
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            start = datetime.fromisoformat(row["ts_start_local_std"]).replace(tzinfo=zone)
            end = end or start + timedelta(days=days)
            if start >= end:
                continue
            index.append(meters.setdefault(row["home_id"], len(meters)))
            starts.append(int(start.timestamp()))
            net.append(float(row["load_kwh"]) - float(row["pv_kwh"]))
    net_wh = np.rint(np.array(net) * 1000).astype(np.int64)
    write_readings(
        out,
        meters=list(meters),
        meter_index=np.array(index, dtype=np.int32),
        start_epoch_s=np.array(starts, dtype=np.int64),
        minutes=60,
        import_wh=np.maximum(net_wh, 0),
        export_wh=np.maximum(-net_wh, 0),
        offset=PACIFIC_STANDARD,
    )
    return out
