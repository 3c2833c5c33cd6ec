"""``clear``: a file in, trades and one JSON object out; bad books told by line, nothing touched."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

from marketplace.domain.book_file import BookInvalid, read_book
from marketplace.management.clear_book import main

ROOT = Path(__file__).resolve().parents[2]
HEADER = "side,price,quantity\n"
INT64_MAX = 2**63 - 1


class Desk:
    """A folder with a book in it and a place for the trades."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.book = folder / "BOOK.csv"
        self.out = folder / "TRADES.csv"
        self.capsys = capsys

    def clear(self, content: str | bytes) -> tuple[int, str, str]:
        self.book.write_bytes(content.encode() if isinstance(content, str) else content)
        code = main([str(self.book), "--out", str(self.out)])
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def trades(self) -> list[list[str]]:
        with self.out.open(newline="") as file:
            return list(csv.reader(file))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


MIXED = HEADER + "offer,100000,5000\nbid,300000,8000\noffer,200000,5001\nbid,50000,1\n"


def test_a_book_becomes_trades_and_one_json_object(desk: Desk) -> None:
    code, out, err = desk.clear(MIXED)

    assert (code, err, out.count("\n")) == (0, "", 1)
    summary = json.loads(out)
    assert summary.pop("seconds") > 0
    assert summary == {
        "volume_wh": 8000,
        "price_micro_per_kwh": 200_000,
        "price_low": 200_000,
        "price_high": 200_000,
        "welfare_micro": "1300000",
    }
    assert desk.trades() == [
        ["bid_row", "offer_row", "quantity", "price"],
        ["1", "0", "5000", "200000"],
        ["1", "2", "3000", "200000"],
    ]


@pytest.mark.parametrize(
    ("bids", "offers", "volume_wh", "price"),
    [
        ("5@30 5@20", "8@10", 8_000, 200_000),
        ("8@30", "5@10 5@20", 8_000, 200_000),
        ("5@30 5@12", "5@10 5@25", 5_000, 185_000),
        ("5@30 5@20", "5@10 5@20", 10_000, 200_000),
        ("5@30", "4@10 4@10", 5_000, 100_000),
    ],
)
def test_books_worked_by_hand(
    desk: Desk, bids: str, offers: str, volume_wh: int, price: int
) -> None:
    rows = [
        f"{side},{int(order.split('@')[1]) * 10_000},{int(order.split('@')[0]) * 1_000}\n"
        for side, orders in (("bid", bids), ("offer", offers))
        for order in orders.split()
    ]

    _, out, _ = desk.clear(HEADER + "".join(rows))

    summary = json.loads(out)
    assert (summary["volume_wh"], summary["price_micro_per_kwh"]) == (volume_wh, price)


@pytest.mark.parametrize(
    "rows", ["", "bid,1,1\n", "offer,1,1\n", "bid,1,1\noffer,2,1\n", "bid,-2,1\noffer,-1,1\n"]
)
def test_nothing_to_trade_is_an_answer(desk: Desk, rows: str) -> None:
    code, out, _ = desk.clear(HEADER + rows)

    summary = json.loads(out)
    assert code == 0
    assert (summary["volume_wh"], summary["welfare_micro"]) == (0, "0")
    assert summary["price_micro_per_kwh"] is summary["price_low"] is summary["price_high"] is None
    assert desk.trades() == [["bid_row", "offer_row", "quantity", "price"]]


@pytest.mark.parametrize(
    ("rows", "welfare"),
    [
        ("bid,1,1\noffer,0,1\n", "0.001"),
        ("bid,100,1\noffer,0,1\n", "0.1"),
        ("bid,-999,10\noffer,-1999,10\n", "10"),
        (
            f"bid,{INT64_MAX},{INT64_MAX}\noffer,{-INT64_MAX - 1},{INT64_MAX}\n",
            str(Decimal((0, tuple(map(int, str((2**64 - 1) * INT64_MAX))), -3))),
        ),
    ],
)
def test_welfare_is_exact_to_the_last_decimal(desk: Desk, rows: str, welfare: str) -> None:
    _, out, _ = desk.clear(HEADER + rows)

    assert json.loads(out)["welfare_micro"] == welfare


