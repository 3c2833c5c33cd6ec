"""Copy members' days in, thousands at once."""

from collections.abc import Mapping
from datetime import date
from typing import Final

import numpy as np
from django.db import connection

from analytics.domain.day_sums import Int64Array
from ledger.domain.copy_format import HEADER, TRAILER, copy_rows

_EPOCH: Final = date(2000, 1, 1)  # of dates in PostgreSQL's binary format
_COLUMNS: Final = (
    *("interval_count", "import_wh", "export_wh", "bought_wh", "sold_wh"),
    *("agreed_bought_wh", "agreed_sold_wh", "grid_import_wh", "grid_export_wh"),
    *("pool_sale_micro", "grid_sale_micro", "pool_purchase_micro", "grid_purchase_micro"),
    *("other_micro", "alone_micro", "platform_fee_micro", "agreed_micro", "grid_fee_micro"),
    *("alone_sale_micro", "agreed_sold_alone_micro", "agreed_bought_alone_micro"),
)


def copy_members(
    *,
    community_id: int,
    day: date,
    participant_ids: Int64Array,
    columns: Mapping[str, Int64Array],
) -> None:
    """Copy in the day of each member that did anything; absent columns are zero."""
    nothing = np.zeros(len(participant_ids), dtype=np.int64)
    values = [columns.get(name, nothing) for name in _COLUMNS]
    did = np.zeros(len(participant_ids), dtype=np.bool_)
    for each in values:
        did |= each != 0
    count = int(did.sum())
    same = np.ones(count, dtype=np.int64)
    rows = copy_rows(
        [
            ("int8", participant_ids[did]),
            ("int8", same * community_id),
            ("int4", same * (day - _EPOCH).days),
            ("int4", values[0][did]),
            *(("int8", each[did]) for each in values[1:]),
        ],
        rows=count,
    )
    names = ", ".join(("participant_id", "community_id", "day", *_COLUMNS))
    statement = f"COPY analytics_memberday ({names}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(HEADER + rows + TRAILER)
