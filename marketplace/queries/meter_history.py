"""What meters have sent over a time, as arrays, for whoever looks for patterns in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import Exists, OuterRef, Q
from numpy.typing import NDArray
from psycopg import sql

from ledger.domain.copy_format import packed_columns
from marketplace.models import DeliveryInterval, MeteringPoint, Reading

Int64Array = NDArray[np.int64]

_READINGS = """
COPY (
    SELECT string_agg(
        int8send(r.metering_point_id) || int8send(extract(epoch FROM i.starts_at)::bigint)
            || int8send(r.import_wh) || int8send(r.export_wh), '')
    FROM marketplace_deliveryinterval i
    JOIN LATERAL (
        SELECT DISTINCT ON (metering_point_id) metering_point_id, import_wh, export_wh
        FROM marketplace_reading
        WHERE interval_id = i.id AND metering_point_id = ANY({meters})
        ORDER BY metering_point_id, version DESC
    ) AS r ON true
    WHERE i.community_id = {community} AND i.starts_at >= {start} AND i.starts_at < {end}
        AND i.ends_at - i.starts_at = make_interval(mins => {minutes})
    GROUP BY i.id
) TO STDOUT (FORMAT BINARY)
"""


@dataclass(frozen=True, slots=True, eq=False)
class MeterHistory:
    """Current readings as columns of equal length, in no order. [s since 1970-01-01] and [Wh]"""

    metering_point_id: Int64Array
    start_epoch_s: Int64Array
    import_wh: Int64Array
    export_wh: Int64Array


@dataclass(frozen=True, slots=True)
class LatestReading:
    """The latest interval of a community for which any meter has sent a reading."""

    starts_at: datetime
    ends_at: datetime

    @property
    def minutes(self) -> int:
        """Length of the interval. [min]"""
        return int((self.ends_at - self.starts_at).total_seconds()) // 60


def find_latest_reading(*, community_id: int) -> LatestReading | None:
    """Return the latest interval with a reading; None before the first reading."""
    sent = Reading.objects.filter(interval=OuterRef("pk"))
    found = (
        DeliveryInterval.objects.filter(Exists(sent), community_id=community_id)
        .order_by("-starts_at")
        .values_list("starts_at", "ends_at")
        .first()
    )
    return LatestReading(*found) if found else None


def find_first_interval_start(*, community_id: int) -> datetime | None:
    """Return when the first interval of a community began; None before there is one."""
    found = DeliveryInterval.objects.filter(community_id=community_id).order_by("starts_at")
    return found.values_list("starts_at", flat=True).first()


def list_meter_ids(*, community_id: int, active_at: datetime) -> list[int]:
    """Return the metering points of a community that are active at a moment."""
    active = Q(active_until__isnull=True) | Q(active_until__gt=active_at)
    found = MeteringPoint.objects.filter(
        active, community_id=community_id, active_from__lte=active_at
    )
    return list(found.order_by("id").values_list("id", flat=True))


def read_meter_history(
    *,
    community_id: int,
    metering_point_ids: Sequence[int],
    start: datetime,
    end: datetime,
    minutes: int,
) -> MeterHistory:
    """Return the current readings of some meters in intervals that start in ``[start, end)``.

    Parameters
    ----------
    minutes : int
        Intervals of another length are left out. [min]
    """
    # Composed, since COPY takes no parameters where statements are being watched.
    statement = sql.SQL(_READINGS).format(
        meters=sql.Literal(list(metering_point_ids)),
        community=sql.Literal(community_id),
        start=sql.Literal(start),
        end=sql.Literal(end),
        minutes=sql.Literal(minutes),
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["bytea"])
        columns = packed_columns((piece for (piece,) in copy.rows()), 4)
    return MeterHistory(*columns)


def zones_of_meters(*, metering_point_ids: Sequence[int]) -> dict[int, int]:
    """Return the zone of each metering point."""
    found = MeteringPoint.objects.filter(id__in=metering_point_ids)
    return dict(found.values_list("id", "site__zone_id"))
