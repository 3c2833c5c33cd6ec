"""No name of a person or a place becomes a formula where a file is opened."""

import csv
import io
from datetime import UTC, date, datetime

import pytest

from marketplace.domain.certificates.energytag import (
    GranularBundle,
    granular_fields,
    written_as_csv,
)
from marketplace.domain.spreadsheet import plain_text

NOW = datetime(2026, 6, 15, tzinfo=UTC)
FORMULAS = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1+1"),
    *("\N{FULLWIDTH EQUALS SIGN}1", "\N{IDEOGRAPHIC SPACE}\N{FULLWIDTH PLUS SIGN}1"),
)


@pytest.mark.parametrize("text", FORMULAS)
def test_what_would_be_a_formula_begins_with_a_quote(text: str) -> None:
    assert plain_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Bakery = bread", "Li-Na", "", "'=1", "7-Eleven"])
def test_other_names_stay(text: str) -> None:
    assert plain_text(text) == text


def test_certificates_leave_without_formulas() -> None:
    bundle = GranularBundle(
        *(1, "active", 2, "solar", 6_000, date(2024, 5, 1), "=zone", "@market"),
        *(NOW, NOW, 0, 10),
    )
    [row] = csv.DictReader(io.StringIO(written_as_csv([granular_fields(bundle)])))
    assert (row["issue_market_zone"], row["issuing_body"]) == ("'=zone", "'@market")
    assert (row["certificate_bundle_id_range_start"], row["bundle_quantity"]) == ("0", "10")
