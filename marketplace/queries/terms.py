"""The standing terms and readings that an interval's auction starts from."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection

from ledger.domain.copy_format import packed_columns
from marketplace.domain.auction import Places, Terms
from marketplace.domain.interval_book import Int64Array
from marketplace.domain.standing import spread_keys
from marketplace.queries.signed_terms import OrderTerms, check_orders, unsigned_limit

# Who may owe without limit: the default of Terms.credit_limits.
NO_CREDIT_LIMIT = int(np.iinfo(np.int64).max)

_TERMS = """
SELECT mp.code, mp.id, p.energy_account_id, p.credit_limit_micro,
       o.id, o.limit_price_micro, r.id, r.limit_price_micro, o.signed_terms_id, r.signed_terms_id,
       z.code, mp.voltage_level, mp.sharing_weight
FROM marketplace_meteringpoint mp
JOIN marketplace_site s ON s.id = mp.site_id
JOIN marketplace_zone z ON z.id = s.zone_id
JOIN marketplace_participant p ON p.id = s.participant_id
LEFT JOIN marketplace_offer o ON o.metering_point_id = mp.id AND NOT o.is_paused
    AND o.valid_from <= %(at)s AND (o.valid_until IS NULL OR o.valid_until > %(at)s)
LEFT JOIN marketplace_request r ON r.metering_point_id = mp.id AND NOT r.is_paused
    AND r.valid_from <= %(at)s AND (r.valid_until IS NULL OR r.valid_until > %(at)s)
WHERE mp.community_id = %(community)s
    AND mp.active_from <= %(at)s AND (mp.active_until IS NULL OR mp.active_until > %(at)s)
ORDER BY mp.code COLLATE "C"
"""

_NEXT_CHANGE = """
SELECT min(t) FROM (
    SELECT unnest(ARRAY[o.valid_from, o.valid_until]) AS t FROM marketplace_offer o
        JOIN marketplace_meteringpoint m ON m.id = o.metering_point_id
        WHERE m.community_id = %(community)s
    UNION ALL
    SELECT unnest(ARRAY[r.valid_from, r.valid_until]) FROM marketplace_request r
        JOIN marketplace_meteringpoint m ON m.id = r.metering_point_id
        WHERE m.community_id = %(community)s
    UNION ALL
    SELECT unnest(ARRAY[active_from, active_until]) FROM marketplace_meteringpoint
        WHERE community_id = %(community)s
) AS changes WHERE t > %(at)s
"""

_CURRENT_READINGS = """
COPY (
    SELECT string_agg(
        int8send(interval_id) || int8send(metering_point_id) || int8send(version)
            || int8send(import_wh) || int8send(export_wh) || int8send(quality::bigint),
        '' ORDER BY metering_point_id)
    FROM (
        SELECT DISTINCT ON (interval_id, metering_point_id) * FROM marketplace_reading
        WHERE interval_id = ANY(%s) ORDER BY interval_id, metering_point_id, version DESC
    ) AS current
    GROUP BY interval_id ORDER BY interval_id
) TO STDOUT (FORMAT BINARY)
"""


def get_terms(*, community_id: int, at: datetime) -> Terms:
    """Return who is expected to report at a moment and on what terms, in order of meter codes.

    Raises
    ------
    TermsBroken
        If terms are not what was signed: nobody is cleared on a limit that somebody else wrote.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TERMS, {"community": community_id, "at": at})
        rows = cursor.fetchall()
    check_orders(_signed_orders(rows))
    _check_unsigned(rows)

    def column(index: int, default: int = 0) -> np.ndarray:
        return np.array(
            [default if row[index] is None else row[index] for row in rows], dtype=np.int64
        )

    return Terms(
        metering_point_ids=column(1),
        account_ids=column(2),
        credit_limits=column(3, NO_CREDIT_LIMIT),
        spread_keys=spread_keys([row[0] for row in rows]),
        offer_ids=column(4),
        sell_limits=column(5),
        has_sell_limit=np.array([row[5] is not None for row in rows], dtype=np.bool_),
        request_ids=column(6),
        buy_limits=column(7),
        has_buy_limit=np.array([row[7] is not None for row in rows], dtype=np.bool_),
        places=_places([row[10] for row in rows], [row[11] for row in rows], column(12)),
    )


def _places(zones: Sequence[str], levels: Sequence[str], weights: Int64Array) -> Places:
    zone_names, level_names = sorted(set(zones)), sorted(set(levels))
    zone_at = {name: place for place, name in enumerate(zone_names)}
    level_at = {name: place for place, name in enumerate(level_names)}
    return Places(
        zones=tuple(zone_names),
        zone_of=np.array([zone_at[name] for name in zones], dtype=np.int64),
        levels=tuple(level_names),
        level_of=np.array([level_at[name] for name in levels], dtype=np.int64),
        weights=weights,
    )


def _signed_orders(rows: Sequence[Sequence[Any]]) -> Iterator[OrderTerms]:
    for row in rows:
        _code, point, _account, _limit, _offer, sell, _request, buy, offered, requested = row[:10]
        if offered is not None:
            yield OrderTerms(offered, point, True, sell)
        if requested is not None:
            yield OrderTerms(requested, point, False, buy)


def _check_unsigned(rows: Sequence[Sequence[Any]]) -> None:
    """Refuse limits without a signature: the rule set's default, which nobody signs, has none."""
    for row in rows:
        _code, point, _account, _limit, _offer, sell, _request, buy, offered, requested = row[:10]
        if (offered is None and sell is not None) or (requested is None and buy is not None):
            raise unsigned_limit(point)


def get_next_change_of_terms(*, community_id: int, after: datetime) -> datetime | None:
    """Return when any standing rule or metering point of a community next begins or ends."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_CHANGE, {"community": community_id, "at": after})
        found: datetime | None = cursor.fetchone()[0]
    return found


class TermsInForce:
    """Terms of one community, read again only where they change.

    A batch of intervals mostly runs on one set of terms; a city's are ten thousand rows.
    """

    def __init__(self, *, community_id: int) -> None:
        self.community_id = community_id
        self._terms: Terms | None = None
        self._from: datetime | None = None
        self._until: datetime | None = None

    def at(self, starts_at: datetime) -> Terms:
        """Return the terms of the interval that starts then."""
        if (
            self._terms is None
            or self._from is None
            or starts_at < self._from
            or (self._until is not None and starts_at >= self._until)
        ):
            self._terms = get_terms(community_id=self.community_id, at=starts_at)
            self._from = starts_at
            self._until = get_next_change_of_terms(community_id=self.community_id, after=starts_at)
        return self._terms


def list_current_readings(*, interval_ids: Sequence[int]) -> Int64Array:
    """Return current readings as columns: interval, meter, version, import, export, quality.

    In order of interval and metering point. An interval comes as one packed piece, since a city's
    day is a million readings.
    """
    with (
        connection.cursor() as cursor,
        cursor.copy(_CURRENT_READINGS, [list(interval_ids)]) as copy,
    ):
        copy.set_types(["bytea"])
        return packed_columns((piece for (piece,) in copy.rows()), 6)
