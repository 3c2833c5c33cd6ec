"""A replay of real homes: money balances, order does not matter, a repeat changes nothing."""

import json
import os
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.replay import pipeline
from config.replay.pipeline import Replayed, replay
from config.replay.summary import summarise
from ledger.services import verify_book
from marketplace.domain.readings.file import ReadingsFile, ReadingsInvalid, read_readings
from marketplace.domain.rules import RulesInvalid, load_rules, preset
from marketplace.errors import SettlementRefused
from marketplace.models import (
    Clearing,
    Community,
    DeliveryInterval,
    MeteringPoint,
    Reading,
    Settlement,
)
from marketplace.services.places import NewMember
from marketplace.services.standing import set_standing_rule
from marketplace.services.verification import verify_clearings
from tests.conftest import CommittedDatabase
from tests.real_data import fontana_csv

SUMMER = Path(__file__).parents[2] / "fixtures" / "homes_summer_week.csv"
NOW = datetime(2026, 9, 1, tzinfo=UTC)
HEADER = "meter,start,minutes,import_wh,export_wh"


def run(path: Path, name: str, *, timezone: str | None = None) -> Replayed:
    return replay(
        path, community_name=name, rules_document=preset("demo"), timezone=timezone, now=NOW
    )


def summary_of(done: Replayed, name: str) -> dict[str, Any]:
    return summarise(community_id=done.community_id, name=name, stopwatch=done.stopwatch)


def tradable_wh(readings: ReadingsFile) -> int:
    """Sum over intervals the lesser of all import and all export."""
    _, interval = np.unique(readings.start_epoch_s, return_inverse=True)
    sums = [np.zeros(interval.max() + 1, dtype=np.int64) for _ in range(2)]
    np.add.at(sums[0], interval, readings.import_wh)
    np.add.at(sums[1], interval, readings.export_wh)
    return int(np.minimum(*sums).sum())


