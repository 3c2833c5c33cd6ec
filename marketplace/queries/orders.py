"""Read orders: what intake must know, the live book, one's own orders and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from django.db import connection

from marketplace.domain.forward.orders import microseconds
from marketplace.models import MeteringPoint, Order

# After every second that orders can be for.
FOR_EVER_S: Final = 2**62

_STANDING = """
SELECT o.participant_id, o.interval_id, o.side, sum(o.quantity_wh)::bigint
FROM marketplace_order o JOIN marketplace_orderbatch b ON b.id = o.batch_id
WHERE o.interval_id = ANY(%(intervals)s) AND o.participant_id = ANY(%(participants)s)
    AND b.state < 3 AND o.ended_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > %(now)s)
GROUP BY 1, 2, 3
"""


class Standing(NamedTuple):
    """Whose orders on one side of one interval."""

    participant_id: int
    interval_id: int
    side: int


@dataclass(frozen=True)
class OrderPlace:
    """A metering point as orders know it. [s since 1970-01-01 UTC]"""

    participant_id: int
    zone_id: int
    zone: str
    active_from_s: int
    active_until_s: int


def list_places(*, community_id: int, metering_point_ids: Sequence[int]) -> dict[int, OrderPlace]:
    """Return metering points of a community by id; others are absent."""
    rows = MeteringPoint.objects.filter(
        community_id=community_id, id__in=list(metering_point_ids)
    ).values_list(
        "id",
        "site__participant_id",
        "site__zone_id",
        "site__zone__code",
        "active_from",
        "active_until",
    )
    return {
        id_: OrderPlace(
            participant,
            zone_id,
            zone,
            int(begins.timestamp()),
            FOR_EVER_S if ends is None else int(ends.timestamp()),
        )
        for id_, participant, zone_id, zone, begins, ends in rows
    }


def list_known_keys(
    *, participant_ids: Sequence[int], keys: Sequence[str]
) -> dict[tuple[int, str], tuple[int, tuple[int, ...]]]:
    """Return orders placed before under a key of the member's own: id and content.

    The content is metering point, start [s], side, limit, quantity, minimum, expiry [us].
    """
    rows = Order.objects.filter(
        participant__in=list(participant_ids), client_key__in=list(keys)
    ).values_list(
        "participant_id",
        "client_key",
        "id",
        "metering_point_id",
        "interval__starts_at",
        "side",
        "limit_price_micro_per_kwh",
        "quantity_wh",
        "minimum_wh",
        "expires_at",
    )
    return {
        (participant, key or ""): (
            id_,
            (
                point,
                int(start.timestamp()),
                side,
                limit,
                quantity,
                minimum,
                microseconds(expires) if expires else 0,
            ),
        )
        for participant, key, id_, point, start, side, limit, quantity, minimum, expires in rows
    }


def list_standing(
    *, participant_ids: Sequence[int], interval_ids: Sequence[int], now: datetime
) -> dict[Standing, int]:
    """Return the energy of orders that stand, or wait for their hold, by whose they are. [Wh]"""
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDING,
            {"intervals": list(interval_ids), "participants": list(participant_ids), "now": now},
        )
        return {Standing(*key): total for *key, total in cursor.fetchall()}
