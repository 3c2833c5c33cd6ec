"""Released figures as a folder of Parquet or CSV files, one for each table, community and month.

Folders are named ``community=ID/month=YYYY-MM``, which readers of partitioned data sets take for
columns. One month at a time is in memory, so that years cost no more.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from analytics.domain.disclosure import Audience
from analytics.domain.figures import EnergyBucket
from analytics.queries import disclosed
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.spreadsheet import plain_text
from marketplace.queries.pages import Place
from marketplace.queries.pages_community import list_zone_names

Row = tuple[object, ...]
_SUMS: Final = (
    *("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"),
    *("priced_wh", "priced_micro"),
)
_ENERGY: Final = pa.schema(
    [
        ("zone_id", pa.int64()),
        ("zone", pa.string()),
        ("day", pa.date32()),
        ("start", pa.timestamp("s", tz="UTC")),
        ("end", pa.timestamp("s", tz="UTC")),
        ("interval_count", pa.int32()),
        ("meters_min", pa.int32()),
        *((name, pa.int64()) for name in _SUMS),
        ("retail_micro_per_kwh", pa.int64()),
        ("feed_in_micro_per_kwh", pa.int64()),
    ]
)
_FLOWS: Final = pa.schema(
    [
        ("day", pa.date32()),
        ("from_zone_id", pa.int64()),
        ("from_group", pa.string()),
        ("to_zone_id", pa.int64()),
        ("to_group", pa.string()),
        ("wh", pa.int64()),
        ("value_micro", pa.int64()),
    ]
)
_LINKS: Final = pa.schema(
    [
        ("day", pa.date32()),
        ("from_zone_id", pa.int64()),
        ("to_zone_id", pa.int64()),
        ("sent_wh", pa.int64()),
        ("received_wh", pa.int64()),
        ("limit_wh", pa.int64()),
        ("congested_minutes", pa.int32()),
        ("rent_micro", pa.int64()),
    ]
)
SCHEMAS: Final[dict[str, pa.Schema]] = {
    "days": _ENERGY,
    "hours": _ENERGY,
    "flows": _FLOWS,
    "links": _LINKS,
}
README: Final = """Figures of {name} from {first} to {last}, as released to city planners.

community=ID/month=YYYY-MM are partitions: civil months of {timezone}.
days, hours   energies of the community (zone_id 0) and of zones that stand alone. [Wh]
              import, export: metered. bought, sold: with neighbours. grid_*: with the grid.
              priced_wh, priced_micro: bought in the pool, and what it costs without fees;
              their quotient is the mean price. retail, feed_in: mean tariffs. [micro/kWh]
flows         who delivered to whom; zone 0 is the grid, zone -1 all that may not stand alone,
              an empty group all roles of a zone.
links         what went over each link between zones that stand alone.

1 {currency} = 1,000,000 micro. Intervals are half-open, moments UTC. What is missing is left out,
never zero. Withheld: {hidden_days} days, {hidden_hours} hours that are in their day's sum only,
{zones} zones on some day. Corrections of {waiting_days} days wait: they concern too few members.
As of {as_of}. How figures are made and what they hide: docs/figures.md.
"""


def export_figures(*, place: Place, first: date, last: date, form: str, folder: Path) -> list[Path]:
    """Write a community's released figures of civil days, both included.

    Parameters
    ----------
    form : str
        ``parquet`` or ``csv``.
    folder : Path
        Made if it is not there; files of the same months are replaced.

    Returns
    -------
    list of Path
        The files, the text that explains them last.
    """
    written = []
    for start, end in _months(first, last):
        for table, schema in SCHEMAS.items():
            rows = list(_rows(place, table, start, end))
            if rows:
                partition = f"community={place.community_id}/month={start:%Y-%m}"
                path = folder / table / partition / f"{start}_{end}.{form}"
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, schema, rows)
                written.append(path)
    about = folder / f"README-{place.community_id}.txt"
    folder.mkdir(parents=True, exist_ok=True)
    about.write_text(_readme(place, first, last), encoding="utf-8")
    return [*written, about]


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield the first and last day of each civil month within the days."""
    while first <= last:
        following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        yield first, min(last, following - timedelta(days=1))
        first = following


def _rows(place: Place, table: str, first: date, last: date) -> Iterator[Row]:
    start, end = day_bounds(first, place.zone)[0], day_bounds(last, place.zone)[1]
    if table in ("days", "hours"):
        read = disclosed.list_days if table == "days" else disclosed.list_hours
        for zone, name in {0: "", **list_zone_names(community_id=place.community_id)}.items():
            for each in read(
                community_id=place.community_id,
                start=start,
                end=end,
                zone_id=zone,
                audience=Audience.PLANNER,
            ):
                yield zone, name, *_energies(each)
        return
    for index in range((last - first).days + 1):
        day = first + timedelta(days=index)
        start, end = day_bounds(day, place.zone)
        yield from _of_day(place, table, day, start, end)


def _of_day(place: Place, table: str, day: date, start: datetime, end: datetime) -> Iterator[Row]:
    period: dict[str, Any] = {
        "community_id": place.community_id,
        "start": start,
        "end": end,
        "audience": Audience.PLANNER,
    }
    found = disclosed.list_flows(**period) if table == "flows" else disclosed.list_links(**period)
    for each in found:
        yield day, *(getattr(each, name) for name in SCHEMAS[table].names[1:])


def _energies(bucket: EnergyBucket) -> Row:
    energies = bucket.energies
    return (
        bucket.day,
        energies.start,
        energies.end,
        energies.interval_count,
        energies.meters_min,
        *(getattr(energies, name) for name in _SUMS),
        bucket.retail_micro_per_kwh,
        bucket.feed_in_micro_per_kwh,
    )


def _write(path: Path, schema: pa.Schema, rows: Sequence[Row]) -> None:
    if path.suffix == ".parquet":
        columns = [
            pa.array(values, type=field.type)
            for values, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        pq.write_table(pa.table(columns, schema=schema), path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.names)
        writer.writerows([_plain(value) for value in row] for row in rows)


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return plain_text(value) if isinstance(value, str) else value


def _readme(place: Place, first: date, last: date) -> str:
    period: dict[str, Any] = {
        "community_id": place.community_id,
        "start": day_bounds(first, place.zone)[0],
        "end": day_bounds(last, place.zone)[1],
    }
    withheld = disclosed.list_withheld(**period)
    basis = disclosed.get_basis(**period, audience=Audience.PLANNER)
    return README.format(
        name=place.name,
        first=first,
        last=last,
        timezone=place.timezone,
        currency=place.currency,
        as_of=basis.as_of.isoformat() if basis.as_of else "no release",
        hidden_days=withheld.hidden_days,
        hidden_hours=withheld.hidden_hours,
        waiting_days=withheld.waiting_days,
        zones=len(withheld.zone_ids),
    )
