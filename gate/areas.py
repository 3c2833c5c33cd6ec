"""Areas of stations, nested: every finer area lies in one coarser one, and none is lonely.

The finest H3 cell of a station comes from its place, every coarser one from that cell by
``cell_to_parent``: cells found from the place at two resolutions need not nest, and what does not
nest can be subtracted. An area with fewer stations than the policy asks for is joined with its
nearest neighbour inside the same coarser area.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import h3
import numpy as np
import numpy.typing as npt

from gate.errors import Refused, gettext_noop
from gate.policy import AREAS
from gate.spill import Int64Array

AREAS_PART = "areas.csv"
PLACES_MAX = 65_000


@dataclass(frozen=True)
class Place:
    """A station or zone as trips name it. Place in microdegrees; None where no table tells it."""

    name: str
    latitude: int | None = None
    longitude: int | None = None


@dataclass(frozen=True)
class Areas:
    """Which area every place belongs to, by level of ``gate.policy.AREAS``.

    Parameters
    ----------
    places : tuple of Place
        In the order of the table; trips hold indexes into it.
    names : mapping of str to tuple of str
        Area level to the name of each place's area.
    """

    places: tuple[Place, ...]
    names: Mapping[str, tuple[str, ...]]

    def numbered(self, area: str) -> tuple[list[str], Int64Array]:
        """Return the areas' names in order, and for each place the number of its area."""
        distinct = sorted(set(self.names[area]))
        number = {name: index for index, name in enumerate(distinct)}
        return distinct, np.array([number[name] for name in self.names[area]], np.int64)

    @property
    def joined_count(self) -> int:
        """How many areas of any level hold stations of more than one H3 cell."""
        resolutions = [int(level[3:]) for level in self.names if level.startswith("h3-")]
        return sum(
            len(
                {
                    name
                    for place, name in zip(self.places, self.names[f"h3-{resolution}"], strict=True)
                    if _cell(place, max(resolutions), resolution) != name
                }
            )
            for resolution in resolutions
        )

    def only(self, shown: Collection[str]) -> Areas:
        """Return the areas without places that are in no shown cell.

        For places that trips alone name: one that a single trip went to is nobody's business.
        """
        keeps = [n for n, place in enumerate(self.places) if place.name in shown]
        return Areas(
            tuple(self.places[n] for n in keeps),
            {level: tuple(names[n] for n in keeps) for level, names in self.names.items()},
        )

    def to_csv(self) -> bytes:
        """Return the part that tells buyers what an area's name means."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        levels = list(self.names)
        writer.writerow(["station", "latitude_micro", "longitude_micro", *levels])
        # By name: the order in which trips first named a place is nobody's business.
        for index, place in sorted(enumerate(self.places), key=lambda each: each[1].name):
            writer.writerow(
                [
                    place.name,
                    "" if place.latitude is None else place.latitude,
                    "" if place.longitude is None else place.longitude,
                    *(self.names[level][index] for level in levels),
                ]
            )
        return text.getvalue().encode()

    @classmethod
    def from_csv(cls, data: bytes) -> Areas:
        """Read back what ``to_csv`` wrote.

        Raises
        ------
        Refused
            ``areas-malformed``.
        """
        try:
            rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
            levels = rows[0][3:]
            if not levels or any(level not in AREAS for level in levels):
                raise ValueError("levels")
            places = tuple(
                Place(name, int(lat) if lat else None, int(lon) if lon else None)
                for name, lat, lon, *_ in rows[1:]
            )
            columns = list(zip(*rows[1:], strict=True))[3:]
            return cls(places, dict(zip(levels, columns, strict=True)))
        except (ValueError, IndexError, UnicodeDecodeError, csv.Error):
            raise Refused(
                "areas-malformed",
                gettext_noop("the table of areas is not one that the gate has written"),
                AREAS_PART,
                gettext_noop("Run the gate again; its output was changed."),
            ) from None


def make_areas(
    places: Sequence[Place],
    levels: Iterable[str],
    *,
    minimum_places: int,
    before: Areas | None = None,
    place: str = "stations",
) -> Areas:
    """Give every place its area at every level.

    Parameters
    ----------
    places
        One for each name; of a station that moved, where it stood first.
    levels
        Those of the policy.
    minimum_places
        Places in an area, at least; a level "place" tells single places all the same.
    before
        Of the version before: a place that was known keeps its areas.

    Raises
    ------
    Refused
        There are fewer stations than one area needs, or a level needs coordinates that are missing.
    """
    wanted = [level for level in AREAS if level in set(levels)]
    resolutions = [int(level[3:]) for level in wanted if level.startswith("h3-")]
    if resolutions and any(each.latitude is None for each in places):
        raise Refused(
            "stations-missing",
            gettext_noop("areas are made of stations' coordinates, and some have none"),
            place,
            gettext_noop("Add a table of stations with id, lat and lon."),
        )
    if resolutions and len(places) < minimum_places:
        raise too_few_places(len(places), minimum_places, place)
    names: dict[str, list[str]] = {}
    parent = ["all"] * len(places)
    for level in reversed(wanted):
        if level == "all":
            names[level] = parent
        elif level == "place":
            names[level] = [each.name for each in places]
        else:
            cells = [_cell(each, max(resolutions), int(level[3:])) for each in places]
            known = None if before is None else before.names.get(level)
            kept = {} if known is None or before is None else _kept(before.places, known)
            parent = _level_areas(places, cells, parent, minimum_places, kept)
            names[level] = parent
    return Areas(tuple(places), {level: tuple(names[level]) for level in wanted})


def too_few_places(count: int, minimum: int, place: str) -> Refused:
    """Return the error for a table that could not fill one area."""
    return Refused(
        "too-few-places",
        gettext_noop("{count} stations are fewer than the {minimum} of one area"),
        place,
        gettext_noop("Publish them together with others, or not at all."),
        count=count,
        minimum=minimum,
    )


def _cell(place: Place, finest: int, resolution: int) -> str:
    assert place.latitude is not None and place.longitude is not None
    cell = h3.latlng_to_cell(place.latitude / 1e6, place.longitude / 1e6, finest)
    return str(h3.cell_to_parent(cell, resolution))


def _kept(places: Sequence[Place], names: Sequence[str]) -> dict[str, str]:
    return {place.name: name for place, name in zip(places, names, strict=True)}


def _level_areas(
    places: Sequence[Place],
    cells: Sequence[str],
    parents: Sequence[str],
    minimum: int,
    kept: Mapping[str, str],
) -> list[str]:
    """Return the area of each place at one level: its cell, unless that cell is lonely."""
    area = [kept.get(each.name, cell) for each, cell in zip(places, cells, strict=True)]
    fixed = frozenset(kept.values())
    inside: dict[str, list[int]] = defaultdict(list)
    for index, parent in enumerate(parents):
        inside[parent].append(index)
    for members in inside.values():
        became = _joined([places[n] for n in members], [area[n] for n in members], minimum, fixed)
        for index in members:
            area[index] = became[area[index]]
    return area


def _joined(
    places: Sequence[Place], areas: Sequence[str], minimum: int, fixed: frozenset[str]
) -> dict[str, str]:
    """Return what each area becomes: those of fewer than ``minimum`` places join the nearest.

    Smallest first, by name where equal. Of two that join, one of ``fixed`` keeps its name (the
    version before knew it), else the one with more places: most of the area is where it says.
    """
    names, number = np.unique(areas, return_inverse=True)
    count = np.bincount(number)
    lat = np.bincount(number, weights=[each.latitude or 0 for each in places]) / 1e6
    lon = np.bincount(number, weights=[each.longitude or 0 for each in places]) / 1e6
    is_fixed = np.array([name in fixed for name in names.tolist()])
    into = np.arange(len(names))
    alive = np.ones(len(names), bool)
    while alive.sum() > 1 and (alive & (count < minimum)).any():
        lonely = np.flatnonzero(alive & (count < minimum))
        free = lonely[~is_fixed[lonely]]
        among = free if len(free) else lonely
        smallest = int(among[np.argmin(count[among])])
        others = np.flatnonzero(alive & (np.arange(len(names)) != smallest))
        y, x = lat[smallest] / count[smallest], lon[smallest] / count[smallest]
        north, east = lat[others] / count[others], lon[others] / count[others]
        # Squared degrees, east and west foreshortened: enough to tell the nearest in a city.
        narrow = np.cos(np.radians((north + y) / 2))
        nearest = int(others[np.argmin((north - y) ** 2 + ((east - x) * narrow) ** 2)])
        keeps, gone = max(
            (nearest, smallest),
            (smallest, nearest),
            key=lambda pair: _weight(pair, is_fixed, count),
        )
        for sums in (count, lat, lon):
            sums[keeps] += sums[gone]
        alive[gone] = False
        into[into == gone] = keeps
    return dict(zip(names.tolist(), names[into].tolist(), strict=True))


def _weight(
    pair: tuple[int, int], is_fixed: npt.NDArray[np.bool_], count: npt.NDArray[np.int64]
) -> tuple[bool, int, int]:
    """Return what orders areas by their right to keep their name; names are in order."""
    return bool(is_fixed[pair[0]]), int(count[pair[0]]), pair[0]
