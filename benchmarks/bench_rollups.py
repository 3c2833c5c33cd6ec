"""A day's rollups of a synthetic city against one GROUP BY zone and interval over the day's rows.

The rows of a day are its readings, its trades and the transfers of its settlements; the yardstick
adds each up by zone and interval in one statement on the same server. A refresh makes the whole day
again: zones, hours, flows, links and members.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

import psycopg

from benchmarks.make_city import INTERVALS, make_city
from benchmarks.servers import (
    PROJECT,
    child_environment,
    database_url,
    durable_servers,
    make_database,
    write_out,
)
from benchmarks.table import Row
from config.embedded.postgres import APP

HOUSEHOLDS: Final = 10_000
RATIO_MAX: Final = 2.0
TURNS: Final = 3
_CHILD: Final = (
    "import django; django.setup(); from benchmarks import bench_rollups as b; b.refresh()"
)
_READINGS: Final = """
SELECT r.interval_id, s.zone_id, count(*), sum(r.import_wh), sum(r.export_wh)
FROM (
    SELECT DISTINCT ON (interval_id, metering_point_id) interval_id, metering_point_id,
           import_wh, export_wh
    FROM marketplace_reading ORDER BY interval_id, metering_point_id, version DESC
) AS r
JOIN marketplace_meteringpoint m ON m.id = r.metering_point_id
JOIN marketplace_site s ON s.id = m.site_id
GROUP BY r.interval_id, s.zone_id
"""
_TRADES: Final = """
SELECT t.interval_id, a.zone_id, b.zone_id, count(*), sum(t.quantity),
       sum(t.quantity * t.price_micro)
FROM marketplace_match t
JOIN marketplace_deliveryinterval i ON i.id = t.interval_id AND i.revision = t.revision
JOIN marketplace_meteringpoint p ON p.id = t.seller_point_id
JOIN marketplace_site a ON a.id = p.site_id
JOIN marketplace_meteringpoint q ON q.id = t.buyer_point_id
JOIN marketplace_site b ON b.id = q.site_id
GROUP BY t.interval_id, a.zone_id, b.zone_id
"""
_TRANSFERS: Final = """
SELECT k.interval_id, s.zone_id, t.code, count(*), sum(t.amount)
FROM marketplace_settlement settled
JOIN marketplace_clearing k ON k.id = settled.clearing_id
JOIN ledger_inboxcommand c ON c.key = settled.command_key
JOIN ledger_transfer t ON t.command_id = c.id
JOIN marketplace_participant p
    ON p.energy_account_id IN (t.debit_account_id, t.credit_account_id)
JOIN marketplace_site s ON s.participant_id = p.id
GROUP BY k.interval_id, s.zone_id, t.code
"""


def measure() -> list[Row]:
    """Replay a city's day, refresh its rollups some times, and group its rows as often."""
    with durable_servers() as (pair, folder):
        path = folder / "city.csv"
        make_city(path, households=HOUSEHOLDS)
        make_database(pair, folder, "rollups")
        environment = {
            **child_environment(pair, folder, "rollups"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        subprocess.run(
            [sys.executable, "manage.py", "replay", str(path)],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        write_out(pair)
        grouped = _grouped(database_url(pair, APP, "rollups"))
        out = folder / "refreshed.json"
        subprocess.run(
            [sys.executable, "-c", _CHILD, str(out)], cwd=PROJECT, env=environment, check=True
        )
        refreshed: dict[str, float] = json.loads(out.read_text(encoding="utf-8"))
    label = f"rollups of a day, {HOUSEHOLDS:,} x {INTERVALS}"
    yardstick = sum(grouped.values())
    return [
        Row(f"{label}, refresh / one GROUP BY", refreshed["day"] / yardstick, "x", RATIO_MAX),
        Row(f"{label}, refresh", refreshed["day"], "s"),
        Row(f"{label}, one GROUP BY zone and interval", yardstick, "s"),
        *(Row(f"{label}, of which {name}", spent, "s") for name, spent in grouped.items()),
        Row(f"{label}, its {INTERVALS} intervals rolled up anew", refreshed["intervals"], "s"),
    ]


def _grouped(url: str) -> dict[str, float]:
    """Return the median seconds of each part of the yardstick."""
    found = {}
    with psycopg.connect(url) as connection:
        for name, statement in (
            ("readings", _READINGS),
            ("trades", _TRADES),
            ("transfers", _TRANSFERS),
        ):
            spent = []
            for _ in range(TURNS):
                started = time.perf_counter()
                connection.execute(statement).fetchall()
                spent.append(time.perf_counter() - started)
            found[name] = median(spent)
    return found


def refresh() -> None:
    """Refresh the day in a process of its own, and write the median seconds."""
    from datetime import UTC, datetime

    from analytics.models import DayRollup, IntervalRollup
    from analytics.services import roll_up_due_days, roll_up_settled

    spent: dict[str, list[float]] = {"intervals": [], "day": []}
    for _ in range(TURNS):
        IntervalRollup.objects.all().delete()
        started = time.perf_counter()
        while roll_up_settled():
            pass
        rolled = time.perf_counter()
        assert roll_up_due_days(now=datetime.now(UTC)) == 1
        ended = time.perf_counter()
        assert not DayRollup.objects.filter(is_due=True).exists()
        spent["intervals"].append(rolled - started)
        spent["day"].append(ended - rolled)
    seconds = {name: median(values) for name, values in spent.items()}
    Path(sys.argv[1]).write_text(json.dumps(seconds), encoding="utf-8")
