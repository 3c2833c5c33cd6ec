"""The hall looks at a feed: what is sound is given out, what is not is seen, credited, disputed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import gtfs_guru
import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from gbfs_validator import GBFS
from gbfs_validator.fetch import Fetcher
from google.transit import gtfs_realtime_pb2
from pytest_django.fixtures import Settings

from marketplace.domain.data.feed_files import as_given_out
from marketplace.domain.notices import NoticeKind
from marketplace.models import (
    DataCharge,
    DataContract,
    DataDispute,
    DataVersion,
    FeedState,
    FeedUse,
    Notice,
    ProbeDay,
    ProbeResult,
    ServiceReport,
)
from marketplace.queries.data.probes import list_days, list_looks
from marketplace.services.data import (
    disputes,
    feed_copies,
    feed_fetching,
    feed_versions,
    probes,
    service_credits,
)
from tests.data.charged import check_conserved, escrow, settle
from tests.data.feed_source import Source, running_source
from tests.data.feeding import ask, make_secret
from tests.data.trading import NOW, PROMISE, Trade, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def trade(settings: Settings) -> Iterator[Trade]:
    settings.FETCH_ALLOWS_LOOPBACK = True
    with world(build_trade) as built:
        yield built


@pytest.fixture
def source() -> Iterator[Source]:
    with running_source() as running:
        yield running


def look(now: datetime) -> ProbeResult:
    """Let the hall look, and return what it saw last."""
    assert probes.look_at_due_feeds(now=now) == 1
    return ProbeResult.objects.latest("id")


def bikes_at(source: Source, status: dict[str, Any], number: int, count: int) -> None:
    status["data"]["stations"][number]["num_bikes_available"] = count
    source.put("station_status", status)


def test_good_bytes_stay_when_bad_ones_come(
    trade: Trade, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.put_stations(4, NOW)
    product = trade.product(is_feed=True, source_url=source.url("gbfs"))
    first = look(NOW)
    assert (first.is_up, first.is_valid, first.problem) == (True, True, "")
    assert (first.age_s, first.record_count, first.completeness_ppm) == (0, 4, 1_000_000)
    assert set(FeedState.objects.values_list("name", flat=True)) == {
        *("gbfs.json", "system_information.json", "station_information.json"),
        "station_status.json",
    }
    good = FeedState.objects.get(name="station_status.json").sha256
    assert probes.look_at_due_feeds(now=NOW) == 0

    contradicting = source.get("station_status")
    bikes_at(source, contradicting, 0, 9999)
    seen = look(NOW + MINUTE)
    assert (seen.is_valid, seen.problem) == (False, "invalid")
    assert "count-over-capacity" in {each["code"] for each in seen.findings}

    source.files["/station_status"] = source.files["/station_status"][:200]
    assert look(NOW + 2 * MINUTE).problem == "invalid"
    source.files["/gbfs"] = b"<html>gone fishing</html>"
    assert look(NOW + 3 * MINUTE).problem == "unreadable"
    source.status = 500
    down = look(NOW + 4 * MINUTE)
    assert (down.is_up, down.problem, down.is_valid) == (False, "http_500", False)
    monkeypatch.setattr(feed_fetching, "FILE_S", 0.3)
    source.hangs.set()
    assert look(NOW + 5 * MINUTE).problem == "timeout"
    assert FeedState.objects.get(name="station_status.json").sha256 == good
    told = Notice.objects.filter(kind=NoticeKind.SERVICE_BREACH.value)
    assert [each.participant_id for each in told] == [trade.alice]

    day = ProbeDay.objects.get()
    assert (day.look_count, day.up_count, day.valid_count) == (6, 4, 1)
    assert len(list_days(product_id=product.pk, since=NOW.date())) == 1
    looks = list_looks(product_id=product.pk, start=NOW, end=NOW + 9 * MINUTE)
    assert [each.problem for each in looks][::-1] == [
        *("", "invalid", "invalid", "unreadable", "http_500", "timeout"),
    ]


def test_the_source_is_not_asked_from_inside_our_network(
    trade: Trade, source: Source, settings: Settings
) -> None:
    settings.FETCH_ALLOWS_LOOPBACK = False
    trade.product(is_feed=True, source_url=source.url("gbfs"))
    assert not look(NOW).is_up
    assert source.asked == []


def test_a_stale_feed_costs_its_seller_and_a_dispute_freezes_the_rest(
    trade: Trade, source: Source
) -> None:
    source.put_stations(4, NOW)
    gentle = replace(PROMISE, credit_ppm_per_percent=10_000)
    product = trade.product(
        is_feed=True, source_url=source.url("gbfs"), service_level=gentle.to_json()
    )
    trade.agree(product)
    settle(NOW)
    for minute in range(6):
        seen = look(NOW + minute * MINUTE)
        # Written at the start and never again: two minutes old is what was promised.
        assert seen.problem == ("" if minute <= 2 else "stale")
    charge = DataCharge.objects.get()
    over = charge.period_end
    assert service_credits.close_due_months(now=over) == 1
    report = ServiceReport.objects.get()
    assert (report.look_count, report.fresh_count) == (6, 3)
    assert report.credit_ppm == gentle.freshness_ppm - 500_000
    settle(over)
    charge.refresh_from_db()
    assert charge.credit_micro == report.credit_micro > 0
    assert escrow()[0] == charge.due_micro - charge.credit_micro
    check_conserved(trade.bob)
    kinds = Notice.objects.filter(kind=NoticeKind.SERVICE_CREDIT.value)
    assert {each.participant_id for each in kinds} == {trade.alice, trade.bob}

    # Half of it was stale, and Bob wants more than the credit: nothing is paid until it is decided.
    disputes.open_dispute(
        charge_id=charge.pk,
        participant_ids=[trade.bob],
        reason="stale_feed",
        statement="Three minutes out of six.",
        now=over,
    )
    frozen = escrow()
    settle(over + timedelta(days=30))
    assert escrow() == frozen == (charge.due_micro - charge.credit_micro,) * 2
    [measured] = [each for each in DataDispute.objects.get().evidence if each["kind"] == "probes"]
    assert measured
    check_conserved(trade.bob)


def take_in(trade: Trade, source: Source, name: str, **terms: Any) -> DataVersion:
    """Let Alice bring a feed, and the hall fetch it."""
    product = trade.product(is_feed=True, source_url=source.url(name), **terms)
    version_id = feed_versions.begin_feed_version(
        product_id=product.pk, participant_ids=[trade.alice], now=NOW
    )
    assert feed_versions.work_waiting_feeds(now=NOW) == 1
    return DataVersion.objects.get(id=version_id)


def test_a_feed_is_taken_in_once_it_is_valid(trade: Trade, source: Source) -> None:
    source.put_stations(3, NOW)
    source.files["/station_status"] = source.files["/station_status"].replace(b": 5,", b": 50,")
    refused = take_in(trade, source, "gbfs")
    assert refused.state == DataVersion.State.REFUSED
    assert (refused.refusal["code"], FeedState.objects.count()) == ("feed-invalid", 0)
    missing = take_in(trade, source, "nowhere")
    assert missing.refusal["code"] == "source-http-404"
    source.put_stations(3, NOW)
    ready = take_in(trade, source, "gbfs")
    assert (ready.state, ready.row_count) == (DataVersion.State.READY, 3)
    stored = FeedState.objects.filter(product=ready.product).values_list("sha256", flat=True)
    assert all(sha256.encode() in bytes(ready.manifest or b"") for sha256 in stored)
    assert feed_versions.work_waiting_feeds(now=NOW) == 0


def test_vehicles_of_public_transport_are_the_buyers_own(trade: Trade, source: Source) -> None:
    message = gtfs_realtime_pb2.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    message.header.timestamp = int(NOW.timestamp())
    for number in range(3):
        entity = message.entity.add(id=f"e{number}")
        entity.vehicle.trip.trip_id = f"trip-{number}"
        vehicle = entity.vehicle.vehicle
        vehicle.id, vehicle.label, vehicle.license_plate = f"bus-{number}", "Bus", f"B-US {number}"
    source.files["/rt.pb"] = message.SerializeToString()
    ready = take_in(trade, source, "rt.pb", format="gtfs-rt")
    assert ready.state == DataVersion.State.READY, ready.refusal
    contract = _bought(trade, ready)
    body = ask(contract, make_secret(contract, NOW), "gtfs-rt.pb").content
    assert not any(each in body for each in (b"bus-", b"B-US", b"Bus"))
    delivered = gtfs_realtime_pb2.FeedMessage.FromString(body)
    assert [each.vehicle.trip.trip_id for each in delivered.entity] == [
        "trip-0",
        "trip-1",
        "trip-2",
    ]
    assert len({each.vehicle.vehicle.id for each in delivered.entity}) == 3
    assert FeedUse.objects.get().record_count == 3


def test_only_old_looks_are_forgotten_and_none_is_edited(trade: Trade) -> None:
    product = trade.product(is_feed=True)
    now = timezone.now()
    for days in (0, 80, 100):
        ProbeResult.objects.create(product=product, at=now - timedelta(days=days), is_up=True)
    assert probes.forget_old_looks(now=now + timedelta(days=50)) == 1
    assert ProbeResult.objects.count() == 2
    for write in (
        lambda: ProbeResult.objects.all().delete(),
        lambda: ProbeResult.objects.update(is_up=False),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            write()


class Outside(Fetcher):  # type: ignore[misc]  # the validator ships no types
    """Fetches as a program of the buyer's does: over HTTP, with the credential."""

    def __init__(self, get: Callable[[str], bytes]) -> None:
        super().__init__()
        self._get = get

    def _read(self, url: str) -> bytes:
        return self._get(url)


