"""How wrong the forecasts are, beside the naive ones: a rolling origin over real homes and prices.

    HELIOPOLIS_REAL_DATA=FOLDER .venv/bin/python -m benchmarks.forecast_skill

Every day of a series is forecast one and two days ahead from what was known before; weights are
fitted anew each week. The folder holds ``homes_fontana`` and ``prices``; without it, only the
fixtures are measured. Prints mean absolute errors as a table, and how often the truth fell into
the band that the errors of the 28 days before would have given.
"""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from analytics.domain.experts import Experts, FloatArray, History
from analytics.domain.forecast import BAND, try_out
from marketplace.domain.readings.file import read_readings

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
WARM_UP = 60
LEADS = (1, 2)
Cut = Callable[[FloatArray], FloatArray]
Case = tuple[str, str, FloatArray, Cut, date]


def main() -> int:
    """Print the table."""
    print("| series | unit | day | mix | last day | last week | skill | in band |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    root = os.environ.get("HELIOPOLIS_REAL_DATA")
    for case in [*_fixtures(), *(_real(Path(root)) if root else [])]:
        _print_case(*case)
    if not root:
        print("HELIOPOLIS_REAL_DATA is not set: only the fixtures were measured", file=sys.stderr)
    return 0


def _print_case(name: str, unit: str, blocks: FloatArray, cut: Cut, first: date) -> None:
    days = blocks.shape[1] + max(LEADS)
    kinds = (np.array([(first.toordinal() + at - 1) % 7 for at in range(days)]) >= 5).astype(
        np.int8
    )
    slots = blocks.shape[2]
    experts = Experts(
        History(blocks, np.repeat(kinds[:, None], slots, axis=1), np.empty((0, days, slots)))
    )
    warm_up = WARM_UP if blocks.shape[1] > 2 * WARM_UP else 1
    for lead in LEADS:
        trial = try_out(experts, lead=lead, blocks=blocks.shape[1] - warm_up)
        targets = list(trial.blocks)
        truth, mix = cut(blocks[:, targets]), cut(trial.mix)
        last, week = (
            np.stack([cut(look(target, lead)) for target in targets], axis=1)
            for look in (experts.last, experts.week)
        )
        errors = [float(np.nanmean(np.abs(each - truth))) for each in (mix, last, week)]
        naive = np.nanmin(errors[1:])
        print(
            f"| {name} | {unit} | {lead} | {errors[0]:.1f} | {errors[1]:.1f} | {errors[2]:.1f} | "
            f"{1 - errors[0] / naive:+.1%} | {_in_band(mix, truth)} |"
        )


def _in_band(mix: FloatArray, truth: FloatArray) -> str:
    """Return how often the truth lay in a band made of the errors of the 28 days before."""
    inside, count = 0, 0
    for day in range(28, mix.shape[1]):
        past = truth[:, day - 28 : day] - mix[:, day - 28 : day]
        low, high = np.nanquantile(past, BAND, axis=1)
        now = truth[:, day] - mix[:, day]
        inside += int(((low <= now) & (now <= high)).sum())
        count += int((~np.isnan(now)).sum())
    return f"{inside / count:.0%}" if count else ""


def _fixtures() -> Iterator[Case]:
    for name, first in (
        ("homes_summer_week.csv", date(2026, 6, 15)),
        ("homes_winter_week.csv", date(2026, 1, 19)),
        ("district_week.csv.gz", date(2026, 6, 15)),
    ):
        file = read_readings(FIXTURES / name)
        place = (file.start_epoch_s - file.start_epoch_s.min()) // (file.minutes * 60)
        slots = 24 * 60 // file.minutes
        net = np.full((len(file.meters), 7 * slots), np.nan)
        net[file.meter_index, place] = file.export_wh - file.import_wh
        yield from _sides(name, net.reshape(len(file.meters), 7, slots), first)


def _sides(name: str, net: FloatArray, first: date) -> Iterator[Case]:
    yield f"{name}: surplus", "Wh", net, _above, first
    yield f"{name}: demand", "Wh", net, _below, first


def _real(root: Path) -> Iterator[Case]:
    homes = pd.read_csv(root / "homes_fontana" / "homes_hourly.csv.gz")
    homes["net"] = (homes["pv_kwh"] - homes["load_kwh"]) * 1000
    net = homes.pivot(index="ts_start_local_std", columns="home_id", values="net").to_numpy().T
    # Row 0 is an hour before midnight.
    yield from _sides("17 homes, a year", _blocks(net[:, 1:], 24), date(2016, 8, 1))
    dutch = pd.read_csv(root / "prices" / "nl_day_ahead_hourly_2015_2025.csv.gz")
    moments = pd.to_datetime(dutch["ts_utc"])
    hours = pd.Series(dutch["eur_mwh"].to_numpy(), index=moments)
    for year in (2016, 2024):
        every = pd.date_range(f"{year}-01-01", f"{year}-12-30 23:00", freq="h")
        values = hours.reindex(every).to_numpy()[None]
        yield f"Dutch day-ahead {year}", "EUR/MWh", _blocks(values, 24), _same, date(year, 1, 1)
    spot = pd.read_csv(root / "prices" / "aemo_sa1_2013_30min.csv.gz")["RRP"].to_numpy()[None]
    name = "South Australia spot 2013"
    yield name, "AUD/MWh", _blocks(spot, 48), _same, date(2013, 1, 1)


def _blocks(values: FloatArray, slots: int) -> FloatArray:
    whole = values.shape[1] // slots * slots
    return values[:, :whole].astype(np.float64).reshape(len(values), -1, slots)


def _above(values: FloatArray) -> FloatArray:
    return np.maximum(values, 0.0)


def _below(values: FloatArray) -> FloatArray:
    return np.maximum(-values, 0.0)


def _same(values: FloatArray) -> FloatArray:
    return values


if __name__ == "__main__":
    raise SystemExit(main())
