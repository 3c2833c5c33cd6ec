"""More sun over a past period: readings as they might have been, in whole Wh.

What a roof made is not measured, only what it gave to the grid. So both changes start from
export: a roof that is `percent` of its size makes, in each interval, that share of its export
more; and a metering point that gets a roof makes what the median roof gave then. What is made
first meets the import of its own metering point, the rest is exported. Where roofs are made
smaller only export shrinks: what they would have drawn from the grid instead nobody knows.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from marketplace.domain.auction import Metered
from marketplace.domain.clearing import Int64Array
from marketplace.domain.what_if.change import AS_IT_WAS, Solar


@dataclass(frozen=True, eq=False)
class Roofs:
    """Metering points, in ascending order: with a roof, and those that get one."""

    known: Int64Array
    new: Int64Array


@dataclass(frozen=True, eq=False)
class Sunny:
    """Readings with more sun; what was made in all, and what of it replaced import. [Wh]"""

    metered: Metered
    made_wh: Int64Array
    own_used_wh: Int64Array


def draw_roofs(
    codes: Mapping[int, str], *, with_roof: Sequence[int], solar: Solar, step: int = 1
) -> list[int]:
    """Return which metering points get a roof: the same ones for the same seed on any machine.

    Parameters
    ----------
    codes : mapping of int to str
        Every metering point and its number in files, by which lots are drawn.
    with_roof : sequence of int
        Those that exported anything in the civil month.
    solar : Solar
        The share of the others that get one, rounded down to whole roofs, and the seed.
    step : int
        Rounded down to a multiple of it: the difference of two draws is then that many homes.
    """
    others = sorted(set(codes) - set(with_roof))
    count = len(others) * solar.roofs_percent // AS_IT_WAS // step * step

    def lot(point: int) -> bytes:
        return hashlib.sha256(f"{solar.seed}:{codes[point]}".encode()).digest()

    return sorted(sorted(others, key=lot)[:count])


def with_sun(metered: Metered, roofs: Roofs, solar: Solar) -> Sunny:
    """Return the readings of an interval under more sun, or less; see the module for how."""
    export = metered.export_wh
    made = np.zeros_like(export)
    if solar.percent > AS_IT_WAS:
        made += export * (solar.percent - AS_IT_WAS) // AS_IT_WAS
    is_known = np.isin(metered.metering_point_ids, roofs.known)
    is_new = np.isin(metered.metering_point_ids, roofs.new)
    if is_new.any() and is_known.any():
        # The lower median: a whole number that some roof did give.
        given = np.sort(export[is_known])
        made[is_new] += int(given[(len(given) - 1) // 2]) * max(solar.percent, 0) // AS_IT_WAS
    own_used = np.minimum(metered.import_wh, made)
    if solar.percent < AS_IT_WAS:
        export = export * solar.percent // AS_IT_WAS
    changed = Metered(
        metering_point_ids=metered.metering_point_ids,
        import_wh=metered.import_wh - own_used,
        export_wh=export + made - own_used,
        estimated=metered.estimated,
    )
    return Sunny(changed, made, own_used)
