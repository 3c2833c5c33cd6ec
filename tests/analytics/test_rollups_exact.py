"""Rollups are, column by column, what pandas makes of raw readings, trades and transfers."""

import csv
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Model

from analytics.models import (
    DayRollup,
    FlowDay,
    IntervalRollup,
    LinkDay,
    MarketRollup,
    MemberDay,
    SavingsMonth,
    ZoneDay,
    ZoneHour,
)
from analytics.queries import figures
from analytics.queries.comparison import compare
from analytics.services import note_final_days, roll_up_due_days, roll_up_settled
from config.replay.agreeing import agree
from config.replay.pipeline import replay
from ledger.services import SettlementWorker
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.readings.writer import write_readings
from marketplace.domain.rules import preset
from marketplace.models import Community, Participant
from marketplace.queries.communities import find_community
from marketplace.queries.pages import find_persona, place_of
from marketplace.queries.people import list_meter_points
from marketplace.queries.statements import list_statement_lines, total_of
from marketplace.services.market_day import advance_community
from marketplace.services.places import NewMember
from marketplace.services.readings import import_readings
from tests.market.forward_street import START, ForwardStreet
from tests.market.test_forward_settlement import ALL, DEADLINE, TOO_LATE, run, send, traded_ahead
from tests.real_data import fontana_csv

SUMMER = Path(__file__).parents[2] / "fixtures" / "homes_summer_week.csv"
NOW = datetime(2026, 6, 20, tzinfo=UTC)
DAYS = ("2026-06-15", "2026-06-16")
METERS = tuple(f"H{number:02d}" for number in range(1, 18))
LINK = {"limit_wh": 900, "loss_ppm": 0, "fee_micro_per_kwh": 4_001}
RULES = {
    **preset("demo-agreements"),
    "zones": ["north", "south"],
    "links": [{"from": "north", "to": "south", **LINK}, {"from": "south", "to": "north", **LINK}],
    "grid_fees": {
        "formula": "table",
        "lines": [
            {
                **dict.fromkeys(("from_zone", "to_zone", "level"), "*"),
                "days": "all",
                "from": "00:00",
                "to": "24:00",
                "months": [6],
                "price_micro_per_kwh": 10_001,
            }
        ],
    },
}
STATED = (
    *("import_wh", "export_wh", "bought_wh", "sold_wh", "grid_import_wh", "grid_export_wh"),
    *("pool_sale_micro", "grid_sale_micro", "pool_purchase_micro", "grid_purchase_micro"),
    *("other_micro", "saved_micro", "net_micro"),
)


def differing(community: Community) -> list[str]:
    """Return what differs, after everything due was made."""
    while roll_up_settled() or roll_up_due_days(now=datetime.now(UTC)):
        pass
    found = list(compare(place=place_of(community), first=None, last=None))
    assert found
    return [f"{each.period} {what}" for each in found for what in each.differences]


def check_statements(community: Community) -> int:
    """Compare each member's days with their statement; return how many there are."""
    place, count = place_of(community), 0
    days = DayRollup.objects.filter(community_id=community.id).order_by("day")
    for participant_id in Participant.objects.filter(community=community).values_list(
        "id", flat=True
    ):
        persona = find_persona(participant_id=participant_id)
        assert persona is not None
        of_days = dict(
            figures.list_member_days(
                participant_id=participant_id,
                start=days[0].starts_at,
                end=days[len(days) - 1].ends_at,
            )
        )
        for day in days:
            lines = list_statement_lines(
                persona=persona, place=place, start=day.starts_at, end=day.ends_at
            )
            stated, rolled = total_of(lines), of_days.get(day.day)
            for name in STATED:
                value = getattr(rolled, name) if rolled else 0
                assert getattr(stated, name) == value, (participant_id, day.day, name)
            count += rolled is not None
    return count


