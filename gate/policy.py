"""What the gate is told: how coarse, how many, who counts as somebody. Data, with a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from gate.errors import Refused, gettext_noop
from gate.manifest import canonical_json

# Each period is made of whole ones of the period before it, in wall-clock time.
PERIODS: Final = ("quarter", "hour", "3-hours", "6-hours", "day", "month", "year")
PERIOD_SECONDS: Final = {
    "quarter": 900,
    "hour": 3600,
    "3-hours": 10800,
    "6-hours": 21600,
    "day": 86400,
    "month": 2592000,
    "year": 31536000,
}
# Finest first; "place" is the station or zone of the file itself, "all" is one area.
AREAS: Final = ("place", "h3-9", "h3-8", "h3-7", "h3-6", "h3-5", "h3-4", "all")
TOTALS: Final = ("shown", "all")
GROUP_MIN: Final = 3
KEPT_COLUMNS_MAX: Final = 4
REMEDY: Final = gettext_noop("Correct the privacy policy; docs/data.md lists its keys.")


@dataclass(frozen=True)
class Level:
    """One way to tell a trip: the period that it starts in, and the areas of both ends."""

    period: str
    area: str


DEFAULT_LEVELS: Final = (
    Level("hour", "h3-8"),
    Level("hour", "h3-7"),
    Level("3-hours", "h3-7"),
    Level("day", "h3-7"),
    Level("month", "h3-7"),
)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What may leave, and how coarse.

    Attributes
    ----------
    levels
        Finest first, each made of whole cells of the one before; a trip is told at the first one
        whose cell is large enough, or not at all.
    minimum_group
        Trips in a cell, at least. [1]
    minimum_distinct, distinct_column
        People in a cell, at least, counted by a column; 0: not asked for. With an empty column
        the gate takes the one that comes nearest to a person. [1]
    dominance_percent
        What the most frequent person may hold of a cell, at most; 100: not limited. [%]
    minimum_places
        Stations in an area, at least: a lonely one is joined with its nearest neighbours. [1]
    keep_columns
        Columns that are told beside period and areas; they are part of the cell.
    columns
        Role to column: start, end, from, to, person, vehicle.
    zone
        Time zone of times without an offset, and of the periods.
    time_format
        Of start and end as in strptime; empty: ISO 8601.
    totals
        "shown": none but those that anybody can add up; "all": for each area and period also how
        many trips began and ended there, where that gives no hidden cell away. Of one level only.
    """

    levels: tuple[Level, ...] = DEFAULT_LEVELS
    minimum_group: int = 10
    minimum_distinct: int = 5
    distinct_column: str = ""
    dominance_percent: int = 50
    minimum_places: int = 2
    keep_columns: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    zone: str = "UTC"
    time_format: str = ""
    totals: str = "shown"

    def __post_init__(self) -> None:
        _check(GROUP_MIN <= self.minimum_group <= 10**6, "minimum_group")
        _check(0 <= self.minimum_distinct <= self.minimum_group, "minimum_distinct")
        _check(1 <= self.dominance_percent <= 100, "dominance_percent")
        _check(1 <= self.minimum_places <= 1000, "minimum_places")
        _check(len(self.keep_columns) <= KEPT_COLUMNS_MAX, "keep_columns")
        _check(len(set(self.keep_columns)) == len(self.keep_columns), "keep_columns")
        _check(1 <= len(self.levels) <= 10, "levels")
        _check(self.totals in TOTALS[: 2 if len(self.levels) == 1 else 1], "totals")
        for level in self.levels:
            _check(level.period in PERIODS and level.area in AREAS, "levels")
        for finer, coarser in pairwise(self.levels):
            steps = (
                PERIODS.index(coarser.period) - PERIODS.index(finer.period),
                AREAS.index(coarser.area) - AREAS.index(finer.area),
            )
            # Cells that do not nest could be subtracted from each other.
            _check(min(steps) >= 0 and max(steps) > 0, "levels")
        try:
            ZoneInfo(self.zone)
        except (OSError, ValueError, KeyError) as error:
            raise _wrong("zone") from error

    def as_json(self) -> dict[str, Any]:
        """Return JSON values, as a product holds them."""
        return {
            "levels": [[level.period, level.area] for level in self.levels],
            "minimum_group": self.minimum_group,
            "minimum_distinct": {"column": self.distinct_column, "n": self.minimum_distinct},
            "dominance_percent": self.dominance_percent,
            "minimum_places": self.minimum_places,
            "keep_columns": list(self.keep_columns),
            "columns": dict(self.columns),
            "zone": self.zone,
            "time_format": self.time_format,
            "totals": self.totals,
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Policy:
        """Read a policy; keys that are missing have their defaults, unknown ones are refused.

        Raises
        ------
        Refused
            ``policy-invalid``, naming the key.
        """
        named: dict[str, Any] = dict(said)
        for key in sorted(set(named) - set(cls().as_json())):
            raise _wrong(str(key)[:40])
        distinct = named.pop("minimum_distinct", None)
        if distinct is not None:
            _check(isinstance(distinct, Mapping) and set(distinct) == {"column", "n"}, "distinct")
            named["minimum_distinct"] = distinct["n"]
            named["distinct_column"] = distinct["column"]
        for key, value in named.items():
            kind = _KINDS.get(key, int)
            _check(isinstance(value, kind) and not isinstance(value, bool), key)
        if "keep_columns" in named:
            named["keep_columns"] = tuple(named["keep_columns"])
            _check(all(isinstance(each, str) for each in named["keep_columns"]), "keep_columns")
        if "columns" in named:
            texts = [*named["columns"], *named["columns"].values()]
            _check(all(isinstance(each, str) for each in texts), "columns")
        if "levels" in named:
            pairs = named["levels"]
            for pair in pairs:
                is_pair = isinstance(pair, list | tuple) and len(pair) == 2
                _check(is_pair and all(isinstance(each, str) for each in pair), "levels")
            named["levels"] = tuple(Level(period, area) for period, area in pairs)
        return cls(**named)

    @classmethod
    def from_canonical(cls, said: Mapping[str, Any]) -> Policy:
        """Read a policy as it stands in a canonical document, where numbers are strings."""
        named = dict(said)
        distinct = named.get("minimum_distinct")
        if isinstance(distinct, Mapping):
            named["minimum_distinct"] = {**distinct, "n": _number(distinct.get("n"))}
        for key in ("minimum_group", "dominance_percent", "minimum_places"):
            named[key] = _number(named.get(key))
        return cls.from_json(named)

    def refuse_below(self, floor: Policy) -> None:
        """Refuse a policy that lets more through than a floor does; levels are left alone.

        Raises
        ------
        Refused
            ``policy-too-weak``, naming the key and the least value.
        """
        for key, value, least in (
            ("minimum_group", self.minimum_group, floor.minimum_group),
            ("minimum_distinct", self.minimum_distinct, floor.minimum_distinct),
            ("minimum_places", self.minimum_places, floor.minimum_places),
            ("dominance_percent", -self.dominance_percent, -floor.dominance_percent),
        ):
            if value < least:
                raise Refused(
                    "policy-too-weak",
                    gettext_noop("the privacy policy's {key} is weaker than {least}"),
                    "",
                    gettext_noop("Choose {least}, or a stricter value."),
                    key=key,
                    least=abs(least),
                )

    @property
    def sha256(self) -> str:
        """The hash of the canonical policy, in hex: versions of one source share it."""
        return hashlib.sha256(canonical_json(self.as_json())).hexdigest()


def _number(text: object) -> object:
    """Return the number of a canonical string; anything else as it is, to be refused."""
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 10 else text


_KINDS: Final[Mapping[str, Any]] = {
    "levels": list | tuple,
    "keep_columns": list | tuple,
    "columns": Mapping,
    "distinct_column": str,
    "zone": str,
    "time_format": str,
    "totals": str,
}


def _check(holds: bool, key: str) -> None:
    if not holds:
        raise _wrong(key)


def _wrong(key: str) -> Refused:
    return Refused(
        "policy-invalid",
        gettext_noop("the privacy policy's {key} is not one the gate can follow"),
        "",
        REMEDY,
        key=key,
    )


# What a hall takes at least, whatever a provider would be content with.
FLOOR: Final = Policy(minimum_group=5, minimum_distinct=3, dominance_percent=75, minimum_places=1)