def test_spreadsheets_may_add_a_mark_and_carriage_returns_and_drop_the_last_newline(
    desk: Desk,
) -> None:
    plain = desk.clear(MIXED)[1]
    trades = desk.trades()

    code, out, _ = desk.clear(b"\xef\xbb\xbf" + MIXED.replace("\n", "\r\n").strip().encode())

    assert code == 0
    assert json.loads(out)["price_low"] == json.loads(plain)["price_low"]
    assert desk.trades() == trades


BAD_BOOKS: list[tuple[str | bytes, int, str]] = [
    ("", 1, "the file is empty; make side,price,quantity the first line"),
    ("price,side,quantity\nbid,1,1\n", 1, "the header is 'price,side,quantity'"),
    ("bid,1,1\n", 1, "the header is 'bid,1,1'"),
    (HEADER + "bid,1,1\nask,1,1\n", 3, "the side is 'ask'; write bid or offer"),
    (HEADER + "BID,1,1\n", 2, "the side is 'BID'"),
    (HEADER + "bid,1.5,1\n", 2, "the price '1.5' is a fraction; write whole micro per kWh"),
    (HEADER + "bid,1,1.0\n", 2, "the quantity '1.0' is a fraction; write whole Wh"),
    (HEADER + "bid,NaN,1\n", 2, "the price 'NaN' is not a whole number"),
    (HEADER + "bid,1,nan\n", 2, "the quantity 'nan' is not a whole number"),
    (HEADER + "bid,inf,1\n", 2, "the price 'inf' is not a whole number"),
    (HEADER + "bid,1e3,1\n", 2, "the price '1e3' is not a whole number"),
    (HEADER + "bid,1_000,1\n", 2, "the price '1_000' is not a whole number"),
    (HEADER + "bid,+1,1\n", 2, "the price '+1' is not a whole number"),
    (HEADER + "bid, 1,1\n", 2, "the price ' 1' is not a whole number"),
    (HEADER + "bid,١,1\n", 2, "the price '\\u0661' is not a whole number"),
    (HEADER + "bid,,1\n", 2, "the price is missing"),
    (HEADER + "bid,1,0\n", 2, "the quantity is 0"),
    (HEADER + "bid,1,-5\n", 2, "the quantity is '-5', below 0"),
    (HEADER + "bid,1\n", 2, "the line has 2 fields, not 3"),
    (HEADER + "bid,1,1,\n", 2, "the line has 4 fields, not 3"),
    (HEADER + "bid,1,1\n\nbid,1,1\n", 3, "the line is empty; remove it"),
    (HEADER + '"bid",1,1\n', 2, "the side is '\"bid\"'"),
    (HEADER + f"bid,{INT64_MAX + 1},1\n", 2, "is outside int64"),
    (HEADER + f"bid,{-INT64_MAX - 2},1\n", 2, "is outside int64"),
    (HEADER + f"bid,1,{INT64_MAX + 1}\n", 2, "is outside int64"),
    (
        HEADER + f"offer,1,{INT64_MAX}\nbid,1,{INT64_MAX}\nbid,1,1\nbid,1,1\n",
        4,
        "the bid quantities up to here sum to 9223372036854775808 Wh",
    ),
    (HEADER + f"offer,1,{INT64_MAX}\n" * 3, 3, "the offer quantities up to here sum to"),
    (HEADER + "bid,1,1\n" * 60_000 + "bid,1,x\n", 60_002, "the quantity 'x' is not a whole"),
    (HEADER + "bid,1," + "1" * 60_000_000, 2, "the line is longer than 1024 bytes"),
    (HEADER + "bid,1," + "1" * 60_000_000 + "\n", 2, "the line is longer than 1024 bytes"),
    (HEADER + "bid,1," + "1" * 5_000 + "\nbid,1,1\n", 2, "the line is longer than 1024 bytes"),
    ("x" * 60_000_000, 1, "the header is 'xxx"),
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", 1, "the file is not text"),
    (HEADER.encode("utf-16"), 1, "the file is not text"),
    (HEADER.encode() + b"bid,1,1\n\x00\x01\x02,\xff\n", 3, "the line is not text"),
]


