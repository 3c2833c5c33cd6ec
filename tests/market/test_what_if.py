"""What-ifs: without a change they are the ledger to the unit; with one, energy is conserved."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.queries import get_balances
from ledger.services import SettlementWorker
from marketplace.domain.auction import Metered
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.market import clear_market
from marketplace.domain.readings.late import late_readings
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.what_if.change import Solar, changed_rules
from marketplace.domain.what_if.figures import PARTIES
from marketplace.domain.what_if.interval import SettledInterval, as_it_might_have_been, as_it_was
from marketplace.domain.what_if.solar import Roofs, draw_roofs, with_sun
from marketplace.errors import Invalid, WhatIfBusy
from marketplace.models import (
    Clearing,
    Community,
    DeliveryInterval,
    MeteringPoint,
    Participant,
    WhatIf,
    WhatIfDay,
)
from marketplace.queries.what_ifs import WhatIfAnswer, get_answer
from marketplace.services.agreements import accept_agreement, draft_agreement, propose_agreement
from marketplace.services.market_day import advance_community
from marketplace.services.people import add_participant
from marketplace.services.places import NewMember, add_members, create_community
from marketplace.services.readings import import_readings
from marketplace.services.standing import set_standing_rule
from marketplace.services.what_if_days import ATTEMPTS_MAX, compute_asked_what_ifs
from marketplace.services.what_if_period import Period
from marketplace.services.what_ifs import Seen, ask_for_what_if
from tests.market.form_2 import START as MOMENT
from tests.market.form_2 import Town, readings, towns
from tests.market.street import flat_rules

OPERATOR = Seen()
NOBODY = Roofs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
START = datetime.fromisoformat("2026-06-14T16:00:00+00:00")  # midnight in the community
FIRST, LAST = date(2026, 6, 15), date(2026, 6, 17)
METERS = tuple(f"home-{number}" for number in range(12))
LINK = {"limit_wh": 900, "loss_ppm": 20_000, "fee_micro_per_kwh": 7_000}
FEE_LINE = {
    "from_zone": "*",
    "to_zone": "*",
    "level": "*",
    "months": list(range(1, 13)),
    "days": "all",
    "from": "00:00",
    "to": "24:00",
    "price_micro_per_kwh": 10_001,
}
TWO_ZONES: dict[str, Any] = {
    "form": 2,
    "matching_order": ["contracts", "partners", "pool"],
    "zones": ["west", "east"],
    "links": [{"from": "west", "to": "east", **LINK}, {"from": "east", "to": "west", **LINK}],
    "grid_fees": {"formula": "table", "lines": [FEE_LINE]},
    "sharing_price_micro_per_kwh": None,
    "estimation": "none",
    "correction_deadline_days": 3,
    "minimum_group_size": 5,
}


def settled(town: Town, book: IntervalBook, cleared_book: IntervalBook) -> SettledInterval:
    return SettledInterval(
        MOMENT, 15, book, cleared_book, town.terms, town.agreements, town.auction
    )


@settings(max_examples=60)
@given(towns(), st.data())
def test_nothing_changed_gives_the_very_book_in_any_mode_and_pricing(
    town: Town, data: st.DataObject
) -> None:
    book = clear_market(
        rules=town.rules,
        terms=town.terms,
        metered=town.metered,
        over_limit=town.over_limit,
        agreements=town.agreements,
        auction=town.auction,
    ).book
    same = changed_rules(town.document, {})
    again = as_it_might_have_been(settled(town, book, book), same, NOBODY, Solar())
    assert again.book.canonical_bytes() == book.canonical_bytes()
    late = late_readings(
        terms=town.terms,
        metered=data.draw(readings(town.terms)),
        rules=town.rules,
        auction=town.auction,
    )
    amended = book.amended(late)
    past = settled(town, amended, book)
    again = as_it_might_have_been(past, same, NOBODY, Solar())
    assert again.book.canonical_bytes() == amended.canonical_bytes()
    assert as_it_was(past, same.base).book is amended


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=1, max_size=12),
    st.integers(0, 300),
    st.integers(0, 100),
    st.integers(0, 5),
)
def test_sun_is_conserved_and_draws_less_from_the_grid(
    flows: list[tuple[int, int]], percent: int, share: int, seed: int
) -> None:
    ids = np.arange(1, len(flows) + 1, dtype=np.int64)
    metered = Metered(ids, *(np.array(each, dtype=np.int64) for each in zip(*flows, strict=True)))
    with_roof = [at + 1 for at, (_, export) in enumerate(flows) if export]
    solar = Solar(percent=percent, roofs_percent=share, seed=seed)
    codes = {int(each): f"m{each}" for each in ids}
    new = draw_roofs(codes, with_roof=with_roof, solar=solar)
    assert new == draw_roofs(dict(reversed(codes.items())), with_roof=with_roof, solar=solar)
    assert len(new) == (len(flows) - len(with_roof)) * share // 100
    coarse = draw_roofs(codes, with_roof=with_roof, solar=solar, step=3)
    assert len(coarse) == len(new) // 3 * 3 and set(coarse) <= set(new)
    roofs = Roofs(np.array(with_roof, dtype=np.int64), np.array(new, dtype=np.int64))
    sunny = with_sun(metered, roofs, solar)
    net = sunny.metered.export_wh - sunny.metered.import_wh
    before = metered.export_wh - metered.import_wh
    if percent >= 100:
        assert (net == before + sunny.made_wh).all()
        assert (sunny.metered.export_wh >= metered.export_wh).all()
    assert (sunny.metered.import_wh == metered.import_wh - sunny.own_used_wh).all()
    assert (sunny.metered.import_wh >= 0).all() and (sunny.metered.export_wh >= 0).all()
    if solar == Solar(seed=seed):
        assert not sunny.made_wh.any() and (net == before).all()


def build(name: str, rules: dict[str, Any]) -> Community:
    """Let a community trade for three days; the last hour was corrected after the deadline."""
    community = create_community(name=name, rules_document=rules, effective_from=START, now=START)
    zones = rules.get("zones", [""])
    members = [
        NewMember(meter=meter, name=meter, zone=zones[at % len(zones)])
        for at, meter in enumerate(METERS)
    ]
    add_members(community_id=community.id, members=members, active_from=START, now=START)
    for meter in ("home-0", "home-2"):  # whoever leaves the price to the hall follows any fee
        set_standing_rule(
            metering_point_id=MeteringPoint.objects.get(community=community, code=meter).id,
            sell_at_or_above_micro_per_kwh=430_000,
            buy_at_or_below_micro_per_kwh=None,
            is_paused=False,
            valid_until=None,
            now=START,
        )
    if rules.get("form") == 2:
        agree(community)
    rows = [row for hour in range(0, 72, 6) for row in rows_of(hour)]
    send(community, rows, START)
    run(community, START + timedelta(days=4))
    send(
        community, [ReadingRow("home-1", at(66), 77, 0), ReadingRow("home-2", at(66), 0, 9)], START
    )
    run(community, START + timedelta(days=30))
    return community


def at(hour: int) -> str:
    return (START + timedelta(hours=hour)).isoformat()


def rows_of(hour: int) -> list[ReadingRow]:
    return [
        ReadingRow(
            meter,
            at(hour),
            *(
                (31 * number, 700 + 13 * number + hour)
                if number in (0, 2, 4, 6)
                else (590 + hour, 0)
            ),
        )
        for number, meter in enumerate(METERS)
        if (hour, number) != (66, 2)
    ]


def agree(community: Community) -> None:
    points = {each.code: each for each in MeteringPoint.objects.filter(community=community)}
    seller, buyer = points["home-0"], points["home-1"]
    text = draft_agreement(
        kind="partner",
        seller_point_id=seller.id,
        buyer_point_id=buyer.id,
        price_micro_per_kwh=333_333,
        maximum_wh=150,
        rank=1,
        valid_from=START,
        valid_until=None,
        now=START,
    )
    proposed = propose_agreement(
        text=text, participant_id=seller.site.participant_id, signature=None, now=START
    )
    accept_agreement(
        agreement_id=proposed.pk,
        participant_id=buyer.site.participant_id,
        signature=None,
        now=START,
    )


def send(community: Community, rows: list[ReadingRow], now: datetime) -> None:
    import_readings(
        community_id=community.id,
        readings=readings_of_rows(minutes=60, rows=rows),
        source="test",
        sha256="0" * 64,
        now=now,
    )


def run(community: Community, now: datetime) -> None:
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    moved = True
    while moved:
        moved = advance_community(community_id=community.id, now=now).any
        moved = bool(worker.settle_inbox(now=now)) or moved
    worker.give_back()


def ask(community: Community, change: dict[str, Any], seen: Seen = OPERATOR) -> WhatIf:
    planner = Participant.objects.filter(role="planner").first()
    asked_by = (
        planner.pk if planner else add_participant(role="planner", name="P", community_id=None)
    )
    return ask_for_what_if(
        community_id=community.id,
        asked_by_id=asked_by,
        first_day=FIRST,
        last_day=LAST,
        change=change,
        seen=seen,
        now=START + timedelta(days=31),
    )


def answer(community: Community, change: dict[str, Any]) -> WhatIfAnswer:
    asked = ask(community, change)
    compute_asked_what_ifs(now=START, seconds=60)
    return get_answer(what_if_id=asked.pk)


@pytest.mark.parametrize("rules", [flat_rules(correction_deadline_days=3), flat_rules(**TWO_ZONES)])
def test_what_happened_is_the_ledger_and_is_what_comes_out_unchanged(
    db: None, rules: dict[str, Any]
) -> None:
    community = build("Here", rules)
    found = answer(community, {})
    total = found.total
    assert total.actual == total.changed
    assert total.actual.zones[""]["interval_count"] == 12
    assert total.actual.zones[""]["bought_wh"] > 0
    accounts = {
        "supplier": community.supplier_account_id,
        "grid": community.grid_account_id or 0,
        "platform": community.platform_account_id,
        "pool": community.pool_account_id,
        "rounding": community.rounding_account_id,
    }
    members = Participant.objects.filter(community=community, energy_account_id__isnull=False)
    own = [each for each in members.values_list("energy_account_id", flat=True) if each]
    booked = get_balances(account_ids=[*own, *(each for each in accounts.values() if each)])
    for party in PARTIES[1:]:
        balance = booked[accounts[party]].posted if accounts[party] else 0
        assert total.actual.money[f"{party}_micro"] == balance, party
    assert total.actual.money["members_micro"] == sum(booked[each].posted for each in own)
    assert found.spread.same == found.spread.member_count == len(METERS)
    assert not WhatIfDay.objects.filter(members__isnull=False).exists()
    if "zones" in rules:
        assert found.zones == ("east", "west")
        assert total.actual.money["rent_micro"] > 0 and total.actual.money["congested_minutes"]

    dearer = answer(community, {"platform_fee_micro_per_kwh": 150_000})
    assert dearer.total.actual == total.actual
    assert dearer.total.changed.zones[""]["bought_wh"] < total.actual.zones[""]["bought_wh"]
    assert dearer.total.changed.money["members_micro"] < total.actual.money["members_micro"]
    sunny = answer(community, {"roofs_percent": 50, "seed": 7, "solar_percent": 200})
    was, might = sunny.total.actual.zones[""], sunny.total.changed.zones[""]
    assert might["export_wh"] > was["export_wh"]
    assert might["grid_import_wh"] < was["grid_import_wh"]
    assert (
        might["export_wh"] - might["import_wh"]
        == was["export_wh"] - was["import_wh"] + might["made_wh"]
    )
    for each in (dearer, sunny):
        assert sum(each.total.changed.money[f"{party}_micro"] for party in PARTIES) == 0


def test_a_killed_task_goes_on_with_the_day_it_was_at(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    community = build("Here", flat_rules(correction_deadline_days=3))
    asked = ask(community, {"retail_percent": 120})
    assert ask(community, {"retail_percent": 120, "seed": 3}).pk == asked.pk
    with pytest.raises(WhatIfBusy):
        ask(community, {})
    computed = Period.day
    killed: list[date] = []

    def dies_on_the_second(period: Period, day: date) -> WhatIfDay:
        if day > FIRST and len(killed) < 2:
            killed.append(day)
            raise SystemExit
        return computed(period, day)

    monkeypatch.setattr(Period, "day", dies_on_the_second)
    for done in (4, 4, 12):
        if done < 12:
            with pytest.raises(SystemExit):
                compute_asked_what_ifs(now=START, seconds=60)
        else:
            assert compute_asked_what_ifs(now=START, seconds=60) == 2
        asked.refresh_from_db()
        assert asked.done_count == done
    assert asked.computed_at is not None and asked.attempts == 0
    assert ask(community, {"retail_percent": 120}).pk == asked.pk

    other = ask(community, {"feed_in_percent": 50})
    WhatIf.objects.filter(id=other.pk).update(attempts=ATTEMPTS_MAX)
    assert compute_asked_what_ifs(now=START, seconds=60) == 0
    other.refresh_from_db()
    assert other.failed_at is not None
    assert ask(community, {"feed_in_percent": 50}).pk != other.pk


def test_what_cannot_be_asked_is_refused_by_name(db: None) -> None:
    community = build("Here", flat_rules(**TWO_ZONES))
    for change, field in (
        ({"fee": 3}, "fee"),
        ({"pricing": "guesswork"}, "pricing"),
        ({"feed_in_percent": 900}, "feed_in_tariff"),
        ({"preset": "demo-forward"}, "rules.mode"),
        ({"rules": {"form": 2}}, "change"),
        ({"rules": {**flat_rules(**TWO_ZONES), "currency": "EUR"}}, "rules.currency"),
        ({"solar_percent": 10**6}, "solar_percent"),
    ):
        with pytest.raises(Invalid) as refusal:
            ask(community, change)
        assert refusal.value.field == field, change
    # One home at a level of its own: a price for that level would tell what it used.
    MeteringPoint.objects.filter(community=community, code="home-3").update(voltage_level="10 kV")
    alone = {**FEE_LINE, "level": "10 kV", "price_micro_per_kwh": 0}
    probing = {**flat_rules(**TWO_ZONES), "grid_fees": {"formula": "table", "lines": [alone]}}
    intervals = DeliveryInterval.objects.filter(community=community)
    planner = Seen(revisions=dict.fromkeys(intervals.values_list("id", flat=True), 1))
    with pytest.raises(Invalid, match="fewer than 5 members"):
        ask(community, {"rules": probing}, planner)
    with pytest.raises(Invalid, match="leave the seed out"):
        ask(community, {"roofs_percent": 10, "seed": 1}, planner)
    hidden = replace(planner, is_whole=False)
    with pytest.raises(Invalid, match="are not shown"):
        ask(community, {"retail_tariff": flat_rules()["retail_tariff"]}, hidden)
    assert ask(community, {"rules": probing}).pk


def test_a_planner_is_told_of_the_revisions_that_were_released(db: None) -> None:
    community = build("Here", flat_rules(correction_deadline_days=3))
    last = DeliveryInterval.objects.get(community=community, starts_at=at(66))
    assert last.revision == 2
    intervals = DeliveryInterval.objects.filter(community=community)
    released = dict.fromkeys(intervals.exclude(starts_at=at(60)).values_list("id", flat=True), 1)
    asked = ask(community, {}, Seen(revisions=released))
    compute_asked_what_ifs(now=START, seconds=60)
    told = get_answer(what_if_id=asked.pk).total
    assert told.actual == told.changed
    assert told.actual.zones[""]["interval_count"] == 11
    books = Clearing.objects.filter(interval__in=released, revision=1)
    imported = sum(IntervalBook.unpacked(bytes(each.book)).import_wh.sum() for each in books)
    assert told.actual.zones[""]["import_wh"] == imported
    latest = answer(community, {}).total
    assert latest.actual.zones[""]["import_wh"] != imported
