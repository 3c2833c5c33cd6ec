"""The worked example of docs/rules.md: a morning hour of the demo's homes, in three revisions.

H03's reading misses the deadline, comes before the correction deadline, and H09's is corrected to
nothing after it. H06 and H07 sell at one limit, so they share what is left.
"""

import csv
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ledger.domain.commands import Transfers
from marketplace.domain.auction import Metered, Terms, clear_interval_book
from marketplace.domain.book_rows import BookHeader, Reason, book_key, book_rows
from marketplace.domain.interval_book import IntervalBook, LateReadings
from marketplace.domain.rules import canonical_bytes, load_rules, preset, rules_hash
from marketplace.domain.settlement import (
    CommunityAccounts,
    entries_of,
    settlement_key,
    transfers_between,
)
from marketplace.domain.standing import spread_keys

PROJECT = Path(__file__).resolve().parent.parent.parent
VECTORS = PROJECT / "docs" / "examples" / "interval_books.json"

START = "2026-06-15T06:00:00+08:00"
METERS = [f"H{number:02d}" for number in range(1, 10)]
SEED = bytes(range(32))
ACCOUNTS = CommunityAccounts(pool=1, supplier=2, platform=3, rounding=4)
SHARED_LIMIT = 304_000
INTERVAL_ID = 7


def example() -> dict[str, Any]:
    """Return what the vectors hold, computed by our own code."""
    rules_text = canonical_bytes(preset("demo")).decode()
    first, second = _cleared(without="H03"), _cleared(without=None)
    point, account, nothing = (np.array([number], dtype=np.int64) for number in (9, 13, 0))
    third = second.amended(LateReadings(point, account, nothing, nothing))
    revisions: list[tuple[Reason, IntervalBook, IntervalBook | None]] = [
        ("deadline", first, None),
        ("correction", second, first),
        ("after_deadline", third, second),
    ]
    return {
        "rules": rules_text,
        "rules_sha256": rules_hash(preset("demo")),
        "seed": b64encode(SEED).decode(),
        "revisions": [
            _revision(number, reason, book, before)
            for number, (reason, book, before) in enumerate(revisions, start=1)
        ],
    }


def write_vectors() -> None:
    """Write the vectors anew; they are frozen, so only a new version of the rules may."""
    VECTORS.write_text(json.dumps(example(), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _cleared(without: str | None) -> IntervalBook:
    readings = {meter: flows for meter, flows in _readings().items() if meter != without}
    count = len(METERS)
    own_limit = np.array([meter in ("H06", "H07") for meter in METERS], dtype=np.bool_)
    numbers = np.arange(1, count + 1, dtype=np.int64)
    terms = Terms(
        metering_point_ids=numbers,
        account_ids=numbers + 4,
        credit_limits=np.full(count, np.iinfo(np.int64).max),
        spread_keys=spread_keys(METERS),
        offer_ids=numbers + 10,
        sell_limits=np.where(own_limit, SHARED_LIMIT, 0),
        has_sell_limit=own_limit,
        request_ids=numbers + 20,
        buy_limits=np.zeros(count, dtype=np.int64),
        has_buy_limit=np.zeros(count, dtype=np.bool_),
    )
    points = [METERS.index(meter) + 1 for meter in readings]
    metered = Metered(
        *(
            np.array(column, dtype=np.int64)
            for column in (points, *zip(*readings.values(), strict=True))
        )
    )
    return clear_interval_book(
        terms=terms,
        metered=metered,
        prices=load_rules(preset("demo")).prices_at(datetime.fromisoformat(START)),
        over_limit=np.zeros(count, dtype=np.bool_),
    ).book


def _readings() -> Mapping[str, tuple[int, int]]:
    """Return import and export of the hour. [Wh]"""
    with (PROJECT / "fixtures" / "homes_summer_week.csv").open(newline="") as file:
        return {
            row["meter"]: (int(row["import_wh"]), int(row["export_wh"]))
            for row in csv.DictReader(file)
            if row["start"] == START and row["meter"] in METERS
        }


def _revision(
    number: int, reason: Reason, book: IntervalBook, before: IntervalBook | None
) -> dict[str, Any]:
    starts_at = datetime.fromisoformat(START)
    header = BookHeader(
        community_id=1,
        interval_id=INTERVAL_ID,
        revision=number,
        reason=reason,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=1),
        timezone="Asia/Shanghai",
        accounts=ACCOUNTS,
    )
    rows = book_rows(header, book)
    transfers = transfers_between(
        entries_of(before, ACCOUNTS) if before else None, entries_of(book, ACCOUNTS)
    )
    assert transfers is not None
    key = book_key(INTERVAL_ID, number)
    return {
        "document_key": key,
        "rows": [row.decode() for row in rows],
        "rows_root": b64encode(tree_head(salted(rows, SEED))).decode(),
        "command_key": settlement_key(INTERVAL_ID, number),
        "command_body": body_of(transfers, key, rules_hash(preset("demo"))),
    }


def body_of(transfers: Transfers, document: str, rules: str) -> str:
    """Write a command down by hand: the vectors must not depend on the code that they test."""
    columns = {
        name: [str(number) for number in getattr(transfers, name).tolist()]
        for name in ("amount", "code", "credit", "debit")
    }
    body = {"document": document, "rules": rules, "transfers": columns, "version": "1"}
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def salted(rows: list[bytes], seed: bytes) -> list[bytes]:
    """Return the entries of a row tree, as docs/ledger.md has it."""
    return [
        sha256(sha256(seed + index.to_bytes(8, "big")).digest() + row).digest()
        for index, row in enumerate(rows)
    ]


def tree_head(entries: list[bytes]) -> bytes:
    """Return the RFC 6962 tree head, the way the RFC defines it."""
    if len(entries) <= 1:
        return sha256(b"\x00" + entries[0]).digest() if entries else sha256().digest()
    half = 1 << (len(entries) - 1).bit_length() - 1
    return sha256(b"\x01" + tree_head(entries[:half]) + tree_head(entries[half:])).digest()
