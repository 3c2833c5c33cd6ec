"""A feed opens to a credential of its contract, is counted exactly, and ends with a credit."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.models import (
    DataCharge,
    DataContract,
    FeedCredential,
    FeedState,
    FeedUse,
    ProbeResult,
    ServiceReport,
)
from marketplace.services.data import feed_rate, service_credits
from marketplace.services.data.credentials import revoke_credential
from tests.data.charged import check_conserved, escrow, settle
from tests.data.feeding import METERED, ask, buy_feed, make_secret
from tests.data.trading import Trade, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def trade() -> Any:
    with world(build_trade) as built:
        yield built


def counts(contract: DataContract) -> tuple[int, int]:
    use = FeedUse.objects.get(charge__contract=contract)
    return use.request_count, use.record_count


def test_files_are_given_counted_and_given_again_by_their_tag(trade: Trade) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now, price=METERED)
    secret = make_secret(contract, now)
    assert FeedCredential.objects.get().secret_sha256 not in secret

    found = ask(contract, secret, "gbfs.json").json()
    base = f"http://testserver/feeds/{contract.product_id}/"
    urls = [each["url"] for each in found["data"]["en"]["feeds"]]
    assert urls == [f"{base}station_status.json", f"{base}free_bike_status.json"]
    stations = ask(contract, secret, "station_status.json", **{"Accept-Encoding": "gzip"})
    assert stations["Content-Encoding"] == "gzip"
    assert stations["Cache-Control"].startswith("private")
    assert counts(contract) == (2, 41)

    again = ask(contract, secret, "station_status.json", **{"If-None-Match": stations["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert counts(contract) == (3, 41)

    assert ask(contract, secret, "system_alerts.json").status_code == 404
    for wrong in ("", "nonsense"):
        answer = ask(contract, wrong, "gbfs.json")
        assert (answer.status_code, answer.json()["code"]) == (401, "credential_unknown")
    assert counts(contract) == (3, 41)

    # 100 records are what the cap buys: 41 taken, 40 more, and the third time is too much.
    assert ask(contract, secret, "station_status.json").status_code == 200
    refused = ask(contract, secret, "station_status.json")
    assert (refused.status_code, refused.json()["code"]) == (402, "cap_reached")
    assert counts(contract) == (4, 81)
    with pytest.raises(IntegrityError), transaction.atomic():
        FeedUse.objects.update(record_count=101)


def test_vehicles_have_names_of_the_buyers_own(trade: Trade) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now)
    secret = make_secret(contract, now)
    first, again = (
        [
            bike["bike_id"]
            for bike in ask(contract, secret, "free_bike_status.json").json()["data"]["bikes"]
        ]
        for _ in range(2)
    )
    assert first == again and len(set(first)) == 5
    other = trade.agree(contract.product, now=now + timedelta(microseconds=1))
    settle(now)
    theirs = ask(other, make_secret(other, now), "free_bike_status.json")
    assert b"bike-" not in theirs.content and b"rental_uris" not in theirs.content
    assert not set(first) & {bike["bike_id"] for bike in theirs.json()["data"]["bikes"]}


def test_what_is_revoked_opens_nothing_from_then_on(trade: Trade) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now)
    secret, other = make_secret(contract, now), make_secret(contract, now)
    assert ask(contract, secret, "gbfs.json").status_code == 200
    first = FeedCredential.objects.order_by("id")[0]
    revoke_credential(credential_id=first.pk, participant_ids=[trade.bob], now=now)
    refused = ask(contract, secret, "gbfs.json")
    assert (refused.status_code, refused.json()["code"]) == (403, "credential_revoked")
    assert ask(contract, other, "gbfs.json").status_code == 200
    stream = ask(contract, other, "events")
    events = iter(stream.streaming_content)
    assert b"event: hello" in next(events)
    FeedState.objects.filter(name="gbfs.json").update(changed_at=timezone.now())
    assert b'{"file": "gbfs.json", "etag": "W/' in next(events)
    # Opening it was one request; no records were taken by it.
    assert counts(contract) == (3, 2)

    DataContract.objects.update(state=DataContract.State.ENDED, closed_at=now)
    refused = ask(contract, other, "gbfs.json")
    assert refused.json()["code"] == "contract_not_in_force"
    assert b"event: closed" in b"".join(events)
    with pytest.raises(IntegrityError), transaction.atomic():
        FeedCredential.objects.filter(id=first.pk).update(revoked_at=None)


def test_who_asks_too_fast_is_told_when_to_come_back(
    trade: Trade, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now)
    secret = make_secret(contract, now)
    monkeypatch.setattr(feed_rate, "BURST", 3)
    settings.FEED_REQUESTS_PER_S = 1
    answers = (ask(contract, secret, "gbfs.json") for _ in range(100))
    assert [next(answers).status_code for _ in range(3)] == [200] * 3
    refused = next(each for each in answers if each.status_code == 429)
    assert int(refused["Retry-After"]) >= 1
    other = make_secret(contract, now)
    assert ask(contract, other, "gbfs.json").status_code == 200


def test_a_month_ends_with_what_was_taken_less_what_was_missed(trade: Trade) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now, price=METERED)
    secret = make_secret(contract, now)
    ask(contract, secret, "station_status.json")
    charge = DataCharge.objects.get()
    looks = [
        ProbeResult(
            product_id=contract.product_id,
            at=now + timedelta(milliseconds=number),
            is_up=number % 10 != 0,
            is_valid=True,
            age_s=30 if number % 4 else 500,
        )
        for number in range(100)
    ]
    ProbeResult.objects.bulk_create(looks)
    assert service_credits.close_due_months(now=now) == 0
    over = charge.period_end
    assert service_credits.close_due_months(now=over) == 1
    assert service_credits.close_due_months(now=over) == 0
    report, use = ServiceReport.objects.get(), FeedUse.objects.get(charge=charge)
    # 10 of 100 looks had no answer; of 90 answers 70 were young enough.
    assert (report.look_count, report.up_count, report.fresh_count) == (100, 90, 70)
    missed = 90_000 + 950_000 - 70 * 1_000_000 // 90
    assert (use.due_micro, report.due_micro) == (40_000, 40_000)
    assert report.credit_ppm == min(1_000_000, missed * 10)
    settle(over)
    charge.refresh_from_db()
    assert charge.state == DataCharge.State.IN_WINDOW
    assert (charge.due_micro, charge.credit_micro) == (40_000, report.credit_micro)
    assert escrow()[0] == 40_000 - report.credit_micro
    check_conserved(trade.bob)
    with pytest.raises(IntegrityError), transaction.atomic():
        FeedUse.objects.filter(charge=charge).update(request_count=9)