def write_days(path: Path) -> Path:
    """Write two days of the summer week."""
    with SUMMER.open() as source, path.open("w") as out:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(out, rows.fieldnames or [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if row["start"].startswith(DAYS))
    return path


def homes_in_two_zones(folder: Path) -> Community:
    """Carry two days of 17 homes through a market with zones, links, fees and agreements."""

    def agreements(community_id: int, starts_at: datetime) -> None:
        points = list_meter_points(community_id=community_id)
        for kind, seller, buyer, price, rank in (
            ("contract", "H02", "H17", 430_001, None),
            ("partner", "H03", "H04", None, 1),
            ("gift", "H05", "H06", None, None),
        ):
            agree(
                kind=kind,  # type: ignore[arg-type]  # a literal of the loop's
                seller=points[seller],
                buyer=points[buyer],
                price_micro_per_kwh=price,
                rank=rank,
                now=starts_at,
            )

    zones = {meter: "south" if number % 3 else "north" for number, meter in enumerate(METERS)}
    replay(
        write_days(folder / "days.csv"),
        community_name="Homes",
        rules_document=RULES,
        timezone=None,
        now=NOW,
        members={
            meter: NewMember(
                meter=meter,
                name=meter,
                zone=zones[meter],
                role="enterprise" if meter in ("H09", "H17") else "household",
            )
            for meter in METERS
        },
        on_members=agreements,
    )
    return Community.objects.get(name="Homes")


def correct(community: Community, meter: str, start: str, now: datetime, wh: int) -> None:
    """Send another reading of a meter and let the market settle it."""
    import_readings(
        community_id=community.id,
        readings=readings_of_rows(minutes=60, rows=[ReadingRow(meter, start, wh, 17)]),
        source="late.csv",
        sha256="0" * 64,
        now=now,
    )
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    while advance_community(community_id=community.id, now=now).any:
        worker.settle_inbox(now=now)
    worker.give_back()


@pytest.mark.django_db
def test_homes_with_zones_agreements_and_late_corrections(tmp_path: Path) -> None:
    community = homes_in_two_zones(tmp_path)
    assert differing(community) == []
    everything = (IntervalRollup, MarketRollup, ZoneHour, ZoneDay, FlowDay, LinkDay, MemberDay)
    assert all(model.objects.exists() for model in everything)
    assert LinkDay.objects.filter(congested_minutes__gt=0, rent_micro__gt=0).exists()
    assert MemberDay.objects.filter(agreed_sold_wh__gt=0, agreed_micro__gt=0).exists()
    check_figures(community)

    before = dict(MemberDay.objects.filter(day=DAYS[0]).values_list("participant_id", "id"))
    in_time = datetime(2026, 6, 25, tzinfo=UTC)
    correct(community, "H03", "2026-06-16T12:00:00+08:00", in_time, wh=2_345)
    too_late = datetime(2026, 7, 30, tzinfo=UTC)
    correct(community, "H04", "2026-06-16T13:00:00+08:00", too_late, wh=1)
    roll_up_settled()
    assert [f"{each.day}" for each in DayRollup.objects.filter(is_due=True)] == [DAYS[1]]
    assert differing(community) == []
    assert check_statements(community) == len(METERS) * len(DAYS)
    # The day that nothing was corrected of was left alone.
    after = dict(MemberDay.objects.filter(day=DAYS[0]).values_list("participant_id", "id"))
    assert after == before
    check_finality(community)
    check_that_every_column_is_compared(community)


def check_figures(community: Community) -> None:
    """Compare what pages ask for by day, by hour and by parts of days."""
    first, last = DayRollup.objects.filter(community_id=community.id).order_by("day")
    of: dict[str, Any] = {
        "community_id": community.id,
        "start": first.starts_at,
        "end": last.ends_at,
    }
    both = figures.get_energies(**of)
    assert both.interval_count == 48 and both.import_wh > both.bought_wh > 0
    cut = first.starts_at + timedelta(hours=7)
    parts = [
        figures.get_energies(community_id=community.id, start=start, end=end)
        for start, end in ((first.starts_at, cut), (cut, last.ends_at))
    ]
    zones = figures.list_zone_energies(**of)
    hours = [bucket.energies for bucket in figures.list_hours(**of)]
    days = [bucket.energies for bucket in figures.list_days(**of)]
    assert (len(zones), len(hours), len(days)) == (2, 48, 2)
    for name in ("import_wh", "sold_wh", "grid_export_wh", "priced_wh", "priced_micro"):
        for split in (parts, zones, hours, days):
            assert sum(getattr(each, name) for each in split) == getattr(both, name), name
    assert both.meters_min == min(each.meters_min for each in hours)
    health = figures.get_market_health(**of)
    assert (health.wanted_wh, health.traded_wh) == (both.import_wh, both.bought_wh)
    flows = figures.list_flows(**of)
    traded = [each for each in flows if "grid" not in (each.from_group, each.to_group)]
    assert sum(each.wh for each in traded) == health.traded_wh
    assert sum(each.value_micro for each in traded) == health.value_micro
    links = figures.list_links(**of)
    assert sum(each.rent_micro for each in links) == health.rent_micro > 0
    peak = figures.get_peak(**of)
    assert peak is not None and peak.change_w <= 0
    spread = figures.list_savings(community_id=community.id, month=date(2026, 6, 1))
    assert [each.group for each in spread] == ["", "enterprise", "household"]
    assert spread[0].saved_micro == spread[1].saved_micro + spread[2].saved_micro


def check_finality(community: Community) -> None:
    day = DayRollup.objects.get(community_id=community.id, day=DAYS[0])
    basis = figures.get_basis(community_id=community.id, start=day.starts_at, end=day.ends_at)
    assert basis.is_complete and not basis.is_final
    assert note_final_days(now=day.ends_at + timedelta(days=30)) == 1
    assert note_final_days(now=day.ends_at + timedelta(days=30)) == 0
    basis = figures.get_basis(community_id=community.id, start=day.starts_at, end=day.ends_at)
    assert basis.is_final


def check_that_every_column_is_compared(community: Community) -> None:
    """Spoil each column of a row of each table: each is named, and all are mended."""
    spoiled = set()
    for model in (IntervalRollup, MarketRollup, ZoneHour, ZoneDay, FlowDay, LinkDay, MemberDay):
        row = model.objects.filter(community_id=community.id).order_by("-pk").first()
        assert row is not None
        changes = {name: (getattr(row, name) or 0) + 1 for name in _numbers(model)}
        model.objects.filter(pk=row.pk).update(**changes)
        spoiled |= {(model.__name__, name) for name in changes}
    place = place_of(community)
    found = {
        (what.table, what.column)
        for each in compare(place=place, first=None, last=None)
        for what in each.differences
    }
    assert spoiled <= found
    MemberDay.objects.filter(day=DAYS[0]).update(alone_micro=F("alone_micro") + 1)
    SavingsMonth.objects.update(gini_ppm=1)
    shown = StringIO()
    with pytest.raises(CommandError, match="made again"):
        call_command("compare_rollups", "--mend", stdout=shown)
    assert "alone_micro is" in shown.getvalue() and "gini_ppm is 1" in shown.getvalue()
    shown = StringIO()
    call_command("compare_rollups", "--community", "Homes", "--from", DAYS[1], stdout=shown)
    assert shown.getvalue() == "Homes: 2 days and months compared, 0 differ\n"
    with pytest.raises(CommandError, match="there are: Homes"):
        call_command("compare_rollups", "--community", "Nowhere")


def _numbers(model: type[Model]) -> list[str]:
    keys = {"id", "interval_id", "zone_id", "community_id", "participant_id", "revision"}
    keys |= {"from_zone_id", "to_zone_id"}
    kinds = {"BigIntegerField", "IntegerField"}
    fields = [each for each in model._meta.concrete_fields if each.get_internal_type() in kinds]
    return [each.name for each in fields if each.name not in keys]


@pytest.mark.django_db
@pytest.mark.parametrize("deviation", ["dual_price", "single_price", "own"])
def test_what_was_traded_ahead(deviation: str) -> None:
    street = ForwardStreet(deviation=deviation)
    traded_ahead(street)
    # Bob sends nothing in time: what the grid alone would have cost them is not known.
    send(street, {meter: ALL[meter] for meter in ALL if meter != "bob"}, DEADLINE)
    run(street, DEADLINE)
    assert differing(street.community) == []
    # By their own deviation, what Bob failed to deliver is nothing to anybody.
    assert check_statements(street.community) == len(ALL) - (deviation == "own")
    assert figures.get_energies(
        community_id=street.community.id, start=START, end=START + timedelta(hours=1)
    ).bought_wh

    send(street, {"bob": ALL["bob"], "charlie": (700, 3)}, TOO_LATE)
    run(street, TOO_LATE)
    assert differing(street.community) == []
    assert check_statements(street.community) == len(ALL)


def nsw_csv(real_data: Path, out: Path, *, days: int) -> Path:
    """Write half-hours of real homes; every third one's load stands in for a roof's surplus."""
    table = pq.read_table(real_data / "meters_nsw" / "sgsc_readings_a.parquet")
    frame = table.to_pandas()
    first = datetime(2013, 4, 6)  # noqa: DTZ001 - the source's wall clock
    chosen = (frame["reading_datetime"] >= first) & (
        frame["reading_datetime"] < first + timedelta(days=days)
    )
    frame = frame[chosen]
    customers = sorted(frame["customer_id"].unique())
    index = np.searchsorted(customers, frame["customer_id"].to_numpy())
    wh = np.rint(frame["general_supply_kwh"].to_numpy() * 1000).astype(np.int64)
    turned = index % 3 == 0
    seconds = frame["reading_datetime"].astype("datetime64[s]").astype("int64").to_numpy()
    offset = timedelta(hours=10)
    write_readings(
        out,
        meters=[f"N{each}" for each in customers],
        meter_index=index.astype(np.int32),
        start_epoch_s=seconds - int(offset.total_seconds()),
        minutes=30,
        import_wh=np.where(turned, 0, wh),
        export_wh=np.where(turned, wh, 0),
        offset=offset,
    )
    return out


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("write", "timezone"),
    [(fontana_csv, "America/Los_Angeles"), (nsw_csv, "Australia/Sydney")],
)
def test_real_homes(
    real_data: Path, tmp_path: Path, write: Callable[..., Path], timezone: str
) -> None:
    options: dict[str, Any] = {"community_name": "Real", "rules_document": preset("demo")}
    path = write(real_data, tmp_path / "real.csv", days=1)
    replay(path, **options, timezone=timezone, now=NOW)
    found = find_community(name="Real")
    assert found is not None
    community = Community.objects.get(name="Real")
    assert differing(community) == []
    assert check_statements(community) >= 17
