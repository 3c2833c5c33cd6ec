"""What issuing reads: intervals that wait for certificates, their metered export, their sales."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import Exists, Max, Min, OuterRef, Sum

from ledger.domain.copy_format import packed_columns
from marketplace.domain.certificates.bundles import Exports, Move, Sales
from marketplace.domain.certificates.corrections import Before, IssuedBundle, Target
from marketplace.domain.certificates.rows import unpack_moves
from marketplace.models import (
    CertificateBundle,
    CertificateDebt,
    CertificateIssuance,
    DeliveryInterval,
    MeteringPoint,
    ProductionDevice,
    Reading,
)

# News go into a clearing first: until then the newest readings are not what was booked.
_DUE = """
SELECT i.id, i.starts_at, i.revision
FROM marketplace_deliveryinterval i
WHERE i.community_id = %(community)s AND i.state >= 4 AND NOT i.has_news
    AND i.starts_at >= (
        SELECT min(d.active_from) FROM marketplace_productiondevice d
        JOIN marketplace_meteringpoint m ON m.id = d.metering_point_id
        WHERE m.community_id = %(community)s)
    AND NOT EXISTS (
        SELECT FROM marketplace_certificateissuance c
        WHERE c.interval_id = i.id AND c.revision = i.revision)
ORDER BY i.starts_at LIMIT %(limit)s FOR NO KEY UPDATE OF i SKIP LOCKED
"""

# An estimate is no metering: its certificates come with the reading that replaces it.
_EXPORTS = """
COPY (
    SELECT string_agg(
        int8send(r.interval_id) || int8send(d.id) || int8send(s.participant_id)
            || int8send(r.export_wh), '' ORDER BY d.id)
    FROM unnest(%s::bigint[]) AS wanted(id)
    JOIN marketplace_deliveryinterval i ON i.id = wanted.id
    JOIN marketplace_reading r ON r.interval_id = i.id
    JOIN marketplace_productiondevice d ON d.metering_point_id = r.metering_point_id
        AND d.active_from <= i.starts_at
        AND (d.active_until IS NULL OR d.active_until > i.starts_at)
    JOIN marketplace_meteringpoint m ON m.id = r.metering_point_id
    JOIN marketplace_site s ON s.id = m.site_id
    WHERE r.export_wh > 0 AND r.quality <> 1 AND NOT EXISTS (
        SELECT FROM marketplace_reading later
        WHERE later.interval_id = r.interval_id
            AND later.metering_point_id = r.metering_point_id AND later.version > r.version)
    GROUP BY i.id ORDER BY i.id
) TO STDOUT (FORMAT BINARY)
"""

# Of what was traded ahead only what was delivered is a trade of metered energy.
_SALES = """
COPY (
    SELECT string_agg(
        int8send(i.id) || int8send(d.id) || int8send(s.participant_id)
            || int8send(coalesce(t.delivered_wh, t.quantity)), '' ORDER BY t.id)
    FROM unnest(%s::bigint[]) AS wanted(id)
    JOIN marketplace_deliveryinterval i ON i.id = wanted.id
    JOIN marketplace_match t ON t.interval_id = i.id AND t.revision = i.revision
    JOIN marketplace_meteringpoint m ON m.id = t.buyer_point_id
    JOIN marketplace_site s ON s.id = m.site_id
    JOIN marketplace_productiondevice d ON d.metering_point_id = t.seller_point_id
        AND d.active_from <= i.starts_at
        AND (d.active_until IS NULL OR d.active_until > i.starts_at)
    WHERE coalesce(t.delivered_wh, t.quantity) > 0
    GROUP BY i.id ORDER BY i.id
) TO STDOUT (FORMAT BINARY)
"""


@dataclass(frozen=True)
class DueInterval:
    """An interval whose latest revision has no certificates yet."""

    interval_id: int
    starts_at: datetime
    revision: int


def lock_due_intervals(*, community_id: int, limit: int) -> list[DueInterval]:
    """Return booked intervals without certificates, earliest first, their rows locked."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"community": community_id, "limit": limit})
        return [DueInterval(*row) for row in cursor.fetchall()]


def list_exports(*, interval_ids: Sequence[int]) -> Exports:
    """Return the metered export of intervals where a device is registered."""
    return Exports(*_columns(_EXPORTS, interval_ids))


def list_sales(*, interval_ids: Sequence[int]) -> Sales:
    """Return what was sold in the latest revision of intervals, in the order of the trades."""
    return Sales(*_columns(_SALES, interval_ids))


def _columns(statement: str, interval_ids: Sequence[int]) -> np.ndarray:
    with connection.cursor() as cursor, cursor.copy(statement, [list(interval_ids)]) as copy:
        copy.set_types(["bytea"])
        return packed_columns((piece for (piece,) in copy.rows()), 4)


