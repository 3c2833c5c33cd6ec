"""Store who sold to whom in an interval, many intervals in one COPY."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from django.db import connection

from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from marketplace.domain.auction import Matches
from marketplace.domain.interval_book import Int64Array

_COPY = """
COPY marketplace_match (offer_id, request_id, seller_point_id, buyer_point_id, sell_order_id,
    buy_order_id, agreement_id, interval_id, revision, quantity, delivered_wh, price_micro)
FROM STDIN (FORMAT BINARY)
"""

_REPEAT = """
INSERT INTO marketplace_match (offer_id, request_id, seller_point_id, buyer_point_id,
    sell_order_id, buy_order_id, agreement_id, interval_id, revision, quantity, delivered_wh,
    price_micro)
SELECT offer_id, request_id, seller_point_id, buyer_point_id, sell_order_id, buy_order_id,
    agreement_id, interval_id, revision + 1, quantity, delivered_wh, price_micro
FROM marketplace_match m JOIN unnest(%s::bigint[], %s::smallint[]) AS i(id, latest)
    ON m.interval_id = i.id AND m.revision = i.latest
ORDER BY m.id
"""


def copy_matches(stored: Iterable[tuple[int, int, Matches]]) -> None:
    """Copy matches in, given with their interval and revision."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(HEADER)
        for interval_id, revision, matches in stored:
            for rows in _alike(matches):
                copy.write(_match_rows(interval_id, revision, matches, rows))
        copy.write(TRAILER)


def repeat_matches(latest: Sequence[tuple[int, int]]) -> None:
    """Repeat the matches of intervals' latest revisions in the next: they stand as they were."""
    if latest:
        with connection.cursor() as cursor:
            cursor.execute(_REPEAT, [list(column) for column in zip(*latest, strict=True)])


def _alike(matches: Matches) -> Iterator[Int64Array]:
    """Yield the rows behind which the same kind of thing stands: each leaves the same columns."""
    agreed, ordered = matches.agreements > 0, matches.sell_orders > 0
    for chosen in (agreed, ordered, ~(agreed | ordered)):
        if len(rows := np.flatnonzero(chosen)):
            yield rows


def _match_rows(interval_id: int, revision: int, matches: Matches, rows: Int64Array) -> bytes:
    constant = np.ones(len(rows), dtype=np.int64)

    def number(values: Int64Array) -> Int64Array | None:
        return values[rows] if values[rows[0]] else None

    delivered = matches.delivered_wh[rows]
    return copy_rows(
        [
            ("int8", number(matches.offers)),
            ("int8", number(matches.requests)),
            ("int8", matches.sellers[rows]),
            ("int8", matches.buyers[rows]),
            ("int8", number(matches.sell_orders)),
            ("int8", number(matches.buy_orders)),
            ("int8", number(matches.agreements)),
            ("int8", constant * interval_id),
            ("int2", constant * revision),
            ("int8", matches.wh[rows]),
            ("int8", delivered if delivered[0] >= 0 else None),
            ("int8", matches.prices[rows]),
        ],
        rows=len(rows),
    )
