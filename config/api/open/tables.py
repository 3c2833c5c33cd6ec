"""Published figures as rows: what CSV files hold, of one publication or of all months."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from analytics.domain.published import DAY_COLUMNS, FLOW_COLUMNS, HOUR_COLUMNS
from marketplace.domain.spreadsheet import plain_text

_ABOUT: Final = ("community", "month", "revision")
COLUMNS: Final[dict[str, Sequence[str]]] = {
    "days": (*_ABOUT, "zone_id", "zone", *DAY_COLUMNS),
    "hours": (*_ABOUT, *HOUR_COLUMNS),
    "flows": (*_ABOUT, *FLOW_COLUMNS),
    "savings": (
        *(*_ABOUT, "group", "member_count", "trading_count", "gaining_count"),
        *("saved_micro", "alone_micro"),
    ),
}


def rows_of(document: dict[str, Any], table: str) -> Iterator[Sequence[object]]:
    """Yield the rows of one table of a publication."""
    about = (
        plain_text(document["community"]["name"]),
        document["month"],
        document["revision"],
    )
    if table == "days":
        names = {f"zone:{zone['id']}": zone for zone in document["zones"]}
        for scope in sorted(document["days"]):
            zone = names.get(scope, {"id": 0, "name": ""})
            for row in document["days"][scope]:
                yield (*about, zone["id"], plain_text(zone["name"]), *row)
    elif table == "savings":
        for each in document["savings"]:
            yield (*about, *(each[name] for name in COLUMNS["savings"][len(about) :]))
    else:
        for row in document["hours_of_day" if table == "hours" else "flows"]:
            yield (*about, *row)


def csv_text(documents: Iterable[dict[str, Any]], table: str) -> str:
    """Return a table of some publications as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS[table])
    for document in documents:
        writer.writerows(rows_of(document, table))
    return text.getvalue()
