"""Take readings in: all of a batch, or nothing. A correction is a new version."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import connection, transaction

from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from marketplace.domain.interval_book import Int64Array
from marketplace.domain.readings.cells import INTERVAL_MINUTES
from marketplace.domain.readings.columns import (
    KNOWS_EXPORT,
    KNOWS_IMPORT,
    ReadingsFile,
    ReadingsInvalid,
)
from marketplace.domain.rules import Rules, load_rules
from marketplace.models import (
    Community,
    DeliveryInterval,
    MeteringPoint,
    Reading,
    ReadingBatch,
    RuleSet,
)
from marketplace.queries.terms import list_current_readings

COPY_ROWS = 50_000

# In order of time, an interval that overlaps any overlaps its neighbour: one pass, however many.
_OVERLAP = """
SELECT starts_at, next_starts_at, id = ANY(%(ids)s) FROM (
    SELECT id, starts_at, ends_at, lead(id) OVER w AS next_id, lead(starts_at) OVER w
        AS next_starts_at
    FROM marketplace_deliveryinterval
    WHERE community_id = %(community)s AND starts_at >= %(first)s AND starts_at < %(last)s
    WINDOW w AS (ORDER BY starts_at)
) AS neighbour
WHERE ends_at > next_starts_at AND (id = ANY(%(ids)s) OR next_id = ANY(%(ids)s))
ORDER BY starts_at LIMIT 1
"""


@dataclass(frozen=True)
class Imported:
    """What became of a batch's rows."""

    new: int
    corrected: int
    unchanged: int
    repeated: int


@dataclass(frozen=True, eq=False)
class _Wanted:
    """The rows as they are to be stored; version 0 where the current reading says the same.

    ``is_changed`` marks other energies than the current ones, ``is_doubted`` a reading that
    becomes an estimate or stops being one.
    """

    versions: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array
    quality: Int64Array
    is_changed: np.ndarray
    is_doubted: np.ndarray


@transaction.atomic
def import_readings(
    *,
    community_id: int,
    readings: ReadingsFile,
    source: str,
    sha256: str,
    now: datetime,
) -> Imported:
    """Store a batch of readings of one community.

    Parameters
    ----------
    readings : ReadingsFile
        Checked rows; errors name their lines. Where a row speaks of one direction only, the other
        one stays what it is known to be; a meter of which nothing but import is known has no
        feed-in.
    source, sha256 : str
        Where they came from, and the hash of what was sent.

    Raises
    ------
    ReadingsInvalid
        On an unknown or inactive meter, an interval length that is not the rules', or a row of
        feed-in alone where the import is not known. Nothing is stored.
    """
    # The community's row is the lock: batches of one community take turns, so that two versions
    # of a reading are numbered one after the other.
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    points = _metering_points(community, readings, source)
    starts, interval_index = np.unique(readings.start_epoch_s, return_inverse=True)
    interval_ids = _open_intervals(community, starts, readings, source)[interval_index]
    wanted = _wanted(interval_ids, points, readings, source)
    stored = wanted.versions > 0
    imported = Imported(
        new=int((wanted.versions == 1).sum()),
        corrected=int((wanted.versions > 1).sum()),
        unchanged=int((wanted.versions == 0).sum()),
        repeated=readings.repeated,
    )
    if stored.any():
        batch = ReadingBatch.objects.create(
            source=source, sha256=sha256, reading_count=int(stored.sum()), received_at=now
        )
        columns = [
            interval_ids,
            points,
            wanted.versions,
            wanted.import_wh,
            wanted.export_wh,
            wanted.quality,
        ]
        _copy([column[stored] for column in columns], batch_id=batch.id)
        _spread_news(interval_ids, wanted)
    return imported


