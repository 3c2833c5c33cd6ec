"""``clear --zones``: a book of several zones and its links in, trades and one JSON object out."""

from __future__ import annotations

import csv
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from django.core.management import call_command

from marketplace.management.clear_book import main

HEADER = "side,price,quantity,zone\n"
LINKS = "from,to,limit_wh,loss_ppm,fee\n"
BOOK = (
    HEADER + "bid,300000,8000,北\noffer,100000,5000,south\n"
    "offer,200000,5001,北\nbid,150000,1000,south\n"
)


class Desk:
    """A folder with a book and links in it, and a place for the trades."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.book = folder / "BOOK.csv"
        self.links = folder / "LINKS.csv"
        self.out = folder / "TRADES.csv"
        self.capsys = capsys

    def clear(self, book: str | bytes, links: str | bytes) -> tuple[int, str, str]:
        for file, content in ((self.book, book), (self.links, links)):
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        code = main([str(self.book), "--zones", str(self.links), "--out", str(self.out)])
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def trades(self) -> list[list[str]]:
        with self.out.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_zones_and_links_become_trades_and_one_json_object(desk: Desk) -> None:
    code, out, err = desk.clear(BOOK, LINKS + "south,北,2000,0,10000\n")

    assert (code, err, out.count("\n")) == (0, "", 1)
    summary = json.loads(out)
    assert summary.pop("seconds") > 0
    assert summary == {
        "volume_wh": 8001,
        "welfare_micro": "930100",
        "gap_micro": "0",
        "zones": {
            "北": {
                "price_micro_per_kwh": 300_000,
                "price_low": 300_000,
                "price_high": 300_000,
                "dual_micro_per_kwh": 300_000,
                "bought_wh": 7001,
                "sold_wh": 5001,
            },
            "south": {
                "price_micro_per_kwh": 100_000,
                "price_low": 100_000,
                "price_high": 100_000,
                "dual_micro_per_kwh": 100_000,
                "bought_wh": 1000,
                "sold_wh": 3000,
            },
        },
        "links": [
            {
                "from": "south",
                "to": "北",
                "sent_wh": 2000,
                "received_wh": 2000,
                "fee_micro": "20000",
                "rent_micro": "380000",
                "dual_micro_per_kwh": 190_000,
            }
        ],
    }
    assert desk.trades() == [
        ["bid_row", "offer_row", "quantity", "price", "zone", "to_link", "from_link"],
        ["0", "2", "5001", "300000", "北", "", ""],
        ["0", "", "2000", "300000", "北", "", "0"],
        ["3", "1", "1000", "100000", "south", "", ""],
        ["", "1", "2000", "100000", "south", "0", ""],
    ]


def test_a_loss_leaves_a_gap_that_is_told_as_a_fraction(desk: Desk) -> None:
    book = HEADER + "offer,100001,5000,a\nbid,900000,4000,b\n"

    code, out, _ = desk.clear(book, LINKS + "a,b,3001,300000,7\n")

    summary = json.loads(out)
    link = summary["links"][0]
    assert code == 0
    assert (link["sent_wh"], link["received_wh"]) == (3001, 2100)
    dual = 3001 * (Fraction(7, 10) * 900_000 - 100_001 - 7)
    welfare = 2100 * 900_000 - 3001 * (100_001 + 7)
    assert Fraction(summary["gap_micro"]) == (dual - welfare) / 1000 == 630
    assert Fraction(link["dual_micro_per_kwh"]) == Fraction(7, 10) * 900_000 - 100_008


def test_columns_may_stand_in_any_order_and_spreadsheets_add_marks_and_returns(desk: Desk) -> None:
    desk.clear(BOOK, LINKS)
    trades = desk.trades()
    rows = [line.split(",") for line in BOOK.splitlines()]
    moved = "\ufeff" + "\r\n".join(",".join((row[3], *row[:3])) for row in rows)

    code, _, _ = desk.clear(moved, "\ufeff" + LINKS.strip())

    assert code == 0
    assert desk.trades() == trades


BAD_LINKS: list[tuple[str | bytes, int, str]] = [
    ("", 1, "the file is empty; make from,to,limit_wh,loss_ppm,fee the first line"),
    ("from,to\n", 1, "the header is 'from,to'"),
    (LINKS + "south,west,1,0,0\n", 2, "to is 'west', an unknown zone; "),
    (LINKS + "south,北,1,0,0\nx,south,1,0,0\n", 3, "from is 'x', an unknown zone; "),
    (LINKS + "south,北,-1,0,0\n", 2, "the limit_wh is -1; write a number from 0"),
    (LINKS + "south,北,1,-1,0\n", 2, "the loss_ppm is -1; "),
    (LINKS + "south,北,1,1000000,0\n", 2, "the loss_ppm is 1000000; "),
    (LINKS + "south,北,1,0,1.5\n", 2, "the fee '1.5' is not a whole number; "),
    (LINKS + "south,北,1,0,nan\n", 2, "the fee 'nan' is not a whole number; "),
    (LINKS + "south,北,,0,1\n", 2, "the limit_wh '' is not a whole number; "),
    (LINKS + "south,北,1,0\n", 2, "the line has 4 fields, not 5; "),
    (LINKS + "south,south,1,0,0\n", 2, "from a zone to itself; "),
    (LINKS + "south,北,1,0,0\nsouth,北,2,0,0\n", 3, "have a link in this direction; "),
    (LINKS + "south,北,1,0,2\n北,south,1,0,-3\n", 3, "sum to less than 0; "),
    (LINKS + "\n", 2, "the line is empty; "),
    (LINKS.encode() + b"\xff\xfe,b\n", 2, "the line is not text; "),
]
BAD_BOOKS: list[tuple[str | bytes, int, str]] = [
    ("side,price,quantity\nbid,1,1\n", 1, "make side,price,quantity,zone the first line"),
    ("side,price,zone,zone\n", 1, "make side,price,quantity,zone the first line"),
    ("", 1, "the file is empty; "),
    (HEADER + "bid,1,1,a\nask,1,1,a\n", 3, "the side is 'ask'; "),
    (HEADER + "bid,1,0,a\n", 2, "the quantity is 0; "),
    (HEADER + "bid,1,1,\n", 2, "the zone is missing; "),
    (HEADER + "bid,1,1\n", 2, "the line has 3 fields, not 4; "),
    (HEADER + "bid,1,1,a\nbid,1,1, b\n", 3, "has quotes or spaces around it; "),
    (HEADER + 'bid,1,1,"b"\n', 2, "has quotes or spaces around it; "),
    (HEADER + f"bid,1,1,{'z' * 41}\n", 2, "is longer than 40 characters; "),
    (HEADER.encode() + b"bid,1,1,\xff\n", 2, "the line is not text; "),
    (HEADER + f"bid,1,{2**63}\n", 2, "the line has 3 fields"),
    (HEADER + f"bid,1,{2**62},a\nbid,1,{2**62},b\n", 3, "the bid quantities up to here sum to"),
]


@pytest.mark.parametrize(
    ("file", "content", "line", "message"),
    [("links", *bad) for bad in BAD_LINKS] + [("book", *bad) for bad in BAD_BOOKS],
)
def test_what_is_bad_is_told_by_file_and_line_and_leaves_the_trades_alone(
    desk: Desk, file: str, content: str | bytes, line: int, message: str
) -> None:
    desk.out.write_text("yesterday's trades")

    code, out, err = desk.clear(
        content if file == "book" else BOOK, content if file == "links" else LINKS
    )

    assert (code, out) == (2, "")
    assert err.startswith(f"{getattr(desk, file)}:{line}: ")
    assert message in err
    assert err.count("\n") == 1
    assert desk.out.read_text() == "yesterday's trades"
    assert sorted(os.listdir(desk.out.parent)) == ["BOOK.csv", "LINKS.csv", "TRADES.csv"]


def test_files_that_cannot_be_used_are_named(desk: Desk) -> None:
    desk.clear(BOOK, LINKS)
    book, links, out = str(desk.book), str(desk.links), str(desk.out)

    for arguments, message in (
        ([book, "--zones", links + "x", "--out", out], "No such file or directory; name a file"),
        ([book, "--zones", links, "--out", links], "is the file of links itself; name another"),
        ([book, "--zones", links, "--out", book], "is the book itself; name another"),
    ):
        assert main(arguments) == 2
        assert message in desk.capsys.readouterr().err
    assert desk.links.read_text() == LINKS


def test_the_django_command_answers_the_same(desk: Desk) -> None:
    _, out, _ = desk.clear(BOOK, LINKS + "south,北,2000,0,10000\n")

    call_command("clear", str(desk.book), zones=str(desk.links), out=str(desk.out))

    again = json.loads(desk.capsys.readouterr().out)
    assert {**json.loads(out), "seconds": 0} == {**again, "seconds": 0}
