"""What the gate says of its own work: what was taken away and why, and what risk is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gate.cascade import Told
from gate.columns import ColumnFate
from gate.manifest import canonical_json
from gate.policy import Policy
from gate.uniqueness import Uniqueness, rounded

REPORT_PART: Final = "privacy-report.json"
TYPE: Final = "heliopolis/privacy-report/1"

TOTALS_OF: Final = {"shown": "of-shown-cells", "all": "of-all-trips"}

# What no rule here takes away; pages translate the codes.
RISKS: Final = {
    "people-not-counted": "No column comes near to a person: the minimum counts trips, and ten"
    " trips may be one person's.",
    "person-by-proxy": "People are counted by a column that only comes near to them.",
    "no-limit-for-one": "One person may hold most of a group.",
    "left-over": "A cell of a longer period holds trips whose hours were below the minimum.",
    "same-time-again": "An earlier version covers some of this time: the difference of both tables"
    " tells of trips that were added or corrected in between.",
    "known-others": "Who knows all trips of a group but one knows that one too.",
    "same-answer": "Where a place leads to one other place only, who started there went there.",
}


@dataclass(frozen=True)
class LevelShare:
    """What was told at one level."""

    period: str
    area: str
    trips: int
    cells: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """The privacy report of one version.

    Figures of rows that were taken away are rounded to multiples of the minimum group: exact ones
    would be totals of what is not shown. Trips and cells that are shown are exact.
    """

    policy: Policy
    rows_in: int
    rows_out: int
    left_out: dict[str, int]
    told: Told
    columns: tuple[ColumnFate, ...]
    person_column: str
    person_is_told: bool
    levels: tuple[LevelShare, ...]
    before: tuple[Uniqueness, ...]
    after: tuple[Uniqueness, ...]
    areas_joined: int
    previous_sha256: str | None = None

    def risks(self) -> list[str]:
        """Return codes of `RISKS`."""
        policy = self.policy
        found = []
        if not self.person_column or policy.minimum_distinct == 0:
            found.append("people-not-counted")
        elif not self.person_is_told:
            found.append("person-by-proxy")
        if policy.dominance_percent == 100 or not self.person_column:
            found.append("no-limit-for-one")
        if sum(1 for level in self.levels if level.cells) > 1:
            found.append("left-over")
        if self.previous_sha256:
            found.append("same-time-again")
        return [*found, "known-others", "same-answer"]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values, in a stable order."""
        step = self.policy.minimum_group
        told = self.told
        return {
            "type": TYPE,
            "format": "trips",
            "policy": self.policy.as_json(),
            "policy_sha256": self.policy.sha256,
            "previous_sha256": self.previous_sha256,
            "rounded_to": step,
            "rows_in": rounded(self.rows_in, step),
            "rows_out": self.rows_out,
            "left_out": {code: rounded(n, step) for code, n in sorted(self.left_out.items()) if n},
            "suppressed": {
                "rows": rounded(told.lost, step),
                "below-minimum": rounded(told.lost_small, step),
                "too-few-people": rounded(told.lost_few_people, step),
                "mostly-one-person": rounded(told.lost_dominated, step),
            },
            "columns": [each.as_json() for each in self.columns],
            "person_column": self.person_column,
            "levels": [
                {
                    "period": each.period,
                    "area": each.area,
                    "rows": each.trips,
                    "cells": each.cells,
                }
                for each in self.levels
            ],
            "areas_joined": self.areas_joined,
            "totals": TOTALS_OF[self.policy.totals],
            "uniqueness": {
                "before": [each.as_json(step) for each in self.before],
                "after": [each.as_json(1) for each in self.after],
            },
            "risks": self.risks(),
        }

    def to_bytes(self) -> bytes:
        """Return the part ``privacy-report.json``: canonical, so that its hash says it all."""
        return canonical_json(self.as_json())
