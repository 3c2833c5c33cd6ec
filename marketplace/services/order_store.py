"""Write orders down: batches, rows by COPY, the holds that vouch for them, news of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from django.db import connection

from ledger.domain.commands import Command, Int64Array, TransferKind, Transfers
from ledger.services import submit
from marketplace.domain.forward.auction_book import hold_command_key
from marketplace.domain.forward.orders import NO_TIME, OrderColumns, hold_amounts
from marketplace.domain.transfer_codes import TransferCode
from marketplace.models import CreditLine, OrderBatch

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NULL: Final = r"\N"
# Text, not binary: it is the one format with names of their own that NumPy need not know, and the
# server spends its time on keys and indexes either way.
_COPY: Final = """
COPY marketplace_order (id, batch_id, interval_id, participant_id, metering_point_id, zone_id, side,
    limit_price_micro_per_kwh, quantity_wh, minimum_wh, margin_micro_per_kwh, client_key,
    expires_at, is_dropped, received_at) FROM STDIN
"""
_TELL_OF_BATCHES: Final = """
INSERT INTO marketplace_orderevent (participant_id, transaction_number, body, created_at)
SELECT b.participant_id, pg_current_xact_id()::text::bigint,
    jsonb_build_object('event', %(event)s::text, 'batch', b.id, 'interval', b.interval_id,
        'starts_at', to_char(i.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        'refusal', b.refusal),
    %(now)s
FROM marketplace_orderbatch b JOIN marketplace_deliveryinterval i ON i.id = b.interval_id
WHERE b.id = ANY(%(ids)s) ORDER BY b.id
"""


@dataclass(frozen=True, eq=False)
class AdmittedOrders:
    """Orders that nothing speaks against, as columns beside what they were sent as.

    ``rows`` are their places among ``orders``; the other columns have one entry for each of them.
    """

    orders: OrderColumns
    rows: Int64Array
    participants: Int64Array
    interval_ids: Int64Array
    zone_ids: Int64Array
    rates: Int64Array


def store_orders(
    admitted: AdmittedOrders, *, lines: dict[int, CreditLine], now: datetime
) -> Int64Array:
    """Store orders, one batch per participant and interval, and ask the ledger for their holds.

    Returns
    -------
    ndarray of int64
        The ids of the orders, in the order of ``admitted.rows``.
    """
    count = len(admitted.rows)
    order_ids = np.array(_reserve("marketplace_order", count), dtype=np.int64)
    pairs, batch_index = np.unique(
        np.stack([admitted.participants, admitted.interval_ids], axis=1),
        axis=0,
        return_inverse=True,
    )
    batch_index = batch_index.reshape(-1)
    batch_ids = _reserve("marketplace_orderbatch", len(pairs))
    amounts = hold_amounts(
        admitted.orders.quantities_wh[admitted.rows], admitted.rates, batch_index, len(pairs)
    )
    batches = [
        OrderBatch(
            id=batch_id,
            participant_id=participant_id,
            interval_id=interval_id,
            hold_micro=amount,
            received_at=now,
        )
        for batch_id, (participant_id, interval_id), amount in zip(
            batch_ids, pairs.tolist(), amounts, strict=True
        )
    ]
    OrderBatch.objects.bulk_create(batches, batch_size=2000)
    _copy(admitted, order_ids, np.array(batch_ids, dtype=np.int64)[batch_index], now)
    submit_holds(batches, lines=lines, now=now)
    tell_of_batches(batch_ids, event="received", now=now)
    return order_ids


def reserve_batch_ids(count: int) -> list[int]:
    """Reserve ids of batches: a hold's command carries its batch's id."""
    return _reserve("marketplace_orderbatch", count)


def submit_holds(
    batches: Sequence[OrderBatch], *, lines: dict[int, CreditLine], now: datetime
) -> None:
    """Ask the ledger for the first hold of new batches."""
    submit(commands=[_hold(each, lines[each.participant_id]) for each in batches], submitted_at=now)


def changed_hold(batch: OrderBatch, line: CreditLine, *, amount_micro: int) -> Command:
    """Return the command that releases a batch's hold and takes a smaller one, or none, for it.

    The one is given back before the other is taken, in one command: no limit can refuse it, and
    the orders that still stand are vouched for all the time.
    """
    before = hold_command_key(batch.id, batch.change_count)
    old = f"{before}/{1 if batch.change_count else 0}"
    legs = [(batch.hold_micro, TransferKind.RELEASE, old)]
    if amount_micro:
        legs.append((amount_micro, TransferKind.HOLD, ""))
    return Command.of(
        hold_command_key(batch.id, batch.change_count + 1), _margin_transfers(line, legs)
    )


def tell_of_batches(batch_ids: Sequence[int], *, event: str, now: datetime) -> None:
    """Write news of batches for those who listen; the transaction's number is their order."""
    if not batch_ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_TELL_OF_BATCHES, {"ids": list(batch_ids), "event": event, "now": now})


def _hold(batch: OrderBatch, line: CreditLine) -> Command:
    legs = [(batch.hold_micro, TransferKind.HOLD, "")]
    return Command.of(hold_command_key(batch.id), _margin_transfers(line, legs))


def _margin_transfers(line: CreditLine, legs: list[tuple[int, TransferKind, str]]) -> Transfers:
    count = len(legs)
    return Transfers(
        debit=np.full(count, line.account_id, dtype=np.int64),
        credit=np.full(count, line.margin_account_id, dtype=np.int64),
        amount=np.array([amount for amount, _, _ in legs], dtype=np.int64),
        code=np.full(count, TransferCode.MARGIN, dtype=np.int64),
        kind=np.array([kind for _, kind, _ in legs], dtype=np.int64),
        holds=[ended for _, _, ended in legs],
    )


def _reserve(table: str, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [table, count],
        )
        return [id_ for (id_,) in cursor.fetchall()]


def _copy(
    admitted: AdmittedOrders, order_ids: Int64Array, batch_ids: Int64Array, now: datetime
) -> None:
    orders, rows = admitted.orders, admitted.rows
    count = len(rows)

    def written(values: Int64Array) -> list[str]:
        return list(map(str, values.tolist()))

    keys = [orders.keys[row] or _NULL for row in rows.tolist()]
    columns = [
        written(order_ids),
        written(batch_ids),
        written(admitted.interval_ids),
        written(admitted.participants),
        written(orders.metering_point_ids[rows]),
        written(admitted.zone_ids),
        written(orders.sides[rows]),
        written(orders.limits[rows]),
        written(orders.quantities_wh[rows]),
        written(orders.minimums_wh[rows]),
        written(admitted.rates),
        keys,
        _moments(orders.expires_us[rows]),
        ["f"] * count,
        [now.isoformat()] * count,
    ]
    text = "\n".join(map("\t".join, zip(*columns, strict=True))) + "\n"
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(text)


def _moments(values_us: Int64Array) -> list[str]:
    """Write moments as COPY reads them; a batch has few of them, and most orders none."""
    unique, inverse = np.unique(values_us, return_inverse=True)
    texts = [
        _NULL if value == NO_TIME else (_EPOCH + timedelta(microseconds=value)).isoformat()
        for value in unique.tolist()
    ]
    return [texts[index] for index in inverse.tolist()]