@pytest.mark.parametrize(
    ("content", "line", "message"), BAD_BOOKS, ids=[message for _, _, message in BAD_BOOKS]
)
def test_a_bad_book_is_told_by_line_and_leaves_the_trades_alone(
    desk: Desk, content: str | bytes, line: int, message: str
) -> None:
    desk.out.write_text("yesterday's trades")

    code, out, err = desk.clear(content)

    assert (code, out) == (2, "")
    assert err.startswith(f"{desk.book}:{line}: ")
    assert message in err
    assert "; " in err
    assert err.count("\n") == 1
    assert len(err) < len(str(desk.book)) + 200
    assert desk.out.read_text() == "yesterday's trades"
    assert sorted(os.listdir(desk.out.parent)) == ["BOOK.csv", "TRADES.csv"]


def test_an_endless_line_is_not_read_to_its_end() -> None:
    file = io.BytesIO(HEADER.encode() + b"1" * 60_000_000)

    with pytest.raises(BookInvalid, match="longer than"):
        read_book(file)

    assert file.tell() < 1_000_000


@pytest.mark.parametrize(
    ("book", "out", "message"),
    [
        ("missing.csv", "TRADES.csv", "missing.csv: No such file or directory; name a file"),
        (".", "TRADES.csv", "Is a directory; name a file that can be read"),
        ("BOOK.csv", "missing/TRADES.csv", "TRADES.csv: No such file or directory; name a file"),
        ("BOOK.csv", ".", "Is a directory; name a file that can be written"),
        ("BOOK.csv", "BOOK.csv", "is the book itself; name another file"),
    ],
)
def test_files_that_cannot_be_used(desk: Desk, book: str, out: str, message: str) -> None:
    desk.book.write_text(MIXED)
    folder = desk.book.parent

    code = main([str(folder / book), "--out", str(folder / out)])

    assert code == 2
    assert message in desk.capsys.readouterr().err
    assert desk.book.read_text() == MIXED
    assert os.listdir(folder) == ["BOOK.csv"]


def test_a_full_disk_leaves_the_old_trades_and_no_partial_file(desk: Desk) -> None:
    desk.out.write_text("old")
    desk.book.write_text(MIXED)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        code = main([str(desk.book), "--out", str(desk.out)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert code == 2
    assert "File too large; name a file that can be written" in desk.capsys.readouterr().err
    assert desk.out.read_text() == "old"
    assert sorted(os.listdir(desk.out.parent)) == ["BOOK.csv", "TRADES.csv"]


def test_a_pipe_or_device_is_written_to_and_not_replaced(desk: Desk, tmp_path: Path) -> None:
    desk.book.write_text(MIXED)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        code = main([str(desk.book), "--out", str(pipe)])
        written = os.read(reader, 10_000).decode()
    finally:
        os.close(reader)

    assert code == 0
    assert written.startswith("bid_row,offer_row,quantity,price\n1,0,5000,200000\n")
    assert pipe.is_fifo()


def test_a_link_to_the_trades_stays_a_link_and_keeps_its_file_private(desk: Desk) -> None:
    real = desk.out.with_name("real.csv")
    real.write_text("old")
    real.chmod(0o600)
    desk.out.symlink_to(real)

    assert desk.clear(MIXED)[0] == 0

    assert desk.out.is_symlink()
    assert real.read_text().startswith("bid_row")
    assert real.stat().st_mode & 0o777 == 0o600


def test_the_django_command_answers_the_same(desk: Desk) -> None:
    _, out, _ = desk.clear(MIXED)
    trades = desk.trades()
    desk.out.unlink()

    call_command("clear", str(desk.book), out=str(desk.out))

    again = json.loads(desk.capsys.readouterr().out)
    assert again["welfare_micro"] == json.loads(out)["welfare_micro"]
    assert desk.trades() == trades
    desk.book.write_text("nothing of a book")
    with pytest.raises(SystemExit) as ended:
        call_command("clear", str(desk.book), "--out", str(desk.out))
    assert ended.value.code == 2


def test_manage_py_clears_without_django_or_a_server(desk: Desk, tmp_path: Path) -> None:
    desk.book.write_text(MIXED)
    environment = {"PATH": os.environ["PATH"], "HELIOPOLIS_STATE": str(tmp_path / "state")}

    ended = subprocess.run(
        [
            *(sys.executable, "-X", "importtime", "manage.py", "clear"),
            *(str(desk.book), "--out", str(desk.out)),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(ended.stdout)["volume_wh"] == 8000
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in ended.stderr.split("\n")}
    assert "numpy" in imported
    assert not imported & {"django", "pandas", "psycopg", "celery", "redis"}
    assert not (tmp_path / "state").exists()