def errors_of(address: str, get: Callable[[str], bytes]) -> list[tuple[str, str, str]]:
    """Return what the validator of the format finds: file, place and rule."""
    report = GBFS(address, docked=True, fetcher=Outside(get)).validation()
    assert report["summary"]["version"]["detected"]
    return [
        (file["file"], error["instancePath"], error["keyword"])
        for file in report["files"]
        for error in (file.get("errors") or [])
    ]


@pytest.mark.parametrize("version", ["v2.3", "v3.0"])
def test_the_official_feeds_are_delivered_as_they_are(
    trade: Trade, source: Source, real_data: Path, version: str
) -> None:
    source.put_folder(real_data / "transit" / "gbfs" / version, NOW)
    if version == "v3.0":
        _mend(source)
    ready = take_in(trade, source, "gbfs")
    assert ready.state == DataVersion.State.READY, ready.refusal
    contract = _bought(trade, ready)
    secret = make_secret(contract, NOW)

    def own(url: str) -> bytes:
        return source.files["/" + url.rpartition("/")[2].removesuffix(".json")]

    def delivered(url: str) -> bytes:
        assert url.startswith("http://testserver/feeds/")
        answer = ask(contract, secret, url.rpartition("/")[2])
        assert answer.status_code == 200, url
        return bytes(answer.content)

    address = f"http://testserver/feeds/{contract.product_id}/gbfs.json"
    found = errors_of(address, delivered)
    assert found == errors_of(source.url("gbfs"), own) == []
    name, one = {
        "v2.3": ("free_bike_status", "TST:Scooter:1234"),
        "v3.0": (
            "vehicle_status",
            "2b6488755477b6803d3e21072a3dbcff52fb8f806283fc73591c8053e6ad6125",
        ),
    }[version]
    assert one.encode() in source.files[f"/{name}"]
    assert one.encode() not in delivered(f"http://testserver/feeds/{name}.json")


