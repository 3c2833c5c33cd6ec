"""Listed products and open wishes as the matcher's arrays."""

from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
from django.db import connection

from marketplace.domain.data.matching import Side
from marketplace.models import DataFormat

# Later than any wish; a live feed has no last day.
_NO_END: Final = 10**7
_NO_AGE: Final = 10**12
# Data that is not about people shows no group smaller than anybody asks for.
_NO_GROUP: Final = 10**6
_FORMATS: Final = {name: index for index, name in enumerate(DataFormat.values)}

_DAYS = "({0}({1}) - DATE '0001-01-01' + 1)"
_BOX = ", ".join(
    (
        "lower(longitude), lower(latitude)",
        _DAYS.format("lower", "period"),
        "upper(longitude), upper(latitude)",
        "CASE WHEN upper_inf(period) THEN %s ELSE " + _DAYS.format("upper", "period") + " END",
    )
)
_PRODUCTS = f"""
    SELECT p.id, p.provider_id, p.format, p.kind, p.currency, {_BOX}, f.resolution_s,
        coalesce(f.age_s, %s), coalesce((p.privacy_policy->>'minimum_group')::bigint, %s),
        f.price_micro
    FROM marketplace_datafacet f JOIN marketplace_dataproduct p ON p.id = f.product_id
    WHERE p.state = 2
"""  # noqa: S608 - fixed texts, no values
_WISHES = f"""
    SELECT id, buyer_id, format, kind, currency, {_BOX}, resolution_s,
        coalesce(age_s, %s), minimum_group, limit_price_micro
    FROM marketplace_datawish WHERE state = 1
"""  # noqa: S608 - fixed texts, no values


def listed_products() -> Side:
    """Return every listed product."""
    with connection.cursor() as cursor:
        cursor.execute(_PRODUCTS, [_NO_END, _NO_AGE, _NO_GROUP])
        return _side(cursor.fetchall())


def open_wishes(*, wish_ids: Collection[int] | None = None) -> Side:
    """Return the open wishes, or some of them, by id."""
    chosen = "" if wish_ids is None else " AND id = ANY(%s)"
    values: list[Any] = [_NO_END, _NO_AGE]
    if wish_ids is not None:
        values.append(list(wish_ids))
    with connection.cursor() as cursor:
        cursor.execute(f"{_WISHES}{chosen} ORDER BY id", values)
        return _side(cursor.fetchall())


def _side(rows: Sequence[Sequence[Any]]) -> Side:
    numbers = np.array(
        [(row[0], row[1], _partition(row[2], row[3], row[4]), *row[5:]) for row in rows],
        dtype=np.int64,
    ).reshape(len(rows), 13)
    columns = np.ascontiguousarray(numbers.T)
    return Side(
        id=columns[0],
        owner=columns[1],
        partition=columns[2],
        low=columns[3:6],
        high=columns[6:9],
        resolution_s=columns[9],
        age_s=columns[10],
        group=columns[11],
        price_micro=columns[12],
    )


def _partition(format_: str, kind: int, currency: str) -> int:
    """Return one number for what must be equal."""
    return (int.from_bytes(currency.encode()) * len(_FORMATS) + _FORMATS[format_]) * 4 + kind
