"""What verification reads of certificates: events, bundles, debts, what was exported."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from django.db import connection
from django.db.models import F, Sum

from ledger.domain.copy_format import packed_columns
from marketplace.domain.certificates.bundles import Int64Array, Moves
from marketplace.domain.certificates.check import Bundles
from marketplace.domain.certificates.rows import unit_of, unpack_moves
from marketplace.domain.interval_book import IntervalBook
from marketplace.models import (
    CertificateAccount,
    CertificateBundle,
    CertificateDebt,
    CertificateEvent,
    CertificateIssuance,
    Clearing,
    DeliveryInterval,
    ProductionDevice,
)

_BUNDLES: Final = """
COPY (
    SELECT string_agg(
        int8send(b.interval_id) || int8send(b.device_id) || int8send(b.holder_id)
            || int8send(b.first_wh) || int8send(b.last_wh) || int8send(b.state)
            || int8send(coalesce(c.event_id, 0)), '')
    FROM marketplace_certificatebundle b
    LEFT JOIN marketplace_certificatecancellation c ON c.id = b.cancellation_id
    WHERE b.interval_id = ANY(%s::bigint[])
    GROUP BY b.interval_id
) TO STDOUT (FORMAT BINARY)
"""
_HELD: Final = """
SELECT b.holder_id, d.technology,
    to_char(i.starts_at AT TIME ZONE c.timezone, 'YYYY-MM'), sum(b.last_wh - b.first_wh)::bigint
FROM marketplace_certificatebundle b
JOIN marketplace_productiondevice d ON d.id = b.device_id
JOIN marketplace_deliveryinterval i ON i.id = b.interval_id
JOIN marketplace_community c ON c.id = i.community_id
WHERE b.state = 1 GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class Holding:
    """What a member's account of one unit should hold by the bundles. [Wh]"""

    account_id: int
    unit: str
    wh: int


def list_events(*, at_once: int) -> Iterator[list[CertificateEvent]]:
    """Yield all events in their order, some at a time."""
    last = 0
    found = CertificateEvent.objects.order_by("id")
    while batch := list(found.filter(id__gt=last)[:at_once]):
        yield batch
        last = batch[-1].id


def list_certified_intervals(*, at_once: int) -> Iterator[list[int]]:
    """Yield the intervals that have certificates, or bundles without any, some at a time."""
    issued = CertificateIssuance.objects.values_list("interval_id", flat=True)
    bundled = CertificateBundle.objects.values_list("interval_id", flat=True)
    ids = sorted(set(issued.distinct()) | set(bundled.distinct()))
    for first in range(0, len(ids), at_once):
        yield ids[first : first + at_once]


def list_issued_moves(*, interval_ids: Sequence[int]) -> tuple[Moves, Int64Array]:
    """Return what issues and corrections moved of intervals, and the event of each move."""
    events = CertificateEvent.objects.filter(issuances__interval__in=interval_ids).distinct()
    return joined_moves(events.values_list("id", "moves").order_by("id").iterator(), interval_ids)


def joined_moves(
    events: Iterable[tuple[int, bytes | memoryview]], interval_ids: Sequence[int] | None = None
) -> tuple[Moves, Int64Array]:
    """Return the moves of events, of some intervals or all, and the event of each move."""
    parts, ids = [Moves.of_rows([])], [np.zeros(0, dtype=np.int64)]
    for id_, content in events:
        moves = unpack_moves(bytes(content))
        if interval_ids is not None:
            moves = moves.only(np.isin(moves.intervals, interval_ids))
        parts.append(moves)
        ids.append(np.full(len(moves), id_, dtype=np.int64))
    return Moves.joined(parts), np.concatenate(ids)


def list_bundle_columns(*, interval_ids: Sequence[int]) -> Bundles:
    """Return all bundles of intervals."""
    with connection.cursor() as cursor, cursor.copy(_BUNDLES, [list(interval_ids)]) as copy:
        copy.set_types(["bytea"])
        return Bundles(*packed_columns((piece for (piece,) in copy.rows()), 7))


@dataclass(frozen=True)
class Issued:
    """For which revision an interval has certificates, and whether it is the only one.

    ``is_current``: it is the interval's last, booked, and no reading waits to be cleared.
    """

    revision: int
    is_first: bool
    is_current: bool


def list_issued(*, interval_ids: Sequence[int]) -> dict[int, Issued]:
    """Return by interval the last revision that it has certificates for."""
    intervals = {
        id_: (revision, state >= DeliveryInterval.State.SETTLED and not has_news)
        for id_, revision, state, has_news in DeliveryInterval.objects.filter(
            id__in=interval_ids
        ).values_list("id", "revision", "state", "has_news")
    }
    issued: dict[int, Issued] = {}
    revisions = CertificateIssuance.objects.filter(interval__in=interval_ids)
    for id_, revision in revisions.order_by("revision").values_list("interval_id", "revision"):
        issued[id_] = Issued(revision, id_ not in issued, intervals[id_] == (revision, True))
    return issued


def list_interval_debts(*, interval_ids: Sequence[int]) -> dict[tuple[int, int], int]:
    """Return what is owed for an interval by its devices, less what was paid there. [Wh]"""
    entries = CertificateDebt.objects.filter(interval__in=interval_ids)
    sums = entries.values("interval_id", "device_id").annotate(sum=Sum("wh"))
    return {(each["interval_id"], each["device_id"]): each["sum"] for each in sums}


def list_booked_exports(
    *, revisions: Mapping[int, int], device_ids: Sequence[int]
) -> dict[tuple[int, int], int]:
    """Return by interval and device what the books of some revisions say was exported. [Wh]"""
    points = dict(
        ProductionDevice.objects.filter(id__in=device_ids).values_list("id", "metering_point_id")
    )
    devices_of: dict[int, list[int]] = defaultdict(list)
    for device, point in points.items():
        devices_of[point].append(device)
    exports: dict[tuple[int, int], int] = {}
    found = Clearing.objects.filter(interval__in=list(revisions))
    for interval_id, revision, content in found.values_list(
        "interval_id", "revision", "book"
    ).iterator(chunk_size=50):
        if revision != revisions[interval_id]:
            continue
        book = IntervalBook.unpacked(bytes(content))
        rows = np.flatnonzero(np.isin(book.metering_point_ids, list(devices_of)))
        for point, wh in zip(
            book.metering_point_ids[rows].tolist(), book.export_wh[rows].tolist(), strict=True
        ):
            exports.update(((interval_id, device), wh) for device in devices_of[point])
    return exports


def list_issued_intervals(*, event_ids: Sequence[int]) -> dict[int, set[int]]:
    """Return the intervals that events were issued for, by event."""
    intervals: dict[int, set[int]] = {id_: set() for id_ in event_ids}
    linked = CertificateIssuance.objects.filter(event__in=event_ids)
    for event_id, interval_id in linked.values_list(F("event_id"), F("interval_id")):
        intervals[event_id].add(interval_id)
    return intervals


def list_holdings() -> list[Holding]:
    """Return every member's certificate account with what the bundles say it holds."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD)
        held = {
            (holder, unit_of(technology, month)): wh
            for holder, technology, month, wh in cursor.fetchall()
        }
    accounts = CertificateAccount.objects.filter(participant__isnull=False)
    holdings = [
        Holding(account, unit, held.pop((participant, unit), 0))
        for participant, unit, account in accounts.values_list(
            F("participant_id"), "unit", "account_id"
        )
    ]
    # Who holds some without an account of theirs holds them nowhere.
    return [*holdings, *(Holding(0, unit, wh) for (_, unit), wh in held.items())]
