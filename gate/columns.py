"""What each column of a table of trips is, and so why it stays away: told from a first piece."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from gate.errors import Refused, gettext_noop
from gate.formats.values import NUMBER, TIME, as_text
from gate.policy import Policy

SAMPLE_ROWS: Final = 50_000
FEW_KINDS: Final = 50
# Names of columns that come near to a person, where nothing is one.
NEAR_A_PERSON: Final = re.compile(r".*(zip|postal|postcode|post_code|plz).*", re.IGNORECASE)

# Why a column is not told; pages translate the codes.
PERSON, NEAR, VEHICLE = "person", "near-person", "vehicle"
IDENTIFIER, TIME_COPY = "identifier", "time"
FREE_TEXT, MEASURE, NOT_ASKED = "free-text", "measure", "not-asked-for"
EMPTY = "empty"
# Those that no policy can keep: each cell of the table would be somebody.
NEVER_KEPT: Final = frozenset({PERSON, NEAR, VEHICLE, IDENTIFIER, TIME_COPY, FREE_TEXT, MEASURE})


@dataclass(frozen=True)
class ColumnFate:
    """What became of one column: dropped, coarsened or kept, and why (a code)."""

    name: str
    fate: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "fate": self.fate, "reason": self.reason}


def person_column(names: Sequence[str], roles: Mapping[str, str], policy: Policy) -> str:
    """Return the column that counts as people: as the policy says, else what comes nearest."""
    if policy.distinct_column:
        return policy.distinct_column
    if "person" in roles:
        return roles["person"]
    near = [name for name in names if NEAR_A_PERSON.fullmatch(name)]
    return near[0] if near else roles.get("vehicle", "")


def fates(
    batches: Sequence[pa.RecordBatch], roles: Mapping[str, str], person: str, policy: Policy
) -> tuple[ColumnFate, ...]:
    """Say for each column what becomes of it.

    Raises
    ------
    Refused
        ``column-not-kept``: the policy keeps a column that tells single people or trips.
    """
    table = pa.Table.from_batches(batches)
    role_of = {column: role for role, column in roles.items()}
    found = []
    for name in table.column_names:
        role = role_of.get(name, "")
        if role in ("start", "from", "to"):
            found.append(ColumnFate(name, "coarsened", role))
            continue
        reason = _reason(name, table.column(name), role, is_person=name == person)
        if name in policy.keep_columns:
            if reason in NEVER_KEPT:
                raise Refused(
                    "column-not-kept",
                    gettext_noop("the column {column} can't be kept: it is a {reason} column"),
                    "",
                    gettext_noop("Take it out of the policy's kept columns."),
                    column=name,
                    reason=reason,
                )
            found.append(ColumnFate(name, "kept", "policy"))
        else:
            found.append(ColumnFate(name, "dropped", reason))
    return tuple(found)


def _reason(name: str, column: pa.ChunkedArray, role: str, *, is_person: bool) -> str:
    if (is_person and role != "vehicle") or role == "person":
        return PERSON
    if role == "vehicle":
        return VEHICLE
    if role == "end" or pa.types.is_temporal(column.type):
        return TIME_COPY
    text = pa.chunked_array([as_text(chunk) for chunk in column.chunks], pa.string())
    text = pc.drop_null(text)
    if not len(text):
        return EMPTY
    first = text.slice(0, 1000)
    if _mostly(first, TIME):
        return TIME_COPY
    kinds = pc.count_distinct(text).as_py()
    if kinds <= FEW_KINDS:
        return NOT_ASKED
    if kinds * 10 >= len(text) * 9:
        return IDENTIFIER
    if NEAR_A_PERSON.fullmatch(name):
        return NEAR
    return MEASURE if _mostly(first, NUMBER) else FREE_TEXT


def _mostly(text: pa.ChunkedArray, pattern: str) -> bool:
    hits = pc.sum(pc.match_substring_regex(text, pattern)).as_py()
    return bool(hits * 2 > len(text))
