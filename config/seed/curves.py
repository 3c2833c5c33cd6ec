"""Invented curves of load and sun, only plausible: the same seed makes the same city."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Int64Array = npt.NDArray[np.int64]

SOLAR_SHARE: Final = 0.45
# Enterprises work by day, and draw as much as so many households.
ENTERPRISE_SIZE: Final = 12
_HOURS_A_DAY: Final = 24
_MIDSUMMER: Final = 172  # day of the year
_MIDWINTER: Final = 20


@dataclass(frozen=True, eq=False)
class Homes:
    """What does not change from day to day, one row each."""

    seed: int
    size_w: FloatArray
    shift_h: FloatArray
    roof_w: FloatArray
    is_enterprise: npt.NDArray[np.bool_]

    @classmethod
    def drawn(cls, *, seed: int, is_enterprise: npt.NDArray[np.bool_]) -> "Homes":
        """Draw homes and enterprises."""
        random = np.random.default_rng(seed)
        count = len(is_enterprise)
        size_w = random.lognormal(np.log(450), 0.45, count)
        roof_w = random.uniform(2_500, 7_000, count) * (random.random(count) < SOLAR_SHARE)
        return cls(
            seed=seed,
            size_w=np.where(is_enterprise, ENTERPRISE_SIZE, 1) * size_w,
            shift_h=random.normal(0, 0.7, count),
            roof_w=np.where(is_enterprise, 4 * roof_w, roof_w),
            is_enterprise=is_enterprise,
        )

    def net_wh(self, day: date, steps: int) -> tuple[Int64Array, Int64Array]:
        """Return import and export of a day by home and step.

        Parameters
        ----------
        day : date
        steps : int
            Equal parts of the day: 96 quarter-hours or 24 hours.

        Returns
        -------
        import_wh, export_wh : ndarray of int64, shape (n, steps)
        """
        random = np.random.default_rng([self.seed, day.toordinal()])
        hours = (np.arange(steps) + 0.5) * _HOURS_A_DAY / steps
        power = self._load_w(random, day, hours) - self._solar_w(random, day, hours)
        net = np.rint(power * _HOURS_A_DAY / steps).astype(np.int64)
        return np.maximum(net, 0), np.maximum(-net, 0)

    def _load_w(self, random: np.random.Generator, day: date, hours: FloatArray) -> FloatArray:
        shifted = hours[None, :] - self.shift_h[:, None]
        at_home = 0.4 + 0.8 * np.exp(-((shifted - 7.5) ** 2) / 2)
        at_home += 1.6 * np.exp(-((shifted - 19.5) ** 2) / 6)
        is_weekend = day.weekday() >= 5
        at_work = 0.3 + (0.2 if is_weekend else 1.5) * np.exp(-((shifted - 13) ** 4) / 500)
        shape = np.where(self.is_enterprise[:, None], at_work, at_home)
        # Dark and cold days take more; so do weekends at home.
        cold = np.cos((day.timetuple().tm_yday - _MIDWINTER) / 365 * 2 * np.pi)
        season = 1 + 0.25 * cold + 0.08 * is_weekend
        noise = np.exp(0.35 * random.standard_normal(shape.shape, dtype=np.float32))
        load: FloatArray = self.size_w[:, None] * shape * season * noise
        return load

    def _solar_w(self, random: np.random.Generator, day: date, hours: FloatArray) -> FloatArray:
        height = np.cos((day.timetuple().tm_yday - _MIDSUMMER) / 365 * 2 * np.pi)
        length = 12 + 2.5 * height
        angle = np.clip((hours - (12 - length / 2)) / length, 0, 1) * np.pi
        clear = np.sin(angle) ** 1.3 * (0.75 + 0.25 * height)
        # One sky over the city: some days are overcast, and clouds pass on all.
        overcast = random.beta(4, 1.2)
        clouds = overcast * np.clip(1 - random.gamma(0.8, 0.2, len(hours)), 0.15, 1)
        sun: FloatArray = self.roof_w[:, None] * 0.8 * (clear * clouds)[None, :]
        return sun
