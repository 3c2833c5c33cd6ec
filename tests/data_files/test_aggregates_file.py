"""A file of aggregates holds counts, and nothing about anybody."""

import hashlib

import pytest

from marketplace.domain.aggregates_file import FILE_MAX_BYTES, check_aggregates
from marketplace.domain.data_matching import DataTerms
from marketplace.errors import AggregatesInvalid
from tests.data_files.people import CONTENT, OFFERED

TERMS = DataTerms.checked(OFFERED, currency="CNY", is_offer=True)
HEADER = "area,start,minutes,trips_out,trips_in\n"
ROW = "Old Town,2026-06-01T00:00:00+08:00,60,12,9\n"


@pytest.mark.parametrize(
    "content",
    [
        CONTENT,
        b"\xef\xbb\xbf" + CONTENT,
        CONTENT.replace(b"\n", b"\r\n"),
        CONTENT.rstrip(b"\n"),
        (HEADER + '"Old Town, north",2026-06-01T00:00+08:00,60,0,999999999999\n').encode(),
        (HEADER + "山城,2026-05-31T16:00:00Z,60,,\n").encode(),
    ],
)
def test_accepts(content: bytes) -> None:
    found = check_aggregates(content, terms=TERMS)

    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert found.byte_count == len(content)
    assert found.row_count in (1, 2)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        (HEADER, 2),
        ("trip_id," + HEADER + ROW, 1),
        (HEADER.replace("trips_in", "rider") + ROW, 1),
        (HEADER.upper() + ROW, 1),
        (HEADER + ROW.replace(",9", ""), 2),
        (HEADER + ROW.replace(",9", ",9,9"), 2),
        (HEADER + ROW + "\n" + ROW, 3),
        (HEADER + ROW + ROW, 3),
        (HEADER + ROW + ROW.replace("T00:00:00+08:00", "T00:00+08:00"), 3),
        (HEADER + ROW.replace("2026-06-01T00:00:00+08:00", "2026-05-31T16:00Z") + ROW, 3),
        (HEADER + ROW.replace("+08:00", ""), 2),
        (HEADER + ROW.replace("2026-06-01", "2026-06-09"), 2),
        (HEADER + ROW.replace("2026-06-01", "2026-05-31"), 2),
        (HEADER + ROW.replace("2026-06-01", "0001-01-01"), 2),
        (HEADER + ROW.replace(",60,", ",15,"), 2),
        (HEADER + ROW.replace("12", "-1"), 2),
        (HEADER + ROW.replace("12", "1.5"), 2),
        (HEADER + ROW.replace("12", "NaN"), 2),
        (HEADER + ROW.replace("12", "1_2"), 2),
        (HEADER + ROW.replace("12", "１２"), 2),
        (HEADER + ROW.replace("12", "²"), 2),
        (HEADER + ROW.replace("12", " 12"), 2),
        (HEADER + ROW.replace("12", "1" * 13), 2),
        (HEADER + ROW.replace("Old Town", "=HYPERLINK(1)"), 2),
        (HEADER + ROW.replace("Old Town", " "), 2),
        (HEADER + ROW.replace("Old Town", "Old\0Town"), 2),
        (HEADER + ROW.replace("Old Town", '"Old\nTown"'), 2),
        (HEADER + ROW.replace("Old Town", "x" * 2000), 2),
    ],
)
def test_refuses_and_names_the_line(text: str, line: int) -> None:
    with pytest.raises(AggregatesInvalid) as caught:
        check_aggregates(text.encode(), terms=TERMS)
    assert caught.value.line == line


def test_refuses_what_is_not_text_or_too_large() -> None:
    with pytest.raises(AggregatesInvalid) as caught:
        check_aggregates(CONTENT + b"\xff\xfe", terms=TERMS)
    assert caught.value.line == CONTENT.count(b"\n") + 1
    with pytest.raises(AggregatesInvalid, match="bytes"):
        check_aggregates(b"x" * (FILE_MAX_BYTES + 1), terms=TERMS)
