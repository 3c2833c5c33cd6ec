"""Release civil days to planners: copies of what may be shown, corrected in batches only."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from analytics.domain.disclosure import Contributions, Shape, reshaped, shape_of, shown_groups
from analytics.domain.shown_flows import shown_flows
from analytics.models import (
    DayRollup,
    IntervalRollup,
    LinkDay,
    ReleasedDay,
    ReleasedEnergies,
    ZoneDay,
    ZoneHour,
)
from analytics.queries import figures
from marketplace.queries.contributions import get_member_hours, list_revisions
from marketplace.queries.pages import get_minimum_group_size, list_places

# A missing reading mostly comes within days; after these a day is released without it.
WAIT_FOR_READINGS: Final = timedelta(days=3)
# Corrections of released days are taken up in the first days of a civil month.
BATCH_DAYS: Final = 7
# Of two others each would know the third; fewer conceal nobody whatever a rule set says.
MINIMUM_OF_ANY: Final = 3

_ENERGIES: Final = (
    *("zone_id", "interval_count", "meters_min", "import_wh", "export_wh", "bought_wh"),
    *("sold_wh", "grid_import_wh", "grid_export_wh", "priced_wh", "priced_micro"),
    *("retail_micro_per_kwh", "feed_in_micro_per_kwh"),
)


def release_due_days(*, now: datetime, community_id: int | None = None, limit: int = 400) -> int:
    """Release the days that are over and rolled up; safe to repeat, and to run twice at once.

    A day without gaps is released at once, one with missing readings or unsettled intervals three
    days after its end.

    Returns
    -------
    int
        How many days were released.
    """
    known = ReleasedDay.objects.filter(community_id=OuterRef("community_id"), day=OuterRef("day"))
    whole = Q(settled_count=F("interval_count"), missing_count=0)
    late = Q(ends_at__lte=now - WAIT_FOR_READINGS, settled_count__gt=0)
    due = DayRollup.objects.filter(
        ~Exists(known), whole | late, is_due=False, computed_at__isnull=False, ends_at__lte=now
    )
    if community_id is not None:
        due = due.filter(community_id=community_id)
    return sum(
        _release(each, now) for each in due.order_by("day").values_list("id", flat=True)[:limit]
    )


def revise_released_days(*, now: datetime, community_id: int | None = None) -> int:
    """Release corrected days again, if it is time and the corrections are about enough members.

    The others wait, and say since when. A day is revised at most once a civil month.

    Returns
    -------
    int
        How many days were released again.
    """
    revised = 0
    for place in list_places():
        local = now.astimezone(place.zone)
        if community_id not in (None, place.community_id) or local.day > BATCH_DAYS:
            continue
        begun = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        days = ReleasedDay.objects.filter(
            community_id=place.community_id, released_at__lt=begun
        ).values_list("id", "starts_at", "ends_at", "revisions")
        for released_id, start, end, revisions in days:
            current = list_revisions(community_id=place.community_id, start=start, end=end)
            if {str(key): value for key, value in current.items()} != revisions:
                revised += _revise(released_id, now)
    return revised


def release_seeded_days(*, community_id: int, now: datetime) -> int:
    """Release the days of a synthetic city that have rollups but no intervals behind them.

    Nobody is measured there: what may be shown follows from how many meters a zone has.

    Returns
    -------
    int
        How many days were released.
    """
    known = ReleasedDay.objects.filter(community_id=community_id, day=OuterRef("day"))
    days = DayRollup.objects.filter(~Exists(known), community_id=community_id, is_due=False)
    released = 0
    for day in days.filter(computed_at__isnull=False, ends_at__lte=now).order_by("day"):
        if list_revisions(community_id=community_id, start=day.starts_at, end=day.ends_at):
            continue
        minimum = _minimum(day, now)
        meters = ZoneDay.objects.filter(community_id=community_id, day=day.day).exclude(zone_id=0)
        sizes = dict(meters.values_list("zone_id", "meters_min"))
        shape = Shape(shown_groups(sizes, minimum), frozenset(), frozenset())
        if sum(sizes.values()) >= minimum:
            row = ReleasedDay(community_id=community_id, day=day.day)
            with transaction.atomic():
                _copy(row, day, {}, shape, minimum=minimum, now=now)
            released += 1
    return released


@transaction.atomic
def _release(rollup_id: int, now: datetime) -> int:
    """Release a day for the first time."""
    day = DayRollup.objects.select_for_update().get(id=rollup_id)
    known = ReleasedDay.objects.filter(community_id=day.community_id, day=day.day)
    revisions = _revisions(day)
    if known.exists() or revisions is None:
        return 0
    minimum = _minimum(day, now)
    hours = _contributions(day, revisions)
    shape = None if hours is None else shape_of(hours, minimum)
    released = ReleasedDay(community_id=day.community_id, day=day.day)
    _copy(released, day, revisions, shape, minimum=minimum, now=now)
    return 1


@transaction.atomic
def _revise(released_id: int, now: datetime) -> int:
    """Release a corrected day again, or note that its corrections wait."""
    released = ReleasedDay.objects.select_for_update().get(id=released_id)
    day = DayRollup.objects.select_for_update().get(
        community_id=released.community_id, day=released.day
    )
    revisions = _revisions(day)
    if revisions is None or {str(key): n for key, n in revisions.items()} == released.revisions:
        return 0  # rolled up later, or released by another worker meanwhile
    minimum = max(released.minimum, _minimum(day, now))
    shown = Shape(
        frozenset(released.open_zones),
        frozenset(released.split_zones),
        frozenset(released.hidden_hours),
    )
    before = _contributions(day, {int(key): n for key, n in released.revisions.items()})
    after = _contributions(day, revisions)
    if before is None or after is None:
        shape = None
    elif released.is_hidden:
        # Nothing was shown that the corrected figures could be compared with.
        shape = shape_of(after, minimum)
    else:
        shape = reshaped(before, shown, after, minimum)
    if shape is None:
        released.waits_since = released.waits_since or now
        released.save(update_fields=["waits_since"])
        return 0
    released.number += 1
    _copy(released, day, revisions, shape, minimum=minimum, now=now)
    return 1


def _minimum(day: DayRollup, now: datetime) -> int:
    moments = (day.ends_at, now)
    sizes = (get_minimum_group_size(community_id=day.community_id, now=each) for each in moments)
    return max(MINIMUM_OF_ANY, *sizes)


def _revisions(day: DayRollup) -> dict[int, int] | None:
    """Return the revisions that the day's rollups are of; None while they are behind."""
    if day.is_due:
        return None
    found = dict(
        IntervalRollup.objects.filter(
            community_id=day.community_id, starts_at__gte=day.starts_at, starts_at__lt=day.ends_at
        ).values_list("interval_id", "revision")
    )
    current = list_revisions(community_id=day.community_id, start=day.starts_at, end=day.ends_at)
    return found if found == current else None


