"""The worked examples of docs/market.md: one small town under each pricing and deviation rule.

Three metering points: 1 and 2 have roofs, 3 buys. 1 gives 30 Wh to 2 and 3 is its partner of up to
101 Wh. In forward mode 3 has bought from both ahead of delivery. Each case has three revisions:
all readings, a correction, and a reading after the deadline.
"""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from marketplace.domain.auction import Metered
from marketplace.domain.book_rows import Reason, book_key, book_rows
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.market import clear_market
from marketplace.domain.readings.late import late_readings
from marketplace.domain.rules import canonical_bytes, rules_hash
from marketplace.domain.settlement import entries_of, settlement_key, transfers_between
from tests.market.form_2 import ACCOUNTS, Town, a_town, agreement_rows
from tests.market.interval_example import SEED, body_of, salted, tree_head

PROJECT = Path(__file__).resolve().parent.parent.parent
VECTORS = PROJECT / "docs" / "examples" / "market_books.json"
INTERVAL_ID = 7

CASES: dict[str, dict[str, str]] = {
    "uniform": {},
    "uniform, zones": {"zones": "west,east"},
    "uniform, cn-1901": {"fees": "cn-1901"},
    "pay_as_bid": {"pricing": "pay_as_bid"},
    "mid_market": {"pricing": "mid_market"},
    "supply_demand_ratio": {"pricing": "supply_demand_ratio"},
    "sharing_static": {"pricing": "sharing_static"},
    "sharing_dynamic": {"pricing": "sharing_dynamic", "share": "1500"},
    **{
        f"forward, {deviation}, {delivery}, {pricing}": {
            "mode": "forward",
            "deviation": deviation,
            "delivery": delivery,
            "pricing": pricing,
        }
        for deviation, delivery, pricing in (
            ("dual_price", "fifo", "uniform"),
            ("dual_price", "fifo", "pay_as_bid"),
            ("single_price", "fifo", "uniform"),
            ("own", "fifo", "uniform"),
            ("own", "pro_rata", "pay_as_bid"),
        )
    },
    "forward, dual_price, zones": {
        "mode": "forward",
        "deviation": "dual_price",
        "delivery": "fifo",
        "zones": "west,east",
    },
}


def examples() -> list[dict[str, Any]]:
    """Return what the vectors hold, computed by our own code."""
    return [_case(name, a_town(**changes)) for name, changes in CASES.items()]


def write_vectors() -> None:
    """Write the vectors anew; they are frozen, so only a new version of the protocol may."""
    VECTORS.write_text(json.dumps(examples(), indent=1, ensure_ascii=False) + "\n", "utf-8")


def revisions(town: Town) -> list[tuple[Reason, IntervalBook, IntervalBook | None]]:
    """Return the town's books: 3 is missing, comes, and comes again after the deadline."""

    def metered(*flows: tuple[int, int, int]) -> Metered:
        points, imports, exports = (
            np.array(each, dtype=np.int64) for each in zip(*flows, strict=True)
        )
        # The first reading is an estimate.
        return Metered(points, imports, exports, (points == 1).astype(np.int64))

    first, second = (
        clear_market(
            rules=town.rules,
            terms=town.terms,
            metered=readings,
            over_limit=town.over_limit,
            agreements=town.agreements,
            auction=town.auction,
        ).book
        for readings in (
            metered((1, 0, 700), (2, 41, 350)),
            metered((1, 0, 700), (2, 41, 350), (3, 1803, 0)),
        )
    )
    late = late_readings(
        terms=town.terms,
        metered=metered((1, 13, 689), (3, 1903, 0)),
        rules=town.rules,
        auction=town.auction,
    )
    return [
        ("deadline", first, None),
        ("correction", second, first),
        ("after_deadline", second.amended(late), second),
    ]


def _case(name: str, town: Town) -> dict[str, Any]:
    document = dict(town.document)
    return {
        "name": name,
        "rules": canonical_bytes(document).decode(),
        "rules_sha256": rules_hash(document),
        "agreements": agreement_rows(town.agreements),
        "seed": b64encode(SEED).decode(),
        "auction": [row.decode() for row in town.auction_rows],
        "revisions": [
            _revision(town, number, reason, book, before)
            for number, (reason, book, before) in enumerate(revisions(town), start=1)
        ],
    }


def _revision(
    town: Town, number: int, reason: Reason, book: IntervalBook, before: IntervalBook | None
) -> dict[str, Any]:
    rows = book_rows(town.header(number, reason), book)
    transfers = transfers_between(
        entries_of(before, ACCOUNTS) if before else None, entries_of(book, ACCOUNTS)
    )
    key = book_key(INTERVAL_ID, number)
    body = body_of(transfers, key, rules_hash(dict(town.document))) if transfers else None
    return {
        "document_key": key,
        "rows": [row.decode() for row in rows],
        "rows_root": b64encode(tree_head(salted(rows, SEED))).decode(),
        "command_key": settlement_key(INTERVAL_ID, number),
        "command_body": body,
    }