def _spread_news(interval_ids: Int64Array, wanted: _Wanted) -> None:
    """Mark cleared intervals whose energies changed, or what their book says of estimates."""
    cleared = DeliveryInterval.objects.filter(revision__gt=0)
    changed = np.unique(interval_ids[wanted.is_changed]).tolist()
    cleared.filter(id__in=changed).update(has_news=True)
    doubted = np.unique(interval_ids[wanted.is_doubted]).tolist()
    if doubted:
        # Books of form 1 do not say what was estimated.
        cleared.filter(id__in=doubted, rule_set__document__form=2).update(has_news=True)


def _metering_points(community: Community, readings: ReadingsFile, source: str) -> Int64Array:
    """Return each row's metering point, active at its start."""
    known = {
        code: (point_id, active_from, active_until)
        for code, point_id, active_from, active_until in MeteringPoint.objects.filter(
            community=community
        ).values_list("code", "id", "active_from", "active_until")
    }
    ids = np.zeros(len(readings.meters), dtype=np.int64)
    first_s = np.zeros_like(ids)
    last_s = np.full_like(ids, np.iinfo(np.int64).max)
    for index, meter in enumerate(readings.meters):
        if meter in known:
            ids[index], active_from, active_until = known[meter]
            first_s[index] = int(active_from.timestamp())
            if active_until is not None:
                last_s[index] = int(active_until.timestamp()) - 1
    points = ids[readings.meter_index]
    _refuse_first(
        points == 0,
        readings,
        source,
        f"is not a metering point of {community.name}",
        "register it first, or correct its name",
    )
    start_s = readings.start_epoch_s
    _refuse_first(
        (start_s < first_s[readings.meter_index]) | (start_s > last_s[readings.meter_index]),
        readings,
        source,
        "is not active at this time",
        "correct the time, or the metering point's period",
    )
    return points


def _refuse_first(
    bad: np.ndarray, readings: ReadingsFile, source: str, what: str, remedy: str
) -> None:
    if not bad.any():
        return
    row = int(np.flatnonzero(bad)[0])
    meter = readings.meters[readings.meter_index[row]]
    raise ReadingsInvalid(source, int(readings.lines[row]), f"meter {meter!r} {what}", remedy)


def _open_intervals(
    community: Community, starts_s: Int64Array, readings: ReadingsFile, source: str
) -> Int64Array:
    """Return the ids of the intervals that start then, opening those that are new; locks them."""
    rule_sets = list(RuleSet.objects.filter(community=community).order_by("effective_from"))
    rules: dict[int, Rules] = {each.id: load_rules(each.document) for each in rule_sets}
    length = timedelta(minutes=readings.minutes)
    rows = []
    for start_s in starts_s.tolist():
        starts_at = datetime.fromtimestamp(start_s, UTC)
        in_force = [each for each in rule_sets if each.effective_from <= starts_at]
        if not in_force or rules[in_force[-1].id].interval_minutes != readings.minutes:
            line = int(readings.lines[np.flatnonzero(readings.start_epoch_s == start_s)[0]])
            raise ReadingsInvalid(
                source,
                line,
                f"{readings.minutes} minutes at {starts_at.isoformat()} is not a delivery interval"
                f" of {community.name}",
                "send readings of the length and the period that the community's rules name",
            )
        rows.append((community.id, starts_at, starts_at + length, in_force[-1].id))
    DeliveryInterval.objects.bulk_create(
        [
            DeliveryInterval(community_id=owner, starts_at=start, ends_at=end, rule_set_id=rule_set)
            for owner, start, end, rule_set in rows
        ],
        batch_size=2000,
        ignore_conflicts=True,
    )
    # Locked, so that a clearing sees either none of this batch, or all of it and its news.
    found = dict(
        DeliveryInterval.objects.select_for_update(no_key=True)
        .filter(community=community, starts_at__in=[row[1] for row in rows])
        .order_by("id")
        .values_list("starts_at", "id")
    )
    _refuse_overlap(community, readings, source, found)
    return np.array([found[row[1]] for row in rows], dtype=np.int64)


