"""The past in the form a forecast is made from: blocks of 24 hours that end at its beginning."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from analytics.domain.experts import FloatArray, History, Int8Array
from analytics.models import IntervalRollup, Weather
from marketplace.queries.meter_history import read_meter_history

BLOCK = timedelta(hours=24)
BLOCKS_MAX = 56


@dataclass(frozen=True, slots=True)
class Window:
    """The time a forecast looks at: ``blocks`` before ``origin`` and ``leads`` from there on."""

    community_id: int
    zone: ZoneInfo
    origin: datetime
    minutes: int
    blocks: int
    leads: int

    @property
    def start(self) -> datetime:
        """Where the past begins."""
        return self.origin - self.blocks * BLOCK

    @property
    def end(self) -> datetime:
        """Where the forecast ends."""
        return self.origin + self.leads * BLOCK

    @property
    def slots(self) -> int:
        """Intervals of a block."""
        return 24 * 60 // self.minutes

    def day_kinds(self) -> Int8Array:
        """Return 1 for each slot that is on a weekend of the civil calendar, else 0."""
        count = (self.blocks + self.leads) * self.slots
        step = timedelta(minutes=self.minutes)
        days = [(self.start + step * at).astimezone(self.zone).weekday() for at in range(count)]
        kinds = (np.array(days) >= 5).astype(np.int8)
        return kinds.reshape(self.blocks + self.leads, self.slots)

    def place(self, start_epoch_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many intervals after the window's start each moment is."""
        places: NDArray[np.int64] = (start_epoch_s - int(self.start.timestamp())) // (
            self.minutes * 60
        )
        return places


def read_meters(
    window: Window, *, metering_point_ids: Sequence[int], weather: FloatArray
) -> tuple[History, History]:
    """Return the export and the import of some meters over a window. [Wh]"""
    found = read_meter_history(
        community_id=window.community_id,
        metering_point_ids=metering_point_ids,
        start=window.start,
        end=window.origin,
        minutes=window.minutes,
    )
    kinds = window.day_kinds()
    ids = np.array(metering_point_ids, dtype=np.int64)
    order = np.argsort(ids)
    series = order[np.searchsorted(ids[order], found.metering_point_id)]
    places = window.place(found.start_epoch_s)

    def history(values: NDArray[np.int64]) -> History:
        table = np.full((len(ids), window.blocks * window.slots), np.nan)
        table[series, places] = values
        return History(table.reshape(len(ids), window.blocks, window.slots), kinds, weather)

    return history(found.export_wh), history(found.import_wh)


def read_prices(window: Window, *, weather: FloatArray) -> tuple[list[int], History]:
    """Return the zones of a community and their prices over a window. [micro/kWh]"""
    rows = list(
        IntervalRollup.objects.filter(
            community_id=window.community_id,
            starts_at__gte=window.start,
            starts_at__lt=window.origin,
            price_micro_per_kwh__isnull=False,
        ).values_list("zone_id", "starts_at", "price_micro_per_kwh")
    )
    zones = sorted({zone_id for zone_id, _start, _price in rows})
    table = np.full((len(zones), window.blocks * window.slots), np.nan)
    if rows:
        starts = np.array([int(start.timestamp()) for _zone, start, _price in rows])
        series = np.searchsorted(zones, [zone_id for zone_id, _start, _price in rows])
        table[series, window.place(starts)] = [price for _zone, _start, price in rows]
    values = table.reshape(len(zones), window.blocks, window.slots)
    return zones, History(values, window.day_kinds(), weather)


def read_weather(window: Window) -> FloatArray:
    """Return irradiance and temperature over a window; no kinds where the forecast has a gap."""
    rows = list(
        Weather.objects.filter(
            community_id=window.community_id, starts_at__gte=window.start, starts_at__lt=window.end
        ).values_list("starts_at", "irradiance_w_per_m2", "temperature_tenths_c")
    )
    days = window.blocks + window.leads
    table = np.full((2, days * window.slots), np.nan)
    if rows:
        starts = np.array([int(start.timestamp()) for start, _irradiance, _temperature in rows])
        table[:, window.place(starts)] = np.array([row[1:] for row in rows], dtype=np.float64).T
    weather = table.reshape(2, days, window.slots)
    ahead = weather[:, window.blocks :]
    return weather if not np.isnan(ahead).any() else np.empty((0, days, window.slots))
