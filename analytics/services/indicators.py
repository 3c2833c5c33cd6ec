"""Makes the city's figures from what is licensed for planning, once for each new version."""

import csv
import io
import logging
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Final

import numpy as np
from django.db import DatabaseError, connection, transaction

from analytics.domain.indicators import (
    Indicator,
    Kind,
    departures_by_hour,
    flows_by_month,
    running_days,
    stations_by_hour,
    traffic_by_hour,
)
from analytics.models import CityIndicator, IndicatorSource
from gate.areas import AREAS_PART, Areas
from gate.errors import Refused, gettext_noop
from gate.flows import CSV_PART
from gate.formats.values import as_numbers, as_text, as_times
from gate.limits import Limits
from gate.roles import resolved
from gate.rows import open_rows
from marketplace.errors import DepositKeyMissing
from marketplace.services.data.planning import (
    PlanningSource,
    list_planning_feeds,
    list_planning_sources,
    opened_part,
    planning_feed_ids,
)

BATCH: Final = 5_000
# What a page can show and a city can have; a file of others' making may name a million places.
PLACES_MAX: Final = 20_000
FIGURES_MAX: Final = 500_000
UNREADABLE: Final = "unreadable"
_ADD: Final = """
    INSERT INTO analytics_cityindicator
        (source_id, kind, place, to_place, period, day_type, hour, value, weight)
    SELECT %s, %s, place, '', '', day_type, hour, value, weight
    FROM unnest(%s::text[], %s::smallint[], %s::smallint[], %s::bigint[], %s::bigint[])
        AS looked(place, day_type, hour, value, weight)
    ON CONFLICT (source_id, kind, place, to_place, period, day_type, hour)
    DO UPDATE SET value = analytics_cityindicator.value + excluded.value,
        weight = analytics_cityindicator.weight + excluded.weight
"""
_log = logging.getLogger(__name__)
_WEEKDAYS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)


def refresh_indicators(*, now: datetime) -> int:
    """Make the figures of versions that have none yet, drop those of what is not licensed any more.

    Returns
    -------
    int
        How many products were looked at anew. Safe twice, late, or on two hosts.
    """
    sources = {each.product_id: each for each in list_planning_sources()}
    IndicatorSource.objects.exclude(product_id__in={*sources, *planning_feed_ids()}).delete()
    known = dict(IndicatorSource.objects.values_list("product_id", "version_id"))
    due = [each for each in sources.values() if known.get(each.product_id) != each.version_id]
    for source in due:
        _refresh(source, now)
    return len(due)


@transaction.atomic
def sample_stations(*, now: datetime) -> int:
    """Add the newest look at the stations of each licensed feed to their figures, once.

    Returns
    -------
    int
        How many feeds had something new. Safe twice, late, or on two hosts.
    """
    count = 0
    for feed in list_planning_feeds():
        source = feed.source
        row, is_new = IndicatorSource.objects.select_for_update().get_or_create(
            product_id=source.product_id,
            defaults={
                "version_id": source.version_id,
                "version_number": source.version_number,
                "manifest_sha256": source.manifest_sha256,
                "computed_at": feed.changed_at,
            },
        )
        if not is_new and row.computed_at >= feed.changed_at:
            continue
        local = feed.changed_at.astimezone(feed.zone)
        looked = stations_by_hour(feed.information, feed.status, local=local)
        _add(row.product_id, looked)
        IndicatorSource.objects.filter(product_id=row.product_id).update(
            computed_at=feed.changed_at,
            version_id=source.version_id,
            version_number=source.version_number,
            manifest_sha256=source.manifest_sha256,
        )
        count += 1
    return count


def _add(product_id: int, looked: Sequence[Indicator]) -> None:
    """Add sums to those that stand there."""
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD,
            [
                product_id,
                int(Kind.STATIONS),
                [each.place for each in looked],
                [int(each.day_type) for each in looked],
                [each.hour for each in looked],
                [each.value for each in looked],
                [each.weight for each in looked],
            ],
        )


def _refresh(source: PlanningSource, now: datetime) -> None:
    made, problem = [], ""
    maker = MAKERS.get(source.format)
    if maker is not None:
        try:
            made = maker(source)
            if len(made) > FIGURES_MAX:
                raise _too_many()
        except Refused as refused:
            made, problem = [], str(refused)
        except (DatabaseError, DepositKeyMissing):
            raise
        except Exception:
            # Files are of others' making: one that surprises us must not keep the city from the
            # figures of all the others.
            _log.exception("no figures from version %s", source.version_id)
            made, problem = [], UNREADABLE
    with transaction.atomic():
        IndicatorSource.objects.filter(product_id=source.product_id).delete()
        row = IndicatorSource.objects.create(
            product_id=source.product_id,
            version_id=source.version_id,
            version_number=source.version_number,
            manifest_sha256=source.manifest_sha256,
            problem=problem,
            computed_at=now,
        )
        CityIndicator.objects.bulk_create(
            (CityIndicator(source=row, **vars(each)) for each in made), batch_size=BATCH
        )


