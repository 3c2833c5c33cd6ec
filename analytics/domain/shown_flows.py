"""Flows between groups of members, made coarser until none of them is about too few."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from analytics.domain.disclosure import REST, GroupKey, Shape
from analytics.domain.figures import Flow

GRID: Final[GroupKey] = (0, "grid")


@dataclass(frozen=True)
class ShownFlows:
    """Flows of a day, and the groups that they are told by."""

    groups: frozenset[GroupKey]
    flows: tuple[Flow, ...]


def shown_flows(flows: Sequence[Flow], shape: Shape, minimum: int) -> ShownFlows:
    """Merge groups until each flow between two of them is from enough and to enough.

    Sums of a group with all others are figures of its zone, and shown there. What must not be
    shown besides is merged, not left out: nothing follows from margins then.
    """
    coarse = _merged(flows, lambda group: _group(shape, group))
    while True:
        groups = _people(coarse)
        small = [flow for flow in coarse if _is_small(flow, minimum)]
        if not small or len(groups) <= 1:
            return ShownFlows(frozenset(groups), tuple(coarse))
        coarse = _merged(coarse, _joining(coarse, groups, small))


def added_up(days: Iterable[ShownFlows]) -> list[Flow]:
    """Add up the flows of several days by the finest groups that all of them have."""
    every = list(days)
    told = [day.groups for day in every if day.groups]
    zones = {zone for groups in told for zone, _ in groups}

    # A year has thousands of flows between few groups, and each answer looks at every day.
    @cache
    def common(group: GroupKey) -> GroupKey:
        zone = group[0]
        if group == GRID or all(group in groups for groups in told):
            return group
        if zone in zones and all(any(each[0] == zone for each in groups) for groups in told):
            return (zone, "")
        return REST

    return _merged([flow for day in every for flow in day.flows], common)


def _group(shape: Shape, group: GroupKey) -> GroupKey:
    return group if group == GRID else shape.group_of(*group)


def _is_small(flow: Flow, minimum: int) -> bool:
    ends = ((flow.from_zone_id, flow.from_group), (flow.to_zone_id, flow.to_group))
    return GRID not in ends and flow.wh != 0 and min(flow.from_count, flow.to_count) < minimum


def _people(flows: Iterable[Flow]) -> set[GroupKey]:
    ends = {(flow.from_zone_id, flow.from_group) for flow in flows}
    return (ends | {(flow.to_zone_id, flow.to_group) for flow in flows}) - {GRID}


def _joining(
    flows: Sequence[Flow], groups: set[GroupKey], small: Sequence[Flow]
) -> Callable[[GroupKey], GroupKey]:
    """Return the next merging: of the roles of the smallest group's zone, else with the rest."""
    size = dict.fromkeys(groups, 0)
    for flow in flows:
        for group in {(flow.from_zone_id, flow.from_group), (flow.to_zone_id, flow.to_group)}:
            if group in size:
                size[group] += flow.wh
    open_groups = _people(small) - {REST} or groups - {REST}
    zone, role = min(open_groups, key=lambda group: (size[group], group))
    joined = (zone, "") if role else REST

    def merge(group: GroupKey) -> GroupKey:
        return joined if group[0] == zone and group != GRID else group

    return merge


def _merged(flows: Iterable[Flow], into: Callable[[GroupKey], GroupKey]) -> list[Flow]:
    """Add up flows by merged groups; of merged ones at least as many count as of the largest."""
    found: dict[tuple[GroupKey, GroupKey], Flow] = {}
    for flow in flows:
        source = into((flow.from_zone_id, flow.from_group))
        sink = into((flow.to_zone_id, flow.to_group))
        known = found.get((source, sink))
        found[source, sink] = Flow(
            *source,
            *sink,
            flow.wh + (known.wh if known else 0),
            flow.value_micro + (known.value_micro if known else 0),
            max(flow.from_count, known.from_count if known else 0),
            max(flow.to_count, known.to_count if known else 0),
        )
    return [found[ends] for ends in sorted(found)]
