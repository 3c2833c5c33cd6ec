"""Which figures over groups of members may be shown, so that nobody reads one member.

Everything shown of a day is a sum of *blocks*: a group of members (a zone that may stand alone, or
what is left of the community) in one clock hour, or in all hours together that are not shown.
Blocks do not overlap, and each alone might be shown. So no sum or difference of figures, of
whatever groups, dates and publications, is about fewer members than the smallest group.
``docs/figures.md`` says what that protects from, and from what not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

Int64Array = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
GroupKey = tuple[int, str]

# Whoever knows the second largest part must not know the largest better than to so many percent.
ADVANTAGE_PERCENT: Final = 10
# A tenth of the members is a group of its own where savings are told by tenths.
TENTHS: Final = 10
QUANTITIES: Final = ("import_wh", "export_wh")
REST: Final[GroupKey] = (-1, "")


class Audience(StrEnum):
    """Whom figures are for, when they are not members' or operators'."""

    PLANNER = "planner"
    PUBLIC = "public"


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each member's meters measured on one civil day.

    Of that follows what may be shown of all else. Who was allotted how much in an auction nobody
    outside can know; who has a roof, and how large, everybody sees.

    Attributes
    ----------
    member_ids, zone_ids : ndarray of int64, shape (m,)
        One row for each member and zone that it is metered in.
    roles : tuple of str, length m
    values : ndarray of int64, shape (m, hours, 2)
        By clock hour, in the order of ``QUANTITIES``. [Wh]
    is_present : ndarray of bool, shape (m, hours)
        Whether it has a reading in every interval of the hour.
    """

    member_ids: Int64Array
    zone_ids: Int64Array
    roles: tuple[str, ...]
    values: Int64Array
    is_present: BoolArray

    def of_rows(self, rows: BoolArray) -> "Contributions":
        """Return the part of some rows."""
        chosen = np.flatnonzero(rows)
        return Contributions(
            self.member_ids[chosen],
            self.zone_ids[chosen],
            tuple(self.roles[row] for row in chosen),
            self.values[chosen],
            self.is_present[chosen],
        )

    def fewest(self) -> int:
        """Return how many members there are in the hour with fewest of them."""
        # Of an hour that no interval of is settled there is nothing to show.
        used = self.is_present.any(axis=0) | self.values.any(axis=(0, 2))
        hours = (self.member_ids[self.is_present[:, hour]] for hour in np.flatnonzero(used))
        return min((len(np.unique(each)) for each in hours), default=0)

    @property
    def hour_count(self) -> int:
        """Clock hours of the day."""
        return int(self.values.shape[1])


@dataclass(frozen=True)
class Shape:
    """What of a day may be shown.

    Attributes
    ----------
    open_zones : frozenset of int
        Zones whose figures of the day stand alone; the others only in the community's.
    split_zones : frozenset of int
        Of them those of whose flows each role may stand alone.
    hidden_hours : frozenset of int
        Hours that are only in the day's sum, of the community and of each zone.
    """

    open_zones: frozenset[int]
    split_zones: frozenset[int]
    hidden_hours: frozenset[int]

    def group_of(self, zone_id: int, role: str) -> GroupKey:
        """Return the group in whose sums a member of a zone is."""
        if zone_id not in self.open_zones:
            return REST
        return zone_id, role if zone_id in self.split_zones else ""


def is_concealed(parts: Int64Array) -> bool:
    """Return whether a sum tells nobody who knows one part the largest of the others.

    The p%-rule: what is left of the sum without its two largest parts is at least
    ``ADVANTAGE_PERCENT`` of the largest. Nothing at all conceals nothing and is no one's.
    """
    sizes = np.sort(np.abs(parts[parts != 0]))[::-1]
    if not len(sizes):
        return True
    return int(sizes[2:].sum()) * 100 >= int(sizes[0]) * ADVANTAGE_PERCENT


def shape_of(day: Contributions, minimum: int) -> Shape | None:
    """Decide what of a day may be shown; None where not even the community may.

    Parameters
    ----------
    minimum : int
        Members that a shown figure covers at least, in every hour.
    """
    zones = frozenset(int(zone) for zone in np.unique(day.zone_ids))
    return _shape(day, Shape(zones, zones, frozenset()), minimum)


def reshaped(
    before: Contributions, shown: Shape, after: Contributions, minimum: int
) -> Shape | None:
    """Decide what of a corrected day may be shown to who has seen it before; None: not yet.

    The difference of two showings of a figure is a figure about the corrected members alone. It
    must itself be one over enough of them, in each block. Blocks only ever grow: what was in one
    sum with another would otherwise come out beside what is shown of it later.

    Parameters
    ----------
    before, after : Contributions
        With the same rows.
    shown : Shape
        What was shown of ``before``.
    """
    change = after.values - before.values
    widest: Shape | None = shown
    while widest is not None:
        shape = _shape(after, widest, minimum)
        if shape is None:
            return None
        groups = {
            key: (after.member_ids[rows], change[rows])
            for key, rows in _groups(after, shape).items()
        }
        refused = frozenset(
            hour
            for hour in range(after.hour_count)
            if not all(_may_differ(ids, part[:, hour], minimum) for ids, part in groups.values())
        )
        hidden = replace(shape, hidden_hours=shape.hidden_hours | refused)
        shape = replace(shape, hidden_hours=_hidden_hours(after, hidden))
        merged = sorted(shape.hidden_hours)
        failing = [
            key
            for key, (ids, part) in groups.items()
            if not _may_differ(ids, part.sum(axis=1), minimum)
            or not _may_differ(ids, part[:, merged].sum(axis=1), minimum)
        ]
        if not failing:
            return shape
        widest = _coarser(shown, shape, failing[0])
    return None


