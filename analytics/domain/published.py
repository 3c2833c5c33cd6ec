"""The text of a publication: canonical, hashed, logged; and figures read back from it.

The format is in ``docs/figures.md``. Values are integers, so that every reader reads the same.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from analytics.domain.figures import Basis, Energies, EnergyBucket, Flow, SavingsSpread

FORMAT: Final = "heliopolis-figures/1"
SUMS: Final = (
    *("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"),
    *("priced_wh", "priced_micro"),
)
DAY_COLUMNS: Final = (
    *("day", "start", "end", "interval_count", "meters_min", *SUMS),
    *("retail_micro_per_kwh", "feed_in_micro_per_kwh"),
)
HOUR_COLUMNS: Final = ("hour", "day_count", *SUMS)
FLOW_COLUMNS: Final = ("from_zone_id", "from_group", "to_zone_id", "to_group", "wh", "value_micro")


def canonical_text(document: dict[str, Any]) -> str:
    """Return the one way to write a publication down."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def text_hash(text: str) -> str:
    """Return the SHA-256 that is logged, as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def moment_text(moment: datetime) -> str:
    """Return a moment in UTC to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day_rows(buckets: Iterable[EnergyBucket]) -> list[list[Any]]:
    """Return days as rows of ``DAY_COLUMNS``."""
    return [
        [
            each.day.isoformat(),
            moment_text(each.energies.start),
            moment_text(each.energies.end),
            each.energies.interval_count,
            each.energies.meters_min,
            *(getattr(each.energies, name) for name in SUMS),
            each.retail_micro_per_kwh,
            each.feed_in_micro_per_kwh,
        ]
        for each in buckets
    ]


def hour_rows(hours: Iterable[tuple[int, Energies]]) -> list[list[int]]:
    """Add up hours by their place in the civil day, as rows of ``HOUR_COLUMNS``."""
    found: dict[int, list[int]] = {}
    for hour, energies in hours:
        row = found.setdefault(hour, [0] * (1 + len(SUMS)))
        row[0] += 1
        for index, name in enumerate(SUMS, 1):
            row[index] += getattr(energies, name)
    return [[hour, *found[hour]] for hour in sorted(found)]


def flow_rows(flows: Iterable[Flow]) -> list[list[Any]]:
    """Return flows as rows of ``FLOW_COLUMNS``."""
    return [[getattr(flow, name) for name in FLOW_COLUMNS] for flow in flows]


def read_days(of: str, rows: Iterable[Sequence[Any]]) -> list[EnergyBucket]:
    """Read back what `day_rows` wrote."""
    return [
        EnergyBucket(
            _moment(start),
            date.fromisoformat(day),
            Energies(of, _moment(start), _moment(end), *values),
            retail,
            feed_in,
        )
        for day, start, end, *values, retail, feed_in in rows
    ]


def read_flows(rows: Iterable[Sequence[Any]]) -> list[Flow]:
    """Read back what `flow_rows` wrote; how many members an end has is not published."""
    return [Flow(*[*row, 0, 0]) for row in rows]


def read_savings(month: date, rows: Iterable[dict[str, Any]]) -> list[SavingsSpread]:
    """Read savings back."""
    return [
        SavingsSpread(**{**row, "month": month, "deciles_ppm": tuple(row["deciles_ppm"])})
        for row in rows
    ]


def read_basis(written: dict[str, Any]) -> Basis:
    """Read back what figures were made from."""
    return Basis(
        as_of=_moment(written["as_of"]),
        interval_count=written["interval_count"],
        settled_count=written["settled_count"],
        final_count=written["final_count"],
        missing_count=written["missing_count"],
        rule_set_ids=tuple(each["id"] for each in written["rule_sets"]),
    )


def added_energies(of: str, parts: Sequence[Energies]) -> Energies | None:
    """Add up energies of one scope; None of none."""
    if not parts:
        return None
    return Energies(
        of,
        min(each.start for each in parts),
        max(each.end for each in parts),
        sum(each.interval_count for each in parts),
        min(each.meters_min for each in parts),
        *(sum(getattr(each, name) for each in parts) for name in SUMS),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
