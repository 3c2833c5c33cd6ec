"""The city's figures: by hand, and from published versions, computed once and shown to all."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import h3
import numpy as np
import pytest
from django.test import Client
from pytest_django import Settings

from analytics.domain.indicators import (
    DayType,
    Indicator,
    Kind,
    balance,
    departures_by_hour,
    flows_by_month,
    running_days,
    traffic_by_hour,
)
from analytics.models import CityIndicator, IndicatorSource
from analytics.queries.indicators import list_balance, list_by_hour, list_flows
from analytics.services.indicators import refresh_indicators, sample_stations, timetable
from marketplace.models import DataProduct, DataVersion, FeedState
from marketplace.services.data import feed_copies
from marketplace.services.data.intake import confirm_version
from marketplace.services.data.products import list_product, withdraw_product
from marketplace.services.data.version_work import work_version
from tests.data.publishing import counts_csv, product_of, stations_csv, trips_csv, upload
from tests.data.trading import NOW, Trade, build_trade
from tests.worlds import world

FRIDAY = 16_136 * 86_400  # 2014-03-07


@pytest.fixture
def trade(db: None, tmp_path: Path, settings: Settings) -> Iterator[Trade]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    with world(build_trade) as trade:
        yield trade


def licensed(trade: Trade, *, format_: str, **files: bytes) -> DataProduct:
    """Publish a product that is licensed for planning."""
    product_id = product_of(trade.alice, format_=format_)
    DataProduct.objects.filter(id=product_id).update(is_for_planning=True)
    for role, content in files.items():
        version_id = upload(product_id, trade.alice, content, role=role)
    assert work_version(version_id=version_id, now=NOW)
    version = DataVersion.objects.get(id=version_id)
    if version.progress.get("step") == "preview":
        confirm_version(version_id=version_id, participant_ids=[trade.alice], now=NOW)
        assert work_version(version_id=version_id, now=NOW)
    list_product(product_id=product_id, participant_ids=[trade.alice], now=NOW)
    return DataProduct.objects.get(id=product_id)


def test_traffic_is_a_mean_over_what_was_counted() -> None:
    assert date.fromordinal(date(1970, 1, 1).toordinal() + 16_136).weekday() == 4
    hours = np.array([FRIDAY + 8 * 3600, FRIDAY + 8 * 3600 + 900, FRIDAY + 86_400], np.int64)
    found = traffic_by_hour(
        np.array([1, 1, 1]), ["never", "here"], hours, np.array([30, 50, 7]), 900
    )
    assert found == [
        Indicator(Kind.TRAFFIC, "here", "", "", DayType.WORKDAY, 8, 80, 1800),
        Indicator(Kind.TRAFFIC, "here", "", "", DayType.WEEKEND, 0, 7, 900),
    ]


def test_flows_are_sums_of_shown_cells_at_the_coarsest_area_and_their_balance() -> None:
    cells = [
        ("2014-03-01T08:00", "fine-a", "fine-b", 12),
        ("2014-03-31", "A", "B", 10),
        ("2014-03-01", "B", "fine-a", 11),
        ("2014-04-01", "A", "A", 40),
    ]
    flows = flows_by_month(cells, {"fine-a": "A", "fine-b": "B", "A": "A", "B": "B"})
    assert [(each.period, each.place, each.to_place, each.value) for each in flows] == [
        ("2014-03", "A", "B", 22),
        ("2014-03", "B", "A", 11),
        ("2014-04", "A", "A", 40),
    ]
    assert balance(flows) == {("2014-03", "A"): 11, ("2014-03", "B"): -11}


def test_departures_are_those_of_the_busiest_days() -> None:
    monday = date(2026, 11, 16)
    services = {
        "week": running_days(monday, date(2026, 11, 22), [True] * 5 + [False] * 2, set(), set()),
        "fair": [date(2026, 11, 18)],
        "sunday": [date(2026, 11, 22)],
    }
    assert len(services["week"]) == 5
    trips = {"w1": "week", "f1": "fair", "s1": "sunday"}
    departures = [
        ("w1", "Mall", 8 * 3600),
        ("f1", "Mall", 8 * 3600 + 59),
        ("s1", "Mall", 25 * 3600),
    ]
    found = departures_by_hour(services, trips, departures)
    assert [(each.day_type, each.hour, each.value) for each in found] == [
        (DayType.WORKDAY, 8, 2),
        (DayType.WEEKEND, 1, 1),
    ]


def test_a_product_becomes_figures_once_a_version_and_goes_with_its_licence(trade: Trade) -> None:
    product = licensed(trade, format_="counts", data=counts_csv(hours=48, sites=2))
    unlicensed = product_of(trade.alice)
    assert upload(unlicensed, trade.alice, counts_csv())
    assert refresh_indicators(now=NOW) == 1
    assert refresh_indicators(now=NOW) == 0
    # 2026-03-01 is a Sunday, the day after it a workday.
    [busiest, other] = list_by_hour(kind=Kind.TRAFFIC, day_type=DayType.WORKDAY)
    assert busiest.values == tuple(21 + hour for hour in range(24))
    assert other.values == tuple(20 + hour for hour in range(24))
    page = Client().get("/indicators").content.decode()
    assert "D001" in page
    assert "between 23:00 and 24:00" in page
    first = Client().get("/indicators/traffic.json?days=weekend")
    assert first.json()["sources"][0]["manifest_sha256"] == (
        IndicatorSource.objects.get().manifest_sha256
    )
    again = Client().get(
        "/indicators/traffic.json?days=weekend", headers={"If-None-Match": first["ETag"]}
    )
    assert again.status_code == 304
    rows = Client().get("/indicators/traffic.csv").content.decode().splitlines()
    assert rows[:2] == ["product,place,days,hour,value", f"{product.id},D001,workday,0,21"]
    assert Client().get("/indicators/energy.json").status_code == 404
    withdraw_product(product_id=product.id, participant_ids=[trade.alice], now=NOW)
    assert refresh_indicators(now=NOW) == 0
    assert not CityIndicator.objects.exists()


def test_trips_become_flows_of_what_the_gate_let_through(trade: Trade) -> None:
    licensed(trade, format_="trips", stations=stations_csv(), data=trips_csv())
    assert refresh_indicators(now=NOW) == 1
    flows = list_flows()
    assert 0 < sum(flow.trips for flow in flows) <= 600
    assert min(flow.trips for flow in flows) >= 10
    assert sum(line.surplus for line in list_balance(flows)) == 0
    latitude, longitude = h3.cell_to_latlng(flows[0].from_area)
    page = Client().get("/indicators?topic=flows").content.decode()
    assert f"{latitude:.3f}° N, {-longitude:.3f}° W" in page
    rows = Client().get("/indicators/flows.csv").content.decode().splitlines()
    assert rows[1].split(",")[2] == flows[0].from_area
    assert Client().get("/indicators?topic=balance").status_code == 200
    assert Client().get("/indicators/balance.csv").status_code == 200


def test_a_timetable_of_single_days_and_times_past_midnight(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("stops.txt", "stop_id,stop_name\ns1,Mall\n")
        zipped.writestr("trips.txt", "trip_id,service_id\nt1,x\n")
        zipped.writestr("calendar_dates.txt", "service_id,date,exception_type\nx,20261116,1\n")
        zipped.writestr("stop_times.txt", "trip_id,stop_id,departure_time\nt1,s1,24:10:00\n")
    path = tmp_path / "gtfs.zip"
    path.write_bytes(archive.getvalue())
    [found] = timetable(path)
    assert (found.place, found.day_type, found.hour, found.value) == (
        "Mall",
        DayType.WORKDAY,
        0,
        1,
    )


def test_cairns_runs_by_day_and_less_at_weekends(real_data: Path) -> None:
    found = timetable(real_data / "transit" / "gtfs" / "cairns_gtfs.zip")
    by_day = {
        day_type: sum(each.value for each in found if each.day_type == day_type)
        for day_type in (DayType.WORKDAY, DayType.WEEKEND)
    }
    assert by_day[DayType.WORKDAY] > by_day[DayType.WEEKEND] > 5_000
    hours = {each.hour for each in found}
    assert {7, 12, 17} <= hours


def test_how_full_stations_are_is_added_up_once_a_change(trade: Trade) -> None:
    product = trade.product(is_feed=True, is_for_planning=True)
    before = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # Saturday, 07:30 in Shanghai
    put_stations(product, [3, 18], before)
    assert sample_stations(now=before) == 1
    assert sample_stations(now=before) == 0
    put_stations(product, [6, 0], before + timedelta(minutes=5))
    assert sample_stations(now=before) == 1
    status = FeedState.objects.get(name="station_status.json")
    FeedState.objects.filter(id=status.id).update(sha256="0" * 64)  # the copy is damaged
    assert sample_stations(now=before) == 0
    refresh_indicators(now=before)  # does not drop what a feed is licensed for
    [mall, dock] = list_by_hour(kind=Kind.STATIONS, day_type=DayType.WEEKEND)
    assert (mall.place, mall.values[7], mall.values[8]) == ("Mall", 50, None)
    assert (dock.place, dock.values[7]) == ("Dock", 25)
    page = Client().get("/indicators?topic=stations&days=weekend").content.decode()
    assert "Mall, 7 h: 50" in page
    figures = Client().get("/indicators/stations.json?days=weekend").json()
    assert (figures["unit"], len(figures["figures"])) == ("percent", 2)


def put_stations(product: DataProduct, bikes: list[int], now: datetime) -> None:
    """Store a look at two stations of 18 places."""
    names = ("Dock", "Mall")
    documents: dict[str, Any] = {
        "system_information": {"timezone": "Asia/Shanghai"},
        "station_information": {
            "stations": [{"station_id": n, "name": n, "capacity": 18} for n in names]
        },
        "station_status": {
            "stations": [
                {"station_id": n, "num_bikes_available": count}
                for n, count in zip(names, bikes, strict=True)
            ]
        },
    }
    FeedState.objects.filter(product=product).delete()
    for name, data in documents.items():
        body = json.dumps({"data": data}).encode()
        FeedState.objects.create(
            product=product,
            name=f"{name}.json",
            sha256=feed_copies.store(product_id=product.pk, body=body),
            record_count=2,
            fetched_at=now,
            changed_at=now,
        )