def _refuse_overlap(
    community: Community, readings: ReadingsFile, source: str, found: dict[datetime, int]
) -> None:
    """Hold intervals apart where rules of another length began: energy counts once."""
    longest = timedelta(minutes=max(INTERVAL_MINUTES))
    where: dict[str, int | list[int] | datetime] = {
        "community": community.id,
        "ids": list(found.values()),
        "first": min(found) - longest,
        "last": max(found) + longest,
    }
    with connection.cursor() as cursor:
        cursor.execute(_OVERLAP, where)
        overlap = cursor.fetchone()
    if overlap is None:
        return
    first, second, is_first_sent = overlap
    sent, other = (first, second) if is_first_sent else (second, first)
    row = int(np.flatnonzero(readings.start_epoch_s == int(sent.timestamp()))[0])
    raise ReadingsInvalid(
        source,
        int(readings.lines[row]),
        f"the interval at {sent.isoformat()} overlaps the one of {community.name} at"
        f" {other.isoformat()}",
        "let rules of another interval length begin where no interval runs",
    )


def _wanted(
    interval_ids: Int64Array, points: Int64Array, readings: ReadingsFile, source: str
) -> _Wanted:
    """Compare the rows with the current readings."""
    known, version, old_import, old_export, old_quality = _current(interval_ids, points)
    import_wh, export_wh = readings.import_wh, readings.export_wh
    if readings.knows is not None:
        import_wh = np.where(readings.knows & KNOWS_IMPORT, import_wh, old_import)
        export_wh = np.where(readings.knows & KNOWS_EXPORT, export_wh, old_export)
        _refuse_first(
            ~known & (readings.knows & KNOWS_IMPORT == 0),
            readings,
            source,
            "has feed-in here, but nobody knows yet what it drew from the grid",
            "send the readings from the grid first, or both directions in one file",
        )
    quality = readings.quality
    if quality is None:
        quality = np.full(len(points), Reading.Quality.MEASURED, dtype=np.int64)
    is_changed = ~known | (old_import != import_wh) | (old_export != export_wh)
    estimated = Reading.Quality.ESTIMATED
    return _Wanted(
        versions=np.where(is_changed | (old_quality != quality), version + 1, 0),
        import_wh=import_wh,
        export_wh=export_wh,
        quality=quality,
        is_changed=is_changed,
        is_doubted=known & ((old_quality == estimated) != (quality == estimated)),
    )


def _current(interval_ids: Int64Array, points: Int64Array) -> tuple[np.ndarray, ...]:
    """Return per row whether a reading is known, and its version, energies and quality."""
    current = list_current_readings(interval_ids=np.unique(interval_ids).tolist()).T
    if not len(current):
        nothing = np.zeros(len(points), dtype=np.int64)
        return np.zeros(len(points), dtype=np.bool_), nothing, nothing, nothing, nothing
    # One sortable number per (interval, metering point): ranks keep the product small.
    known_points, ranks = np.unique(np.concatenate([current[:, 1], points]), return_inverse=True)
    width = len(known_points)
    keys = current[:, 0] * width + ranks[: len(current)]
    wanted = interval_ids * width + ranks[len(current) :]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    known = keys[at] == wanted
    return known, *(np.where(known, current[at, column], 0) for column in (2, 3, 4, 5))


def _copy(columns: list[Int64Array], *, batch_id: int) -> None:
    """Copy readings in, in the order of their key, a bounded piece at a time."""
    order = np.lexsort((columns[1], columns[0]))
    types = ("int8", "int8", "int2", "int8", "int8", "int2")
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY marketplace_reading (interval_id, metering_point_id, version, import_wh,"
            " export_wh, quality, batch_id) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(HEADER)
        for first in range(0, len(order), COPY_ROWS):
            piece = order[first : first + COPY_ROWS]
            constant = np.ones(len(piece), dtype=np.int64)
            copy.write(
                copy_rows(
                    [
                        *(
                            (kind, column[piece])
                            for kind, column in zip(types, columns, strict=True)
                        ),
                        ("int8", constant * batch_id),
                    ],
                    rows=len(piece),
                )
            )
        copy.write(TRAILER)