def _coarser(shown: Shape, shape: Shape, failing: GroupKey) -> Shape | None:
    """Return what may be tried next without one group's own figures; None: nothing is left."""
    zone, role = failing
    if role:
        return replace(shown, split_zones=shape.split_zones - {zone}, open_zones=shape.open_zones)
    closing = {zone} if failing != REST else set(sorted(shape.open_zones)[:1])
    if not closing:
        return None
    return Shape(shape.open_zones - closing, shape.split_zones - closing, shown.hidden_hours)


def shown_groups(sizes: Mapping[int, int], minimum: int) -> frozenset[int]:
    """Choose the groups whose figures may stand beside the figure of all of them together.

    Parameters
    ----------
    sizes : mapping of int to int
        Members by group.
    minimum : int
        How many members a shown figure covers at least.

    Returns
    -------
    frozenset of int
        Groups to show. The others hold no member, or at least ``minimum`` together: what is
        left of the total after taking away all shown groups is again a figure over enough.
    """
    hidden = {group for group, size in sizes.items() if size < minimum}
    by_size = sorted(sizes.keys() - hidden, key=lambda group: (sizes[group], group))
    for group in by_size:
        rest = sum(sizes[other] for other in hidden)
        if rest == 0 or rest >= minimum:
            break
        hidden.add(group)
    return frozenset(sizes.keys() - hidden)


def _shape(day: Contributions, widest: Shape, minimum: int) -> Shape | None:
    """Return the most that may be shown of a day within what ``widest`` shows."""
    if not _is_safe(day, minimum):
        return None
    open_zones = _open_zones(day, widest.open_zones, minimum)
    split = frozenset(
        zone for zone in open_zones & widest.split_zones if _may_split(day, zone, minimum)
    )
    shape = Shape(open_zones, split, widest.hidden_hours)
    return replace(shape, hidden_hours=_hidden_hours(day, shape))


def _is_safe(part: Contributions, minimum: int) -> bool:
    """Return whether a day's figures of some rows may be shown."""
    return part.fewest() >= minimum and _are_concealed(part.member_ids, part.values.sum(axis=1))


def _are_concealed(member_ids: Int64Array, values: Int64Array) -> bool:
    """Return whether each quantity's sum conceals its parts; ``values`` has a row a part."""
    by_member = _by_member(member_ids, values)
    return all(is_concealed(by_member[:, index]) for index in range(by_member.shape[1]))


def _by_member(member_ids: Int64Array, values: Int64Array) -> Int64Array:
    members, places = np.unique(member_ids, return_inverse=True)
    summed = np.zeros((len(members), values.shape[1]), dtype=np.int64)
    np.add.at(summed, places, values)
    return summed


def _open_zones(day: Contributions, allowed: frozenset[int], minimum: int) -> frozenset[int]:
    """Return the zones that stand alone, so that the others together are no less safe."""
    zones = {int(zone) for zone in np.unique(day.zone_ids)}
    size = {zone: int((day.zone_ids == zone).sum()) for zone in zones}
    closed = (zones - allowed) | {
        zone for zone in zones if not _is_safe(day.of_rows(day.zone_ids == zone), minimum)
    }
    for zone in sorted(zones - closed, key=lambda each: (size[each], each)):
        rest = np.isin(day.zone_ids, sorted(closed))
        if not closed or _is_safe(day.of_rows(rest), minimum):
            break
        closed.add(zone)
    return frozenset(zones - closed)


def _may_split(day: Contributions, zone: int, minimum: int) -> bool:
    """Return whether each role in a zone is safe, and in each hour: hours of the zone are shown."""
    roles = np.array(day.roles)
    in_zone = day.zone_ids == zone
    parts = [day.of_rows(in_zone & (roles == role)) for role in np.unique(roles[in_zone])]
    return all(
        _is_safe(part, minimum)
        and all(
            _are_concealed(part.member_ids, part.values[:, hour]) for hour in range(part.hour_count)
        )
        for part in parts
    )


def _groups(day: Contributions, shape: Shape) -> dict[GroupKey, BoolArray]:
    """Return the rows of each group that has figures of its own."""
    keys = [
        shape.group_of(int(zone), role) for zone, role in zip(day.zone_ids, day.roles, strict=True)
    ]
    return {key: np.array([each == key for each in keys]) for key in sorted(set(keys))}


def _hidden_hours(day: Contributions, shape: Shape) -> frozenset[int]:
    """Return these and more hours to hide: together they are no less safe than those shown."""
    parts = [
        (day.member_ids[rows], day.values[rows])
        for rows in _groups(day, replace(shape, split_zones=frozenset())).values()
    ]

    def is_safe(hours: list[int]) -> bool:
        return all(_are_concealed(ids, values[:, hours].sum(axis=1)) for ids, values in parts)

    hidden = set(shape.hidden_hours) | {
        hour for hour in range(day.hour_count) if not is_safe([hour])
    }
    size = np.abs(day.values).sum(axis=(0, 2))
    # Hours in which nothing happened would conceal nothing.
    others = [hour for hour in range(day.hour_count) if hour not in hidden and size[hour]]
    for hour in sorted(others, key=lambda each: (size[each], each)):
        if is_safe(sorted(hidden)):
            break
        hidden.add(hour)
    return frozenset(hidden)


def _may_differ(member_ids: Int64Array, change: Int64Array, minimum: int) -> bool:
    """Return whether a change of sums is nobody's, or that of enough members."""
    by_member = _by_member(member_ids, change)
    for index in range(by_member.shape[1]):
        column = by_member[:, index]
        count = int((column != 0).sum())
        if count and (count < minimum or not is_concealed(column)):
            return False
    return True