def _contributions(day: DayRollup, revisions: dict[int, int]) -> Contributions | None:
    hours = get_member_hours(
        community_id=day.community_id, start=day.starts_at, end=day.ends_at, revisions=revisions
    )
    if hours is None:
        return None
    return Contributions(**{each.name: getattr(hours, each.name) for each in fields(Contributions)})


def _copy(
    released: ReleasedDay,
    day: DayRollup,
    revisions: dict[int, int],
    shape: Shape | None,
    *,
    minimum: int,
    now: datetime,
) -> None:
    """Write what may be shown of a day in the place of what was shown of it."""
    for name in (
        *("starts_at", "ends_at", "interval_count", "settled_count", "final_count"),
        *("missing_count", "rule_set_ids"),
    ):
        setattr(released, name, getattr(day, name))
    released.released_at, released.minimum, released.waits_since = now, minimum, None
    released.revisions = {str(key): number for key, number in revisions.items()}
    released.is_hidden = shape is None
    if shape is not None:
        _shape_and_tables(released, shape, minimum)
    released.save()
    released.energies.all().delete()
    if shape is not None:
        ReleasedEnergies.objects.bulk_create(_energies(released, shape), batch_size=1000)


def _shape_and_tables(released: ReleasedDay, shape: Shape, minimum: int) -> None:
    period: dict[str, Any] = {
        "community_id": released.community_id,
        "start": released.starts_at,
        "end": released.ends_at,
    }
    released.open_zones = sorted(shape.open_zones)
    released.split_zones = sorted(shape.split_zones)
    released.hidden_hours = sorted(shape.hidden_hours)
    flows = shown_flows(figures.list_flows(**period), shape, minimum)
    released.flows = [
        sorted(flows.groups),
        [list(asdict(flow).values()) for flow in flows.flows],
    ]
    of_day = LinkDay.objects.filter(community_id=released.community_id, day=released.day)
    released.links = [
        list(row)
        for row in of_day.order_by("from_zone_id", "to_zone_id").values_list(
            *("from_zone_id", "to_zone_id", "sent_wh", "received_wh", "limit_wh"),
            *("congested_minutes", "rent_micro"),
        )
        if {row[0], row[1]} <= shape.open_zones
    ]
    health = asdict(figures.get_market_health(**period))
    released.health = {
        name: value for name, value in health.items() if name not in ("of", "start", "end")
    }
    released.peaks = [
        [zone, peak.import_w, peak.alone_w]
        for zone in (0, *sorted(shape.open_zones))
        if (peak := figures.get_peak(**period, zone_id=zone)) is not None
    ]


def _energies(released: ReleasedDay, shape: Shape) -> list[ReleasedEnergies]:
    """Return copies of the day's and its hours' energies, of the community and of open zones."""
    zones: Sequence[int] = (0, *sorted(shape.open_zones))
    common = {"community_id": released.community_id, "zone_id__in": zones}
    days = ZoneDay.objects.filter(**common, day=released.day).values(*_ENERGIES)
    hours = ZoneHour.objects.filter(
        **common, starts_at__gte=released.starts_at, starts_at__lt=released.ends_at
    ).values("starts_at", *_ENERGIES)
    rows = [
        _row(released, values, released.starts_at, released.ends_at, is_hour=False)
        for values in days
    ]
    hour = timedelta(hours=1)
    for values in hours:
        at = values.pop("starts_at")
        if (at - released.starts_at) // hour not in shape.hidden_hours:
            rows.append(_row(released, values, at, at + hour, is_hour=True))
    return rows


def _row(
    released: ReleasedDay,
    values: dict[str, int],
    start: datetime,
    end: datetime,
    *,
    is_hour: bool,
) -> ReleasedEnergies:
    return ReleasedEnergies(
        release=released,
        community_id=released.community_id,
        day=released.day,
        starts_at=start,
        ends_at=end,
        is_hour=is_hour,
        **values,
    )
