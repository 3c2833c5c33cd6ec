"""Take in how much carbon dioxide the grid's electricity stands for, hour by hour."""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.db import transaction

from analytics.errors import CarbonInvalid
from analytics.models import CarbonIntensity
from marketplace.domain.civil_day import FIRST_MOMENT, LAST_MOMENT

COLUMNS = ("start", "grams_per_kwh")
HEADER = ",".join(COLUMNS)
# Brown coal stands for about 1,100: more than 5,000 is another unit.
GRAMS_MAX = 5000
SOURCE_MAX = 200
AT_ONCE = 5000
SHOWN_MAX = 100


@transaction.atomic
def import_carbon(path: Path, *, source: str, community_id: int = 0) -> int:
    """Store a file of intensities, all of it or nothing; what was known of an hour is replaced.

    Parameters
    ----------
    path : Path
        CSV with the header ``start,grams_per_kwh``, one row per clock hour; starts in ISO 8601
        with offset, whole grams of CO2-equivalent.
    source : str
        Who published it, as a citation; shown beside every figure made from it.
    community_id : int
        Whose grid it is of; 0: of every community without a series of its own.

    Returns
    -------
    int
        How many hours it tells of.

    Raises
    ------
    CarbonInvalid
        Names the first bad line and what to do.
    """
    cited = source.strip()
    if not cited or len(cited) > SOURCE_MAX:
        raise CarbonInvalid(path, 0, "no source, or a long one", f"cite it in 1 to {SOURCE_MAX}")
    rows: dict[datetime, CarbonIntensity] = {}
    for line, row in _rows(path, cited, community_id):
        if row.starts_at in rows:
            raise CarbonInvalid(path, line, "this hour stands here twice", "keep one of them")
        rows[row.starts_at] = row
    if not rows:
        raise CarbonInvalid(path, 0, "it tells of no hour", f"write rows below {HEADER}")
    CarbonIntensity.objects.bulk_create(
        rows.values(),
        batch_size=AT_ONCE,
        update_conflicts=True,
        unique_fields=["community_id", "starts_at"],
        update_fields=["grams_per_kwh", "source"],
    )
    return len(rows)


def _rows(path: Path, source: str, community_id: int) -> Iterator[tuple[int, CarbonIntensity]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            if tuple(next(lines, [])) != COLUMNS:
                raise CarbonInvalid(path, 1, "the header is another", f"begin with {HEADER}")
            for cells in lines:
                if cells:
                    start, grams = _values(path, lines.line_num, cells)
                    yield (
                        lines.line_num,
                        CarbonIntensity(
                            community_id=community_id,
                            starts_at=start,
                            grams_per_kwh=grams,
                            source=source,
                        ),
                    )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CarbonInvalid(path, 0, f"cannot be read: {error}", "send CSV in UTF-8") from error


def _values(path: Path, line: int, cells: list[str]) -> tuple[datetime, int]:
    try:
        start, text = cells
        moment, grams = datetime.fromisoformat(start), int(text)
    except ValueError as error:
        # What stands there may be as long as a line.
        what = str(error)[:SHOWN_MAX]
        raise CarbonInvalid(path, line, what, f"write {HEADER}, whole grams") from error
    if moment.tzinfo is None:
        raise CarbonInvalid(path, line, f"{start} has no offset", "write it as …+08:00")
    if not FIRST_MOMENT <= moment < LAST_MOMENT:
        raise CarbonInvalid(path, line, f"{start} is far off", "write a year from 1970 to 2199")
    moment = moment.astimezone(UTC)
    if moment.minute or moment.second or moment.microsecond:
        raise CarbonInvalid(path, line, f"{start} begins no hour", "write one row per clock hour")
    if not 0 <= grams <= GRAMS_MAX:
        remedy = f"check the unit: 0 to {GRAMS_MAX} grams per kWh"
        raise CarbonInvalid(path, line, f"{grams} g/kWh cannot be", remedy)
    return moment, grams