def list_issued_before(*, interval_ids: Sequence[int]) -> dict[int, int]:
    """Return the intervals that have certificates, with the next number of their range."""
    latest = CertificateIssuance.objects.filter(interval__in=list(interval_ids))
    return dict(
        latest.values("interval_id")
        .annotate(end=Max("end_wh"))
        .values_list("interval_id", "end")
        .order_by("interval_id")
    )


def list_debts(*, device_ids: Collection[int] | None = None) -> dict[int, int]:
    """Return what devices owe, by device; devices that owe nothing are absent. [Wh]"""
    entries = CertificateDebt.objects.all()
    if device_ids is not None:
        entries = entries.filter(device__in=device_ids)
    sums = entries.values("device_id").annotate(sum=Sum("wh")).filter(sum__gt=0)
    return dict(sums.values_list("device_id", "sum").order_by("device_id"))


def get_before(*, interval_id: int, end_wh: int) -> Before:
    """Return the certificates of an interval as a correction finds them, their rows locked."""
    bundles = (
        CertificateBundle.objects.select_for_update(no_key=True, of=("self",))
        .filter(interval=interval_id)
        .exclude(state=CertificateBundle.State.WITHDRAWN)
        .order_by("id")
    )
    issued = [
        IssuedBundle(
            each.id,
            each.device_id,
            each.holder_id,
            each.first_wh,
            each.last_wh,
            each.state == CertificateBundle.State.ACTIVE,
        )
        for each in bundles
    ]
    entries = CertificateDebt.objects.filter(interval=interval_id)
    of_interval = dict(
        entries.values("device_id").annotate(sum=Sum("wh")).values_list("device_id", "sum")
    )
    return Before(
        interval_id=interval_id,
        end_wh=end_wh,
        bundles=sorted(issued, key=lambda each: each.first_wh),
        given=_given(interval_id),
        interval_debts=of_interval,
        debts=list_debts(),
    )


def _given(interval_id: int) -> dict[tuple[int, int], int]:
    """Return what trades gave each buyer by device: what went with them less what came back."""
    given: dict[tuple[int, int], int] = defaultdict(int)
    issuances = CertificateIssuance.objects.filter(interval=interval_id, event__isnull=False)
    for content in issuances.order_by("revision").values_list("event__moves", flat=True):
        moves = unpack_moves(bytes(content))
        moves = moves.only(moves.intervals == interval_id)
        for kind, _, device, giver, receiver, first, last in moves.columns.T.tolist():
            if kind == Move.WITH_TRADE:
                given[device, receiver] += last - first
            elif kind == Move.RETURNED:
                given[device, giver] -= last - first
    return given


def targets_of(
    *, interval_id: int, exports: Exports, sales: Sales, known_devices: Collection[int]
) -> Mapping[int, Target]:
    """Return what each device of an interval should have now; those known without export: 0."""
    own = exports.intervals == interval_id
    sold: dict[int, list[tuple[int, int]]] = defaultdict(list)
    of_interval = sales.intervals == interval_id
    for device, buyer, wh in zip(
        sales.devices[of_interval].tolist(),
        sales.buyers[of_interval].tolist(),
        sales.wh[of_interval].tolist(),
        strict=True,
    ):
        sold[device].append((buyer, wh))
    targets = {
        device: Target(producer, wh, sold[device])
        for device, producer, wh in zip(
            exports.devices[own].tolist(),
            exports.producers[own].tolist(),
            exports.wh[own].tolist(),
            strict=True,
        )
    }
    gone = ProductionDevice.objects.filter(id__in=set(known_devices) - set(targets))
    producers = gone.values_list("id", "metering_point__site__participant_id")
    return targets | {device: Target(producer, 0) for device, producer in producers}


@dataclass(frozen=True)
class ExportingMeters:
    """Metering points that have exported, whether any has a device, when the market began."""

    meters: tuple[str, ...]
    has_devices: bool
    first_start: datetime | None


def list_exporting_meters(*, community_id: int) -> ExportingMeters:
    """Return which metering points of a community have exported."""
    exporting = Reading.objects.filter(metering_point=OuterRef("pk"), export_wh__gt=0)
    meters = MeteringPoint.objects.filter(Exists(exporting), community=community_id)
    first = DeliveryInterval.objects.filter(community=community_id).aggregate(
        start=Min("starts_at")
    )
    return ExportingMeters(
        meters=tuple(meters.order_by("code").values_list("code", flat=True)),
        has_devices=ProductionDevice.objects.filter(
            metering_point__community=community_id
        ).exists(),
        first_start=first["start"],
    )
