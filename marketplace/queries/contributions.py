"""What each member's meters measured on a day, hour by hour, from the stored books.

For whoever decides which sums say too much of one of them; it never leaves the hall.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.models import Clearing, DeliveryInterval, MeteringPoint
from marketplace.queries.intervals import IS_BOOKED

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, eq=False)
class MemberHours:
    """A day's members as columns; one row for each member and zone that it is metered in.

    ``values`` is by row, clock hour and quantity: import, export. [Wh] ``is_present`` says in
    which hours every interval has a reading.
    """

    member_ids: Int64Array
    zone_ids: Int64Array
    roles: tuple[str, ...]
    values: Int64Array
    is_present: npt.NDArray[np.bool_]


def list_revisions(*, community_id: int, start: datetime, end: datetime) -> dict[int, int]:
    """Return the settled intervals that start in ``[start, end)`` with their latest revision."""
    settled = DeliveryInterval.objects.filter(
        IS_BOOKED,
        has_news=False,
        community_id=community_id,
        starts_at__gte=start,
        starts_at__lt=end,
    )
    return dict(settled.order_by("starts_at").values_list("id", "revision"))


def get_member_hours(
    *, community_id: int, start: datetime, end: datetime, revisions: Mapping[int, int]
) -> MemberHours | None:
    """Return what was measured, by some revisions of the intervals of ``[start, end)``.

    Returns
    -------
    MemberHours or None
        None if a book is kept no more. Members without a metering point have no row; those whose
        point is not in a book have one of zeros, so that all revisions have the same rows.
    """
    points = list(
        MeteringPoint.objects.filter(community_id=community_id)
        .order_by("id")
        .values_list(
            "id", "site__participant_id", "site__zone_id", "site__participant__role", named=False
        )
    )
    keys = sorted({(member, zone, role) for _, member, zone, role in points})
    row_of = {key: row for row, key in enumerate(keys)}
    point_ids = np.array([point for point, *_ in points], dtype=np.int64)
    rows = np.array([row_of[member, zone, role] for _, member, zone, role in points], np.int64)
    hour_count = -(-(end - start) // _HOUR)
    values = np.zeros((len(keys), hour_count, 2), dtype=np.int64)
    seen = np.zeros((len(keys), hour_count), dtype=np.int64)
    expected = np.zeros(hour_count, dtype=np.int64)
    clearings = _clearings(revisions)
    for starts_at, packed in clearings:
        if not packed:
            return None
        hour = (starts_at - start) // _HOUR
        _add(IntervalBook.unpacked(packed), point_ids, rows, values[:, hour], seen[:, hour])
        expected[hour] += 1
    return MemberHours(
        np.array([member for member, _, _ in keys], dtype=np.int64),
        np.array([zone for _, zone, _ in keys], dtype=np.int64),
        tuple(role for _, _, role in keys),
        values,
        (seen >= expected) & (expected > 0),
    )


def _clearings(revisions: Mapping[int, int]) -> list[tuple[datetime, bytes]]:
    found = Clearing.objects.filter(interval__in=list(revisions)).values_list(
        "interval_id", "revision", "interval__starts_at", "book"
    )
    return [
        (starts_at, bytes(book or b""))
        for interval_id, revision, starts_at, book in found.iterator(chunk_size=50)
        if revisions[interval_id] == revision
    ]


def _add(
    book: IntervalBook,
    point_ids: Int64Array,
    rows: Int64Array,
    values: Int64Array,
    seen: Int64Array,
) -> None:
    """Add an interval to its hour; several points of one member count as one reading."""
    at = rows[np.searchsorted(point_ids, book.metering_point_ids)]
    np.add.at(values, at, np.stack([book.import_wh, book.export_wh], axis=1))
    seen[np.unique(at)] += 1