def _too_many() -> Refused:
    return Refused(
        "too-many-places",
        gettext_noop("more places than the city's figures can show"),
        "",
        gettext_noop("Publish a file for each part of the city."),
    )


def _traffic(source: PlanningSource) -> list[Indicator]:
    """Make the figures of a file of counts."""
    names: dict[str, int] = {}
    columns: list[list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = [[], [], []]
    with (
        opened_part(version_id=source.version_id, prefix="counts.") as path,
        open_rows(path, name="counts", limits=Limits()) as table,
    ):
        role = resolved(table.names, "counts", source.columns, "counts")
        for batch in table.batches:
            sites = as_text(batch.column(role["site"])).to_pylist()
            times, numbers = (
                as_times(batch.column(role["time"])),
                as_numbers(batch.column(role["count"])),
            )
            good = ~(times.missing | times.bad | numbers.missing | numbers.bad)
            site = np.array([names.setdefault(each or "", len(names)) for each in sites])
            if len(names) > PLACES_MAX:
                raise _too_many()
            columns[0].append(site[good])
            columns[1].append(times.values[good])
            columns[2].append(numbers.values[good].astype(np.int64))
    if not names:
        return []
    site, local_s, count = (np.concatenate(parts) for parts in columns)
    starts = np.unique(local_s)
    slot_s = int(np.diff(starts).min()) if len(starts) > 1 else 3_600
    return traffic_by_hour(site, list(names), local_s, count, slot_s)


def _flows(source: PlanningSource) -> list[Indicator]:
    """Make the figures of gated trips, at the coarsest areas that they are told at."""
    with opened_part(version_id=source.version_id, prefix=AREAS_PART) as path:
        areas = Areas.from_csv(path.read_bytes())
    coarsest = list(areas.names)[-1]
    if coarsest == "all" and len(areas.names) > 1:
        coarsest = list(areas.names)[-2]
    area_of: dict[str, str] = {}
    for level in areas.names.values():
        area_of.update(zip(level, areas.names[coarsest], strict=True))
    with (
        opened_part(version_id=source.version_id, prefix=CSV_PART) as path,
        path.open(encoding="utf-8", newline="") as file,
    ):
        cells = (
            (row["period_start"], row["from_area"], row["to_area"], int(row["trips"]))
            for row in csv.DictReader(file)
        )
        return flows_by_month(cells, area_of)


def _departures(source: PlanningSource) -> list[Indicator]:
    """Make the figures of a timetable."""
    with opened_part(version_id=source.version_id, prefix="gtfs.") as path:
        return timetable(path)


def timetable(path: Path) -> list[Indicator]:
    """Return the departures of a GTFS archive that was validated when it was published."""
    with zipfile.ZipFile(path) as archive:
        stops = {row["stop_id"]: row.get("stop_name", "") for row in _table(archive, "stops.txt")}
        trips = {row["trip_id"]: row["service_id"] for row in _table(archive, "trips.txt")}
        departures = (
            (row["trip_id"], stops.get(row["stop_id"]) or row["stop_id"], _seconds(text))
            for row in _table(archive, "stop_times.txt")
            if (text := row.get("departure_time") or row.get("arrival_time"))
        )
        return departures_by_hour(_services(archive), trips, departures)


def _services(archive: zipfile.ZipFile) -> dict[str, list[date]]:
    exceptions: dict[str, dict[str, set[date]]] = defaultdict(lambda: {"1": set(), "2": set()})
    for row in _table(archive, "calendar_dates.txt"):
        exceptions[row["service_id"]][row["exception_type"]].add(_day(row["date"]))
    services = {}
    for row in _table(archive, "calendar.txt"):
        changed = exceptions.pop(row["service_id"], {"1": set(), "2": set()})
        weekdays = [row[name] == "1" for name in _WEEKDAYS]
        services[row["service_id"]] = running_days(
            _day(row["start_date"]), _day(row["end_date"]), weekdays, changed["1"], changed["2"]
        )
    for service, changed in exceptions.items():  # without a calendar, by single days alone
        services[service] = sorted(changed["1"] - changed["2"])
    return services


def _table(archive: zipfile.ZipFile, name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table; one that may be absent has none."""
    with suppress(KeyError), archive.open(name) as file:
        yield from csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))


def _day(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _seconds(text: str) -> int:
    hours, minutes, seconds = text.strip().split(":")
    return int(hours) * 3_600 + int(minutes) * 60 + int(seconds)


MAKERS: Final[dict[str, Callable[[PlanningSource], list[Indicator]]]] = {
    "counts": _traffic,
    "gtfs": _departures,
    "trips": _flows,
}
