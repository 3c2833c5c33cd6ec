"""Read rollups: per interval and zone, and summed over a period."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from itertools import groupby

from django.db.models import Count, Sum
from django.db.models.functions import Coalesce

from analytics.models import IntervalRollup


@dataclass(frozen=True, slots=True)
class Rollup:
    """What one interval of one zone came to. [Wh] and [micro/kWh]"""

    interval_id: int
    zone_id: int
    community_id: int
    starts_at: datetime
    revision: int
    meter_count: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    grid_import_wh: int
    grid_export_wh: int
    price_micro_per_kwh: int | None

    @property
    def self_sufficiency(self) -> float | None:
        """Share of the import that neighbours delivered; None without import."""
        return _share(self.bought_wh, self.import_wh)

    @property
    def self_consumption(self) -> float | None:
        """Share of the export that neighbours took; None without export."""
        return _share(self.sold_wh, self.export_wh)


@dataclass(frozen=True, slots=True)
class PeriodTotals:
    """A community, or one zone of it, over a period. [Wh] and [micro/kWh]"""

    interval_count: int
    import_wh: int
    export_wh: int
    bought_wh: int
    sold_wh: int
    grid_import_wh: int
    grid_export_wh: int
    mean_price_micro_per_kwh: int | None

    @property
    def self_sufficiency(self) -> float | None:
        """Share of the import that neighbours delivered; None without import."""
        return _share(self.bought_wh, self.import_wh)

    @property
    def self_consumption(self) -> float | None:
        """Share of the export that neighbours took; None without export."""
        return _share(self.sold_wh, self.export_wh)


_COLUMNS: Sequence[str] = tuple(Rollup.__dataclass_fields__)
_SUMS = (
    "import_wh",
    "export_wh",
    "bought_wh",
    "sold_wh",
    "grid_import_wh",
    "grid_export_wh",
)


def list_interval_rollups(
    *, community_id: int, start: datetime, end: datetime, zone_id: int | None = None
) -> list[Rollup]:
    """Return the rollups of intervals that start in ``[start, end)``, by time and zone."""
    found = IntervalRollup.objects.filter(
        community_id=community_id, starts_at__gte=start, starts_at__lt=end
    )
    if zone_id is not None:
        found = found.filter(zone_id=zone_id)
    return [Rollup(*row) for row in found.order_by("starts_at", "zone_id").values_list(*_COLUMNS)]


def list_latest_rollups(
    *,
    community_id: int,
    start: datetime | None,
    end: datetime | None,
    before: datetime | None,
    limit: int,
) -> list[list[Rollup]]:
    """Return the rollups of the latest intervals, newest first, each interval's zones together.

    Of intervals that start in ``[start, end)``, and before a moment if given.
    """
    found = IntervalRollup.objects.filter(community_id=community_id)
    for condition, moment in (("gte", start), ("lt", end), ("lt", before)):
        if moment is not None:
            found = found.filter(**{f"starts_at__{condition}": moment})
    starts = list(
        found.order_by("-starts_at").values_list("starts_at", flat=True).distinct()[:limit]
    )
    if not starts:
        return []
    rows = (
        found.filter(starts_at__gte=starts[-1])
        .order_by("-starts_at", "zone_id")
        .values_list(*_COLUMNS)
    )
    by_interval = groupby((Rollup(*row) for row in rows), key=lambda each: each.interval_id)
    return [list(zones) for _, zones in by_interval]


def get_period_totals(
    *,
    community_id: int,
    start: datetime,
    end: datetime,
    zone_id: int | None = None,
    meters_at_least: int = 0,
) -> PeriodTotals:
    """Sum the intervals that start in ``[start, end)``.

    Parameters
    ----------
    meters_at_least : int
        Intervals with readings of fewer meters in the whole community are left out.

    Returns
    -------
    PeriodTotals
        The mean price is of what was bought in the pool, as every page has it; None where nothing
        was.
    """
    found = IntervalRollup.objects.filter(
        community_id=community_id, starts_at__gte=start, starts_at__lt=end
    )
    if meters_at_least:
        large = (
            found.values("interval_id")
            .annotate(meters=Sum("meter_count"))
            .filter(meters__gte=meters_at_least)
        )
        found = found.filter(interval_id__in=large.values("interval_id"))
    if zone_id is not None:
        found = found.filter(zone_id=zone_id)
    row = found.aggregate(
        intervals=Count("interval_id", distinct=True),
        # Sums are numeric there: those of a city's money can pass 64 bits.
        priced_wh=Coalesce(Sum("priced_wh"), 0),
        priced_micro=Coalesce(Sum("priced_micro"), 0),
        **{name: Coalesce(Sum(name), 0) for name in _SUMS},
    )
    priced_wh, priced_micro = int(row["priced_wh"]), int(row["priced_micro"])
    return PeriodTotals(
        interval_count=row["intervals"],
        **{name: int(row[name]) for name in _SUMS},
        mean_price_micro_per_kwh=(
            round(Fraction(priced_micro * 1000, priced_wh)) if priced_wh else None
        ),
    )


def _share(part_wh: int, whole_wh: int) -> float | None:
    return part_wh / whole_wh if whole_wh else None