def balances(community_id: int) -> dict[str, int]:
    """Return what each account of a community has received less given, members by meter."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(m.code, split_part(a.path, ':', 3)),"
            " a.credits_posted - a.debits_posted"
            " FROM ledger_account a"
            " LEFT JOIN marketplace_participant p ON p.energy_account_id = a.id"
            " LEFT JOIN marketplace_site s ON s.participant_id = p.id"
            " LEFT JOIN marketplace_meteringpoint m ON m.site_id = s.id"
            " JOIN marketplace_community c ON c.id = coalesce(p.community_id,"
            "  (SELECT id FROM marketplace_community WHERE a.id IN (pool_account_id,"
            "   supplier_account_id, platform_account_id, rounding_account_id)))"
            " WHERE c.id = %s",
            [community_id],
        )
        return dict(cursor.fetchall())


@pytest.mark.django_db
def test_a_week_of_real_homes_balances() -> None:
    done = run(SUMMER, "Week")

    readings = read_readings(SUMMER)
    summary = summary_of(done, "Week")
    money = summary["money"]
    assert summary["traded_wh"] == tradable_wh(readings) > 0
    assert summary["import_wh"] == int(readings.import_wh.sum())
    assert summary["grid_import_wh"] == summary["import_wh"] - summary["traded_wh"]
    assert money["imbalance_micro"] == 0
    assert money["buyers_paid_micro"] == (
        money["sellers_received_micro"] + money["platform_micro"] + money["rounding_micro"]
    )
    found = balances(done.community_id)
    assert len(found) == summary["households"] + 4
    assert sum(found.values()) == 0
    assert found["pool"] == 0
    assert found["supplier"] == money["grid_paid_micro"] - money["grid_received_micro"]
    verify_book()


@pytest.mark.django_db
def test_the_same_file_again_changes_nothing_and_says_so(tmp_path: Path) -> None:
    first = run(SUMMER, "Week")
    before = summary_of(first, "Week")
    said, out = StringIO(), tmp_path / "summary.json"

    call_command(
        "replay", str(SUMMER), community="Week", summary=out, stdout=said, stderr=StringIO()
    )

    assert "no change" in said.getvalue()
    after = json.loads(out.read_text())
    unequal = {key for key in before if before[key] != after[key]}
    assert unequal <= {"seconds", "peak_rss_mb"}


@pytest.mark.django_db
def test_the_order_of_rows_changes_nobody_s_bill(tmp_path: Path) -> None:
    # Everybody has one limit, so that whole intervals are ties to be shared at the margin.
    header, *rows = SUMMER.read_text(encoding="utf-8").splitlines()
    bills = []
    for number in range(3):
        path = tmp_path / f"{number}.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        bills.append(_bills_with_equal_limits(path, f"Order {number}"))
        Random(number).shuffle(rows)

    assert bills[0] == bills[1] == bills[2]
    assert len(set(bills[0].values())) > 4


def _bills_with_equal_limits(path: Path, name: str) -> dict[str, int]:
    """Import a file, give every member the same limits, then let the market run."""
    readings = read_readings(path)
    starts_at = datetime.fromtimestamp(int(readings.start_epoch_s.min()), UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "settle_everything", lambda *_, **__: 0)
        community_id = run(path, name).community_id
    for point in MeteringPoint.objects.filter(community=community_id):
        set_standing_rule(
            metering_point_id=point.id,
            sell_at_or_above_micro_per_kwh=320_000,
            buy_at_or_below_micro_per_kwh=320_000,
            is_paused=False,
            valid_until=None,
            now=starts_at,
        )
    run(path, name)
    assert Clearing.objects.filter(
        interval__community=community_id, price_micro_per_kwh=320_000
    ).exists()
    return balances(community_id)


@pytest.mark.django_db
def test_a_bad_line_is_named_and_leaves_not_even_a_community(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    lines = [HEADER, "A,2026-06-01T00:00:00+08:00,60,1,0", "A,2026-06-01T01:00:00+08:00,60,-1,0"]
    path.write_text("\n".join(lines) + "\n")

    with pytest.raises(ReadingsInvalid, match=r"bad\.csv:3: "):
        run(path, "Bad")
    with pytest.raises(CommandError, match=r"bad\.csv:3: "):
        call_command("replay", str(path), stdout=StringIO(), stderr=StringIO())

    assert not Community.objects.exists()
    assert not Reading.objects.exists()


@pytest.mark.django_db
def test_another_rule_set_under_the_same_name_is_refused() -> None:
    run(SUMMER, "Week")

    with pytest.raises(CommandError, match="exists under other rules"):
        call_command(
            "replay", str(SUMMER), community="Week", timezone="Europe/Berlin", stdout=StringIO()
        )


@pytest.mark.django_db
def test_a_refused_settlement_ends_the_replay_instead_of_hanging_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> int:
        waiting = Settlement.objects.filter(state=Settlement.State.SUBMITTED)
        waiting.update(state=Settlement.State.REFUSED)
        return 0

    monkeypatch.setattr(pipeline, "note_booked_settlements", refuse)

    with pytest.raises(SettlementRefused, match="settle:"):
        run(SUMMER, "Week")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("first", "hours"),
    [("2026-03-28T23:00:00+00:00", 23), ("2026-10-24T22:00:00+00:00", 25)],
)
def test_a_civil_day_may_have_23_or_25_hours(tmp_path: Path, first: str, hours: int) -> None:
    start = int(datetime.fromisoformat(first).timestamp())
    rows = [
        f"{meter},{datetime.fromtimestamp(start + 3600 * hour, UTC).isoformat()},60,{flows}"
        for hour in range(hours)
        for meter, flows in (("seller", "0,1000"), ("buyer", "1000,0"))
    ]
    path = tmp_path / "day.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")

    done = run(path, "Berlin", timezone="Europe/Berlin")

    rules = load_rules({**preset("demo"), "timezone": "Europe/Berlin"})
    intervals = DeliveryInterval.objects.filter(community=done.community_id)
    civil = [each.starts_at.astimezone(rules.zone) for each in intervals.order_by("starts_at")]
    assert len(civil) == hours
    assert {each.date() for each in civil} == {civil[0].date()}
    assert (civil[0].hour, civil[-1].hour) == (0, 23)
    # By the wall clock, the night's tariff ends at seven whatever the clock did at two.
    night = Clearing.objects.filter(
        interval__community=done.community_id, retail_micro_per_kwh=330_000
    ).count()
    assert night == hours - 24 + 7 + 1
    assert summary_of(done, "Berlin")["traded_wh"] == hours * 1000
    assert summary_of(done, "Berlin")["money"]["imbalance_micro"] == 0
    assert len({each.utcoffset() for each in civil}) == 2


def test_months_of_real_homes(
    committed_db: CommittedDatabase, real_data: Path, tmp_path: Path
) -> None:
    days = 365 if os.environ.get("HELIOPOLIS_LONG_TESTS") else 60
    path, out = tmp_path / "fontana.csv", tmp_path / "summary.json"
    fontana_csv(real_data, path, days=days)

    ran = committed_db.manage("replay", str(path), "--summary", str(out), "--skip-checks")
    assert ran.returncode == 0, ran.stderr
    verified = committed_db.manage("verify_ledger", "--skip-checks")
    assert verified.returncode == 0, verified.stderr

    summary = json.loads(out.read_text())
    readings = read_readings(path)
    assert (summary["households"], summary["intervals"]) == (17, 24 * days)
    assert summary["traded_wh"] == tradable_wh(readings)
    assert summary["money"]["imbalance_micro"] == 0


TWO_ZONES = {
    **preset("eu-energy-sharing"),
    "pricing": "uniform",
    "zones": ["west", "east"],
    "links": [
        {
            "from": one,
            "to": other,
            "limit_wh": limit,
            "loss_ppm": loss,
            "fee_micro_per_kwh": 5_000 - loss // 4,
        }
        for one, other, limit, loss in (("west", "east", 1_500, 0), ("east", "west", 1_000, 20_000))
    ],
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "document", [preset("cn-1901-pilot"), TWO_ZONES], ids=["pay as bid", "zones with losses"]
)
def test_a_week_under_rules_of_form_2_balances(document: dict[str, Any]) -> None:
    done = replay(
        SUMMER,
        community_name="Week",
        rules_document=document,
        timezone=None,
        now=NOW,
        members={
            name: NewMember(meter=name, name=name, zone=document["zones"][-1])
            for name in ("H01", "H05", "H07", "H09", "H12")
        },
    )
    summary = summary_of(done, "Week")

    money = summary["money"]
    assert money["imbalance_micro"] == 0
    assert money["grid_fees_micro"] > 0
    assert summary["traded_wh"] > 500_000
    assert verify_clearings() == summary["intervals"]
    sent = [
        link["sent"]
        for flows in Clearing.objects.values_list("flows", flat=True)
        for link in flows or []
    ]
    assert any(sent) == bool(document["links"])
    with pytest.raises(RulesInvalid, match="mode"):
        replay(
            SUMMER,
            community_name="Ahead",
            rules_document=preset("demo-forward"),
            timezone=None,
            now=NOW,
        )
