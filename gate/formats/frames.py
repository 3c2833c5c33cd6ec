"""What pandera says of one piece of a table, as findings without the cells it quotes."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pandera

from gate.findings import Findings

SOURCE = "pandera"


def note_failures(
    schema: pandera.DataFrameSchema,
    frame: pd.DataFrame,
    findings: Findings,
    name: str,
    *,
    first_row: int,
) -> None:
    """Validate a piece and count its failures as ``column-check``.

    pandera's own messages quote cells, and its rows count from the piece's first; neither leaves
    this function.
    """
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as found:
        cases = found.failure_cases
        for (column, check), group in cases.groupby(["column", "check"], dropna=False):
            code = f"{column}-{_word(str(check))}"
            rows = [int(row) for row in group["index"].dropna()]
            text = f"column {column}: {_word(str(check))}"
            for row in rows[: findings.limits.places]:
                place = f"{name}, line {first_row + row + 2}"
                findings.add(code, "error", text, place=place, source=SOURCE)
            count = len(group) - min(len(rows), findings.limits.places)
            findings.add(code, "error", text, count=count, source=SOURCE)


def _word(check: str) -> str:
    return {"not_nullable": "missing"}.get(check, check.split("(", 1)[0].replace("_", "-"))
