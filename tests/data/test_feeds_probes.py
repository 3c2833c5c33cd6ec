"""The hall looks at a feed: what is sound is given out, what is not is seen, credited, disputed."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gbfs_validator import GBFS
from gbfs_validator.fetch import Fetcher
from pytest_django.fixtures import Settings

from gate.formats import check
from marketplace.domain.notices import NoticeKind
from marketplace.models import (
    DataCharge,
    DataProduct,
    FeedState,
    FeedWatch,
    Notice,
    ProbeDay,
    ProbeResult,
    ServiceReport,
)
from marketplace.queries.data.probes import list_days, list_looks
from marketplace.services.data import feed_fetching, probes, service_credits
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
    product = trade.product(is_feed=True, source_url=source.url("gbfs"))
    contract = trade.agree(product)
    settle(NOW)
    secret = make_secret(contract, NOW)
    for minute in range(10):
        seen = look(NOW + minute * MINUTE)
        # Written at the start and never again: two minutes old is what was promised.
        assert seen.problem == ("" if minute <= 2 else "stale")
    del secret
    charge = DataCharge.objects.get()
    over = charge.period_end
    assert service_credits.close_due_months(now=over) == 1
    report = ServiceReport.objects.get()
    missed = PROMISE.freshness_ppm - 300_000
    assert (report.look_count, report.fresh_count) == (10, 3)
    assert report.credit_ppm == min(1_000_000, missed * 10)
    settle(over)
    charge.refresh_from_db()
    assert charge.credit_micro == report.credit_micro > 0
    assert escrow()[0] == charge.due_micro - charge.credit_micro
    check_conserved(trade.bob)
    kinds = Notice.objects.filter(kind=NoticeKind.SERVICE_CREDIT.value)
    assert {each.participant_id for each in kinds} == {trade.alice, trade.bob}
