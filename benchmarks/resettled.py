"""A past period under rules of form 2, and the same period re-settled by a validator's own code.

The seventeen homes of the fixtures, agreements between some of them, and readings corrected later.
Re-settling knows the openings of the log and nothing else; what it comes to is compared with the
transfers that were booked.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.db import connection

from config.replay.agreeing import agree
from config.replay.pipeline import replay
from ledger.queries import get_bodies
from marketplace.domain.agreement_text import AgreementKind
from marketplace.domain.rules import preset
from marketplace.models import Clearing
from marketplace.queries.people import list_meter_points
from validator.client import Hall
from validator.interval_money import Entry, moves_of
from validator.interval_rules import RuleSet, read_rule_set
from validator.market_book import read_market_book
from validator.market_money import market_entries

HOMES: Final = Path(__file__).resolve().parents[1] / "fixtures" / "homes_summer_week.csv"
RULES: Final = "eu-energy-sharing"
FIRST_DAY: Final = "2026-06-01"
WEEK_DAYS: Final = 7
MORE_WH: Final = 77
# Kind, seller, buyer, price in micro per kWh, rank: settled before the pool, in this order.
AGREEMENTS: Final[tuple[tuple[AgreementKind, str, str, int | None, int | None], ...]] = (
    ("contract", "H01", "H17", 180_001, None),
    ("gift", "H05", "H12", 0, None),
    ("partner", "H02", "H03", None, 1),
)
# Account, account, code, amount: what a transfer says of money. [micro]
Moved = tuple[int, int, int, int]

_BOOKED: Final = """
SELECT c.key, t.debit_account_id, t.credit_account_id, t.code, t.amount
FROM ledger_transfer t JOIN ledger_inboxcommand c ON c.id = t.command_id
WHERE c.key LIKE 'settle:%%' ORDER BY t.id
"""


@dataclass
class Resettled:
    """What re-settling came to; ``differing`` names the books whose money is not what is booked."""

    books: int = 0
    corrections: int = 0
    transfers: int = 0
    codes: set[int] = field(default_factory=set)
    differing: list[str] = field(default_factory=list)


def make_period(folder: Path, *, days: int, now: datetime) -> None:
    """Settle some days of the homes, then correct readings of the second day, by two files."""
    with HOMES.open(encoding="utf-8", newline="") as file:
        header, *week = csv.reader(file)
    for name, more in (("metered.csv", 0), ("corrected.csv", MORE_WH)):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(_rows(week, days, more))
        replay(
            folder / name,
            community_name="Homes",
            rules_document=preset(RULES),
            timezone="Asia/Shanghai",
            now=now,
            on_members=_agree,
        )


def _rows(week: list[list[str]], days: int, more_wh: int) -> list[list[str]]:
    """Return the week again and again from the first day on, one day of H01 corrected."""
    begins = datetime.fromisoformat(min(row[1] for row in week))
    first = datetime.fromisoformat(f"{FIRST_DAY}T00:00:00+08:00")
    rows = []
    for meter, start, minutes, import_wh, export_wh in week:
        day = (datetime.fromisoformat(start) - begins).days
        at = first + (datetime.fromisoformat(start) - begins)
        for again in range(day, days, WEEK_DAYS):
            is_corrected = meter == "H01" and again == 1
            more = more_wh if is_corrected else 0
            moved = (at + timedelta(days=again - day)).isoformat()
            rows.append([meter, moved, minutes, str(int(import_wh) + more), export_wh])
    return rows


def _agree(community_id: int, starts_at: datetime) -> None:
    """Let members agree before the period begins; a second time there is nothing to do."""
    points = list_meter_points(community_id=community_id)
    if Clearing.objects.filter(interval__community=community_id).exists():
        return
    for kind, seller, buyer, price, rank in AGREEMENTS:
        agree(
            kind=kind,
            seller=points[seller],
            buyer=points[buyer],
            price_micro_per_kwh=price,
            rank=rank,
            now=starts_at,
        )


def resettle(hall: Hall) -> Resettled:
    """Recompute the money of every book from what the log opens, and compare it with the booked."""
    found, booked = Resettled(), _booked()
    rules: dict[str, RuleSet] = {}
    before: dict[int, list[Entry]] = {}
    for interval, revision in Clearing.objects.order_by("interval", "revision").values_list(
        "interval_id", "revision"
    ):
        key = f"settle:{interval}:{revision}"
        digest = json.loads(get_bodies(keys=[key])[key])["rules"]
        if digest not in rules:
            rules[digest] = read_rule_set(hall.get_opening(f"documents/rules:{digest}"))
        market = rules[digest].market
        assert market is not None, digest
        opened = hall.get_opening(f"documents/book:{interval}:{revision}")
        book = read_market_book(opened.removesuffix(b"\n").split(b"\n"))
        entries = market_entries(book, book, rules[digest], market, None)
        moves = moves_of(entries, before.get(interval))
        if [_moved(each) for each in moves] != booked.pop(key, None):
            found.differing.append(key)
        before[interval] = entries
        found.books += 1
        found.corrections += revision > 1
        found.transfers += len(moves)
        found.codes |= {each.code for each in moves}
    found.differing += booked  # money without a book
    return found


def _moved(move: Entry) -> Moved:
    sides = (move.payer, move.receiver) if move.amount > 0 else (move.receiver, move.payer)
    return (*sides, move.code, abs(move.amount))


def _booked() -> dict[str, list[Moved]]:
    """Return what settlements have moved, by command."""
    moved: dict[str, list[Moved]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED)
        for key, debit, credit, code, amount in cursor.fetchall():
            moved[key].append((debit, credit, code, amount))
    return moved
