"""The hall looks at ``totals.csv`` again: a total leaves enough for hidden cells, or nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gate.errors import Refused, gettext_noop
from gate.flows import Flows, as_texts
from gate.formats.tables import open_table
from gate.formats.values import as_text
from gate.limits import Limits
from gate.line_totals import SIDES, TOTALS_PART, totals_columns

Line = tuple[str, ...]


def check_totals(path: Path, flows: Flows, limits: Limits) -> None:
    """Compare the totals with the table.

    That no hidden cell can be computed from them, only the gate at home could see.

    Raises
    ------
    Refused
        ``recheck-totals``: out of form or order, of an area or period that cannot be, or less than
        a minimum group apart from the cells that are shown.
    """
    shown = _shown(flows)
    table = open_table(path, name=TOTALS_PART, limits=limits)
    if table.names != totals_columns(flows.policy):
        raise _not(gettext_noop("the totals have other columns than the policy says"))
    known = set(flows.areas[0])
    starts = {line[0] for line in shown}
    before: tuple[object, ...] = ()
    for batch in table.batches():
        for row in zip(*(as_text(column).to_pylist() for column in batch.columns), strict=True):
            *line, trips = ("" if text is None else text for text in row)
            place = (line[0], SIDES.index(line[1]) if line[1] in SIDES else -1, *line[2:])
            rises = before < place
            before = place
            is_line = line[1] in SIDES and line[2] in known and line[0] in starts
            if not (rises and is_line and trips.isdecimal() and len(trips) < 19):
                raise _not(gettext_noop("a total is of no line of the table, or out of order"))
            apart = int(trips) - shown[tuple(line)]
            if apart and apart < flows.policy.minimum_group:
                raise _not(gettext_noop("a total gives a small group of hidden trips away"))
    if table.ragged_count:
        raise _not(gettext_noop("a total is of no line of the table, or out of order"))


def _shown(flows: Flows) -> Counter[Line]:
    """Return the shown trips of each line: period, side, area and kept values."""
    sums: Counter[Line] = Counter()
    for batch in flows.batches():
        start, _, _, a, b, *kept, trips = (each.to_pylist() for each in as_texts(batch))
        for side, area in zip(SIDES, (a, b), strict=True):
            for *line, count in zip(start, area, *kept, trips, strict=True):
                sums[line[0], side, *line[1:]] += int(count)
    return sums


def _not(text: str) -> Refused:
    remedy = gettext_noop("Run the current gate over the source again, and change nothing after.")
    return Refused("recheck-totals", text, TOTALS_PART, remedy)