def test_the_real_timetable_is_delivered_as_it_is(
    trade: Trade, source: Source, real_data: Path, tmp_path: Path
) -> None:
    original = real_data / "transit" / "gtfs" / "cairns_gtfs.zip"
    source.files["/cairns.zip"] = original.read_bytes()
    ready = take_in(trade, source, "cairns.zip", format="gtfs")
    assert ready.state == DataVersion.State.READY, ready.refusal
    contract = _bought(trade, ready)
    answer = ask(contract, make_secret(contract, NOW), "gtfs.zip")
    copy = tmp_path / "gtfs.zip"
    copy.write_bytes(answer.content)
    assert answer.content == original.read_bytes()
    reports = [gtfs_guru.validate(str(path), date="2014-06-15") for path in (original, copy)]
    assert [report.error_count for report in reports] == [0, 0]
    assert reports[0].warning_count == reports[1].warning_count == 29


def _mend(source: Source) -> None:
    """Let the official files of 3.0, which leave most stations without a status, agree."""
    status = source.get("station_status")
    [first, *_] = status["data"]["stations"]
    types = source.get("vehicle_types")["data"]["vehicle_types"]
    first["vehicle_types_available"] = [
        {"vehicle_type_id": types[0]["vehicle_type_id"], "count": first["num_vehicles_available"]}
    ]
    first.pop("vehicle_docks_available", None)
    stations = source.get("station_information")["data"]["stations"]
    status["data"]["stations"] = [{**first, "station_id": one["station_id"]} for one in stations]
    source.put("station_status", status)


def _bought(trade: Trade, version: DataVersion) -> DataContract:
    contract = trade.agree(version.product)
    settle(NOW)
    return contract


def test_a_source_does_not_choose_which_looks_count(
    trade: Trade, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.put_stations(4, NOW)
    trade.product(is_feed=True, source_url=source.url("gbfs"))
    assert look(NOW).is_valid

    def odd(*_: object, **__: object) -> None:
        raise KeyError("bikes")

    monkeypatch.setattr(probes, "served_files", odd)
    seen = look(NOW + MINUTE)
    assert (seen.is_valid, seen.problem) == (False, "unreadable")
    monkeypatch.undo()
    monkeypatch.setattr(probes, "fetch_feed", odd)
    seen = look(NOW + 2 * MINUTE)
    assert (seen.is_up, seen.is_valid, seen.problem) == (True, False, "unreadable")
    nasty = {"text": "station \0 and \ud800", "places": ["\0"]}
    assert feed_fetching.storable([nasty]) == [{"text": "station  and ?", "places": [""]}]


def test_a_vehicle_is_not_told_by_what_stands_beside_its_name() -> None:
    vehicle = {"bike_id": "b1", "lat": 1.5, "is_reserved": False, "plate": "X 1", "qr_code": "b1"}
    body = json.dumps({"data": {"bikes": [vehicle], "names": ["b1"]}}).encode()
    given = as_given_out("free_bike_status", body, lambda name: f"~{len(name)}")
    [told] = json.loads(given)["data"]["bikes"]
    assert told == {"bike_id": "~2", "lat": 1.5, "is_reserved": False}
    assert b"b1" not in given
    message = gtfs_realtime_pb2.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    entity = message.entity.add()
    entity.id = entity.vehicle.vehicle.id = "bus-17"
    odd = b"\xfa\x7d\x06bus-17"  # a field 2015 that the standard does not have
    given = feed_copies.renamed("gtfs-rt", message.SerializeToString() + odd, str.upper)
    assert b"bus-17" not in given and given.count(b"BUS-17") == 2
