"""A synthetic city: its days went through the market, its past says that it did not."""

from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from analytics.domain.figures import Basis
from analytics.models import DayRollup, IntervalRollup, MemberDay, ZoneDay
from analytics.queries import figures
from config.seed.city import NAME, PEOPLE
from config.seed.curves import Homes
from marketplace.models import Community, DeliveryInterval, Reading, User
from marketplace.queries.pages import list_personas

LAST = "2026-05-03"
SIZE = ("--households=40", "--days=1", "--rollup-days=2", f"--last={LAST}")


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "STATE_DIR", tmp_path)


def seeded(*arguments: str) -> str:
    shown = StringIO()
    call_command("seed_city", *arguments, stdout=shown)
    return shown.getvalue()


@pytest.mark.django_db
def test_a_synthetic_city_says_that_it_is_one() -> None:
    shown = seeded(*SIZE)
    assert "(synthetic)" in NAME and "invented" in shown
    community = Community.objects.get(name=NAME)
    assert DeliveryInterval.objects.filter(community=community).count() == 96
    assert Reading.objects.count() == 40 * 96
    known = dict(DayRollup.objects.values_list("day", "is_seeded"))
    assert sorted(known.values()) == [False, True, True]
    assert known[date.fromisoformat(LAST)] is False
    check_past(community)
    for person in PEOPLE:
        user = User.objects.get(email=person.email)
        assert [each.role for each in list_personas(user_id=user.pk)] == [person.role]

    before = list(MemberDay.objects.order_by("id").values())
    seeded(*SIZE)
    assert list(MemberDay.objects.order_by("id").values()) == before
    compared = StringIO()
    call_command("compare_rollups", stdout=compared)
    assert compared.getvalue() == f"{NAME}: 2 days and months compared, 0 differ\n"


def check_past(community: Community) -> None:
    """Compare days of rollups alone with each other: members, zones and intervals add up."""
    bounds = DayRollup.objects.filter(is_seeded=True).order_by("day")
    start, end = bounds[0].starts_at, bounds[len(bounds) - 1].ends_at
    both = figures.get_energies(community_id=community.id, start=start, end=end)
    assert both.interval_count == 2 * 96 and 0 < both.bought_wh == both.sold_wh
    zones = figures.list_zone_energies(community_id=community.id, start=start, end=end)
    assert len(zones) == 4
    hours = figures.list_hours(community_id=community.id, start=start, end=end)
    flows = figures.list_flows(community_id=community.id, start=start, end=end)
    health = figures.get_market_health(community_id=community.id, start=start, end=end)
    members = MemberDay.objects.exclude(day=LAST)
    intervals = IntervalRollup.objects.filter(interval_id__lt=0)
    for name in ("import_wh", "export_wh", "bought_wh", "grid_import_wh"):
        total = getattr(both, name)
        assert sum(getattr(each, name) for each in zones) == total
        assert sum(getattr(each.energies, name) for each in hours) == total
        assert sum(members.values_list(name, flat=True)) == total
        assert sum(intervals.values_list(name, flat=True)) == total
    assert health.traded_wh == both.bought_wh
    grid = [each.wh for each in flows if each.from_group == "grid"]
    assert sum(grid) == both.grid_import_wh
    assert sum(each.wh for each in flows if each.to_group != "grid") == both.import_wh
    assert ZoneDay.objects.filter(zone_id=0, price_min_micro_per_kwh__isnull=False).count() == 3
    basis: Basis = figures.get_basis(community_id=community.id, start=start, end=end)
    assert basis.seeded_count == 2 and basis.is_final


@pytest.mark.parametrize(
    ("argument", "why"), [("--households=0", "1 to 1,000,000"), ("--days=-1", "0 to 3,660")]
)
def test_a_size_that_is_none_is_refused(argument: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        seeded(argument)


def test_the_same_seed_makes_the_same_day() -> None:
    one, other, third = (
        Homes.drawn(seed=seed, is_enterprise=np.array([False, True])) for seed in (1, 1, 2)
    )
    day = datetime(2026, 5, 3, tzinfo=UTC).date()
    first, second = one.net_wh(day, 96), other.net_wh(day, 96)
    assert (first[0] == second[0]).all() and (first[1] == second[1]).all()
    assert (first[0] != third.net_wh(day, 96)[0]).any()
