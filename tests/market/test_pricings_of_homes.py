"""Two summer days of the 17 homes under every pricing: page and table add up to the micro."""

import csv
from collections import defaultdict
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from config.replay.pipeline import replay
from ledger.queries import get_balances
from marketplace.domain.rules import load_rules, preset
from marketplace.models import MeteringPoint, PricingComparison
from marketplace.queries.pricing_comparison import list_own_pricings
from tests.market.pricing_arithmetic import PRICINGS, Outcome, Prices, Readings, settle_under_all

SUMMER = Path(__file__).parents[2] / "fixtures" / "homes_summer_week.csv"
NOW = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = ("2026-06-15", "2026-06-16")


def write_days(path: Path) -> dict[datetime, Readings]:
    """Write two days of the week and return their readings by interval."""
    readings: dict[datetime, dict[str, tuple[int, int]]] = defaultdict(dict)
    with SUMMER.open() as source, path.open("w") as out:
        writer = csv.writer(out, lineterminator="\n")
        rows = csv.DictReader(source)
        writer.writerow(rows.fieldnames or [])
        for row in rows:
            if row["start"].startswith(DAYS):
                writer.writerow(row.values())
                energies = int(row["import_wh"]), int(row["export_wh"])
                readings[datetime.fromisoformat(row["start"])][row["meter"]] = energies
    return dict(readings)


@pytest.mark.django_db
def test_every_party_under_every_pricing_is_what_the_rules_come_to(tmp_path: Path) -> None:
    by_interval = write_days(tmp_path / "days.csv")
    assert len(by_interval) == 48
    assert any(len(readings) < 17 for readings in by_interval.values())  # a gap is no zero
    rules = load_rules(preset("demo"))
    outcomes = {pricing: Outcome() for pricing in ("grid_only", *PRICINGS)}
    for starts_at, readings in by_interval.items():
        settle_under_all(outcomes, readings, Prices(*rules.prices_at(starts_at)[:3]))

    done = replay(
        tmp_path / "days.csv",
        community_name="Homes",
        rules_document=preset("demo"),
        timezone=None,
        now=NOW,
    )
    shown = StringIO()
    call_command("compare_pricings", "--community", "Homes", "--month", "2026-06", stdout=shown)
    table = list(csv.DictReader(shown.getvalue().splitlines()))

    assert [line["name"] for line in table if line["party"] == "member"] == [
        f"H{number:02d}" for number in range(1, 18)
    ]
    for pricing, outcome in outcomes.items():
        found = {line["name"] or line["party"]: int(line[pricing]) for line in table}
        assert found.pop("sum") == sum(found.values()) == 0
        assert found == {"grid": 0, "pool": 0} | outcome.nets
        # What buyers paid is what sellers got, the platform's fee and the rounding.
        fee_and_rounding = outcome.nets["platform"] + outcome.nets["rounding"]
        assert outcome.buyers_paid == outcome.sellers_got + fee_and_rounding
    assert len({tuple(sorted(each.nets.items())) for each in outcomes.values()}) == 6
    check_members(done.community_id, {line["name"]: line for line in table})


def check_members(community_id: int, table: dict[str, dict[str, str]]) -> None:
    """Hold what is booked, and each member's own page, against the table."""
    comparison = PricingComparison.objects.get()
    points = MeteringPoint.objects.filter(community=community_id).values_list(
        "code", "site__participant", "site__participant__energy_account_id"
    )
    balances = get_balances(account_ids=[account for _, _, account in points if account])
    for meter, member, account in points:
        assert account is not None
        line = table[meter]
        assert int(line["actual"]) == int(line["uniform"]) == balances[account].posted
        own = list_own_pricings(comparison_id=comparison.pk, participant_id=member)
        assert {each.pricing: each.net_micro for each in own} == {
            pricing: int(line[pricing]) for pricing in ("actual", "grid_only", *PRICINGS)
        }
