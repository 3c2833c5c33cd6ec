"""One participant's own data, read for them alone, some rows at a time."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

from django.db import connection

from marketplace.models import DataContract, MeteringPoint, Offer, Request
from marketplace.queries.own_data_parts import Part

_CHUNK: Final = 2_000
_JSONB: Final = 3802  # PostgreSQL's number of the type

Row = Sequence[Any]


def iterate_part(part: Part, *, participant_id: int) -> tuple[list[str], Iterator[Row]]:
    """Return the columns and rows of one part of a participant's data."""
    points = MeteringPoint.objects.filter(site__participant=participant_id)
    sold = DataContract.objects.filter(seller=participant_id).values_list("id", flat=True)
    bought = DataContract.objects.filter(buyer=participant_id).values_list("id", flat=True)
    offers = Offer.objects.filter(participant=participant_id).values_list("id", flat=True)
    requests = Request.objects.filter(participant=participant_id).values_list("id", flat=True)
    whose: dict[str, int | list[int]] = {
        "me": participant_id,
        "points": list(points.values_list("id", flat=True)),
        "contracts": [*sold, *bought],
        "offers": list(offers),
        "requests": list(requests),
    }
    cursor = connection.chunked_cursor()
    with ExitStack() as closing_on_failure:
        closing_on_failure.callback(cursor.close)
        cursor.execute(part.sql, whose)
        # The columns are known once something was fetched.
        first = cursor.fetchmany(_CHUNK)
        columns = [column.name for column in cursor.description]
        closing_on_failure.pop_all()
    # A plain cursor leaves JSON as its text.
    documents = [at for at, each in enumerate(cursor.description) if each.type_code == _JSONB]

    def rows() -> Iterator[Row]:
        try:
            chunk = first
            while chunk:
                for row in chunk:
                    yield _read(row, documents) if documents else row
                chunk = cursor.fetchmany(_CHUNK)
        finally:
            cursor.close()

    return columns, rows()


def _read(row: Row, documents: Sequence[int]) -> Row:
    values = list(row)
    for at in documents:
        if isinstance(values[at], str):
            values[at] = json.loads(values[at])
    return values
