"""Rollups: what settled intervals came to by zone, whenever and however often they are made."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction

import pytest
from django.db import connection

from analytics.models import IntervalRollup
from analytics.queries import Rollup, get_period_totals, list_interval_rollups
from analytics.services import make_again, roll_up_settled
from analytics.services import rollups as services
from analytics.tasks import roll_up_settled_intervals
from ledger.services import SettlementWorker
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.rules import preset
from marketplace.models import Clearing, DeliveryInterval, Match
from marketplace.queries.rollups import list_zone_totals
from marketplace.services.market_day import advance_community
from marketplace.services.places import NewMember, add_members, create_community
from marketplace.services.readings import import_readings
from tests.conftest import CommittedDatabase
from tests.town import NOW, SOUTH, START, Town, build_town, rows_of_hour, run_market, send
from tests.worlds import world

END = START + timedelta(days=1)
HOURS = 3


@pytest.fixture
def town(db: None) -> Iterator[Town]:
    with world(settled_town) as town:
        yield town


def settled_town() -> Town:
    town = build_town()
    send(town, [row for hour in range(HOURS) for row in rows_of_hour(hour)])
    run_market(town)
    assert not town.community.intervals.exclude(state=DeliveryInterval.State.SETTLED).exists()
    return town


def rollups(town: Town) -> list[Rollup]:
    return list_interval_rollups(community_id=town.community.id, start=START, end=END)


def made_again(town: Town) -> int:
    make_again(community_id=town.community.id, start=START, end=END)
    assert not rollups(town)
    return roll_up_settled()


def test_an_interval_has_one_row_per_zone_with_its_own_figures(town: Town) -> None:
    assert roll_up_settled() == HOURS

    found = rollups(town)
    assert len(found) == HOURS * 2
    for rollup in found:
        hour = int((rollup.starts_at - START) / timedelta(hours=1))
        in_south = rollup.zone_id == town.zone("south").id
        rows = [row for row in rows_of_hour(hour) if (row.meter in SOUTH) is in_south]
        assert rollup.meter_count == len(rows) == 3
        assert rollup.import_wh == sum(row.import_wh for row in rows)
        assert rollup.export_wh == sum(row.export_wh for row in rows)
        trades = Match.objects.filter(interval=rollup.interval_id, revision=1)
        of_zone = "metering_point__site__zone"
        bought = trades.filter(**{f"request__{of_zone}": rollup.zone_id})
        sold = trades.filter(**{f"offer__{of_zone}": rollup.zone_id})
        assert rollup.bought_wh == sum(bought.values_list("quantity", flat=True))
        assert rollup.sold_wh == sum(sold.values_list("quantity", flat=True))
        assert rollup.grid_import_wh == rollup.import_wh - rollup.bought_wh
        assert rollup.grid_export_wh == rollup.export_wh - rollup.sold_wh
        clearing = Clearing.objects.get(interval=rollup.interval_id)
        assert rollup.price_micro_per_kwh == clearing.price_micro_per_kwh
        assert rollup.price_micro_per_kwh is not None
    volumes = Clearing.objects.values_list("volume_wh", flat=True)
    assert sum(rollup.bought_wh for rollup in found) == sum(volumes) > 0
    assert sum(rollup.sold_wh for rollup in found) == sum(volumes)


def test_zones_trade_with_each_other(town: Town) -> None:
    roll_up_settled()
    assert any(rollup.bought_wh != rollup.sold_wh for rollup in rollups(town))


def test_a_second_run_finds_nothing_to_do(town: Town) -> None:
    assert roll_up_settled(limit=2) == 2
    assert roll_up_settled(limit=2) == 1
    before = list(IntervalRollup.objects.order_by("id").values())
    assert roll_up_settled() == 0
    roll_up_settled_intervals()
    assert list(IntervalRollup.objects.order_by("id").values()) == before


def test_other_communities_are_left_alone(town: Town) -> None:
    assert roll_up_settled(community_id=town.community.id + 1) == 0
    assert roll_up_settled(community_id=town.community.id) == HOURS


def test_a_correction_is_rolled_up_once_it_is_settled(town: Town) -> None:
    roll_up_settled()
    before = rollups(town)
    row = rows_of_hour(1)[0]
    send(town, [ReadingRow(row.meter, row.start, row.import_wh + 500, 0)])
    # The new reading and the old trades do not belong together.
    assert roll_up_settled() == 0
    ids = list(town.community.intervals.values_list("id", flat=True))
    assert len({each.interval_id for each in list_zone_totals(interval_ids=ids)}) == HOURS - 1
    assert made_again(town) == HOURS - 1
    run_market(town)

    assert roll_up_settled() == 1
    after = rollups(town)
    assert sum(each.import_wh for each in after) == sum(each.import_wh for each in before) + 500
    assert {each.revision for each in after} == {1, 2}
    clearing = Clearing.objects.get(revision=2)
    # Trades of the first revision are history, not volume.
    for name in ("bought_wh", "sold_wh"):
        assert sum(getattr(each, name) for each in changed(after)) == clearing.volume_wh > 0
    assert [each for each in after if each.revision == 1] == [
        each for each in before if each.interval_id not in {a.interval_id for a in changed(after)}
    ]


def changed(found: list[Rollup]) -> list[Rollup]:
    return [each for each in found if each.revision == 2]


def test_a_reading_after_the_correction_deadline_meets_the_grid(town: Town) -> None:
    row = rows_of_hour(1)[0]
    assert row.import_wh
    send(town, [ReadingRow(row.meter, row.start, 0, 0)])
    run_market(town, now=NOW + timedelta(days=60))
    roll_up_settled()

    [main, _south] = [each for each in rollups(town) if each.revision == 2]
    assert main.grid_import_wh == main.import_wh - main.bought_wh
    trades = Match.objects.filter(interval=main.interval_id)
    of_buyer = trades.filter(request__metering_point__code=row.meter)
    before, after = (
        sum(of_buyer.filter(revision=revision).values_list("quantity", flat=True))
        for revision in (1, 2)
    )
    assert before == after > 0


def test_an_interval_nobody_metered_is_rolled_up_as_nothing(db: None) -> None:
    town = build_town()
    send(town, rows_of_hour(0)[:1])
    run_market(town, now=NOW + timedelta(days=2))

    assert roll_up_settled() == 1
    main, south = rollups(town)
    assert (main.meter_count, main.bought_wh, main.price_micro_per_kwh) == (1, 0, None)
    assert (south.meter_count, south.import_wh, south.self_sufficiency) == (0, 0, None)
    assert roll_up_settled() == 0


def test_recomputing_gives_what_the_increments_gave(town: Town) -> None:
    roll_up_settled(limit=1)
    row = rows_of_hour(0)[1]
    send(town, [ReadingRow(row.meter, row.start, 5, row.export_wh - 100)])
    send(town, rows_of_hour(HOURS))
    run_market(town)
    while roll_up_settled(limit=1):
        pass
    incremental = rollups(town)
    IntervalRollup.objects.filter(zone_id=town.zone("south").id).update(sold_wh=1, zone_id=10**6)

    assert made_again(town) == HOURS + 1
    assert rollups(town) == incremental


def test_an_overtaken_writer_does_not_put_the_old_back(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = list(town.community.intervals.values_list("id", flat=True))
    stale = list_zone_totals(interval_ids=ids)
    row = rows_of_hour(0)[0]
    send(town, [ReadingRow(row.meter, row.start, row.import_wh + 1, 0)])
    run_market(town)
    roll_up_settled()
    fresh = rollups(town)
    monkeypatch.setattr(services, "list_zone_totals", lambda **_: stale)
    services._roll_up(ids)
    assert rollups(town) == fresh


def test_two_at_once_leave_what_one_would(committed_db: CommittedDatabase) -> None:
    town = settled_town()
    errors: list[BaseException] = []
    begin = threading.Barrier(2)

    def run() -> None:
        try:
            begin.wait(timeout=10)
            roll_up_settled()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    both = [threading.Thread(target=run) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(timeout=60)
    assert errors == []
    twice = rollups(town)
    made_again(town)
    assert rollups(town) == twice
    assert len(twice) == HOURS * 2


def test_a_period_adds_up_with_its_shares(town: Town) -> None:
    roll_up_settled()
    found = rollups(town)
    totals = get_period_totals(community_id=town.community.id, start=START, end=END)
    assert totals.interval_count == HOURS
    assert totals.import_wh == sum(each.import_wh for each in found)
    assert totals.self_sufficiency == totals.bought_wh / totals.import_wh
    assert totals.self_consumption == totals.sold_wh / totals.export_wh
    priced_wh, priced_micro = (
        sum(IntervalRollup.objects.values_list(name, flat=True))
        for name in ("priced_wh", "priced_micro")
    )
    assert totals.mean_price_micro_per_kwh == round(Fraction(priced_micro * 1000, priced_wh))
    south = get_period_totals(
        community_id=town.community.id, start=START, end=END, zone_id=town.zone("south").id
    )
    assert 0 < south.import_wh < totals.import_wh


def test_a_period_is_half_open_and_may_be_empty(town: Town) -> None:
    roll_up_settled()
    one = get_period_totals(
        community_id=town.community.id, start=START, end=START + timedelta(hours=1)
    )
    assert one.interval_count == 1
    none = get_period_totals(community_id=town.community.id, start=END, end=END)
    assert (none.interval_count, none.import_wh) == (0, 0)
    assert none.self_sufficiency is None and none.self_consumption is None
    assert none.mean_price_micro_per_kwh is None


def test_a_citys_money_may_pass_64_bits(town: Town) -> None:
    roll_up_settled()
    IntervalRollup.objects.update(priced_wh=10**12, priced_micro=10**18)
    totals = get_period_totals(community_id=town.community.id, start=START, end=END)
    assert totals.mean_price_micro_per_kwh == 10**9


def test_intervals_of_few_meters_can_be_left_out(town: Town) -> None:
    send(town, rows_of_hour(HOURS)[:2])
    run_market(town, now=NOW + timedelta(days=2))
    roll_up_settled()
    counts = [
        get_period_totals(
            community_id=town.community.id, start=START, end=END, meters_at_least=meters
        ).interval_count
        for meters in (0, 2, 3, 6, 7)
    ]
    assert counts == [HOURS + 1, HOURS + 1, HOURS, HOURS, 0]


def test_each_zone_has_its_own_price(db: None) -> None:
    link = {"from": "north", "to": "south", "limit_wh": 50, "loss_ppm": 0}
    rules = {
        **preset("eu-energy-sharing"),
        "interval_minutes": 60,
        "pricing": "uniform",
        "zones": ["north", "south", "far"],
        "links": [{**link, "fee_micro_per_kwh": 0}],
    }
    community = create_community(
        name="Zones", rules_document=rules, effective_from=START, now=START
    )
    zones = {"n1": "north", "n2": "north", "s1": "south", "s2": "south"}
    add_members(
        community_id=community.id,
        members=[NewMember(meter=meter, name=meter, zone=zone) for meter, zone in zones.items()],
        active_from=START,
        now=START,
    )
    sent = {"n1": (0, 900), "n2": (100, 0), "s1": (0, 20), "s2": (700, 0)}
    rows = [ReadingRow(meter, START.isoformat(), *wh) for meter, wh in sent.items()]
    import_readings(
        community_id=community.id,
        readings=readings_of_rows(minutes=60, rows=rows),
        source="test",
        sha256="0" * 64,
        now=NOW,
    )
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    while advance_community(community_id=community.id, now=NOW).any:
        worker.settle_inbox(now=NOW)
    worker.give_back()
    roll_up_settled()

    found = list_interval_rollups(community_id=community.id, start=START, end=END)
    prices = {each.zone_id: each.price_micro_per_kwh for each in found}
    codes = dict(community.zones.values_list("code", "id"))
    north, south = prices[codes["north"]], prices[codes["south"]]
    # Only 50 Wh get through: power is dear where it is scarce.
    assert north is not None and south is not None and north < south
    stored = Clearing.objects.get().prices
    assert stored == {"north": north, "south": south, "far": prices[codes["far"]]}
