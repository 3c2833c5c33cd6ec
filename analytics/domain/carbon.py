"""What trading among neighbours spared the air: energy times the grid's intensity of its hour."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Use:
    """Energies of one hour, or of several that are only known together. [Wh]"""

    hours: tuple[datetime, ...]
    bought_wh: int
    grid_import_wh: int


@dataclass(frozen=True, slots=True)
class Carbon:
    """Carbon dioxide of a scope over a time; Wh times g/kWh is exactly mg. [mg], [Wh]

    Attributes
    ----------
    avoided_mg : int
        Of local energy that was bought, had it come from the grid in the same hour.
    drawn_mg : int
        Of what did come from the grid.
    bought_wh, grid_import_wh : int
        The energy that both are of: of the hours whose intensity is known.
    unknown_wh : int
        Bought and drawn in hours without a known intensity: in neither figure.
    """

    of: str
    start: datetime
    end: datetime
    avoided_mg: int
    drawn_mg: int
    bought_wh: int
    grid_import_wh: int
    unknown_wh: int
    known_hours: int
    unknown_hours: int
    sources: tuple[str, ...]

    @property
    def grams_per_kwh(self) -> int | None:
        """Mean intensity of the energy that neighbours replaced, rounded down."""
        return self.avoided_mg // self.bought_wh if self.bought_wh else None


def count_carbon(
    uses: Iterable[Use],
    grams_per_kwh: Mapping[datetime, int],
    *,
    of: str,
    start: datetime,
    end: datetime,
    sources: Iterable[str],
) -> Carbon:
    """Add up uses, each with the intensity of its own hour, or the mean of its own hours.

    Parameters
    ----------
    uses : iterable of Use
        Each hour once.
    grams_per_kwh : mapping of datetime to int
        Intensity by start of the hour; an hour that is absent is unknown, never zero. [g/kWh]
    of, start, end
        Scope and time of the figure.
    sources : iterable of str
        Who published the intensities.

    Returns
    -------
    Carbon
        Sums without rounding, but for uses of several hours: these are rounded down.

    Notes
    -----
    The method attributes: one kWh of local surplus that a neighbour bought replaced one kWh of the
    grid's mean mix in that hour. It says nothing of which power plant ran less (the marginal one),
    of losses in the grid, or of what the surplus would have replaced elsewhere had it been fed in.
    """
    sums = dict.fromkeys(("avoided_mg", "drawn_mg", "bought_wh", "grid_import_wh", "unknown_wh"), 0)
    known = unknown = 0
    for use in uses:
        grams = [grams_per_kwh[hour] for hour in use.hours if hour in grams_per_kwh]
        known += len(grams)
        unknown += len(use.hours) - len(grams)
        if not grams:
            sums["unknown_wh"] += use.bought_wh + use.grid_import_wh
            continue
        sums["avoided_mg"] += use.bought_wh * sum(grams) // len(grams)
        sums["drawn_mg"] += use.grid_import_wh * sum(grams) // len(grams)
        sums["bought_wh"] += use.bought_wh
        sums["grid_import_wh"] += use.grid_import_wh
    return Carbon(
        of=of,
        start=start,
        end=end,
        **sums,
        known_hours=known,
        unknown_hours=unknown,
        sources=tuple(sources),
    )
