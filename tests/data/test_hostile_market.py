"""What greedy, hasty and leaving people do to the data market."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from analytics.domain.indicators import CALENDAR_DAYS_MAX, Indicator, running_days
from analytics.models import IndicatorSource
from analytics.services import indicators
from marketplace.errors import DeliveryClosed, Invalid, UploadTooLarge, VersionBeingMade
from marketplace.models import (
    DataContract,
    DataProduct,
    DataUpload,
    DataVersion,
    DataWish,
    Participant,
)
from marketplace.services.data import quotas, storage
from marketplace.services.data.contract_ends import draft_revocation, revoke_contract
from marketplace.services.data.planning import PlanningSource
from marketplace.services.data.products import create_product
from marketplace.services.data.quotas import upload_turn
from marketplace.services.data.storage import take_in
from marketplace.services.data.version_work import destroy_uploads
from marketplace.services.data.wishes import post_wish
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant
from tests.analytics.test_indicators import licensed
from tests.data.exchanging import NOW as EXCHANGED
from tests.data.exchanging import exchange, to_state, trader
from tests.data.publishing import TERMS, counts_csv, product_of, upload
from tests.data.test_wishes import wish
from tests.data.trading import NOW, Trade, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def trade(tmp_path: Path, settings: Settings) -> Iterator[Trade]:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    with world(build_trade) as trade:
        yield trade


def test_one_provider_does_not_fill_the_disk(trade: Trade, settings: Settings) -> None:
    first, second = product_of(trade.alice), product_of(trade.alice)
    asked: dict[str, Any] = {"participant_ids": [trade.alice]}
    with upload_turn(product_id=first, **asked):
        with pytest.raises(VersionBeingMade), upload_turn(product_id=second, **asked):
            pass
        others = product_of(trade.charlie)
        with upload_turn(product_id=others, participant_ids=[trade.charlie]):
            pass
    with upload_turn(product_id=second, **asked):
        pass
    content = counts_csv()
    upload(first, trade.alice, content)
    settings.DATA_QUOTA_BYTES = len(content)
    with (
        pytest.raises(UploadTooLarge, match="ask the operator"),
        upload_turn(product_id=second, **asked),
    ):
        pass
    settings.DATA_RESERVE_BYTES = 1 << 60
    with pytest.raises(UploadTooLarge, match="disk is full"):
        take_in([content])
    held = DataUpload.objects.values_list("token", flat=True)
    assert {path.name for path in storage.quarantine_path("x").parent.iterdir()} == set(held)


def test_one_provider_does_not_keep_the_hall_busy(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    def feed() -> int:
        return create_product(
            provider_id=trade.alice,
            is_feed=True,
            format_="gbfs",
            terms={**TERMS, "price": {"form": "free"}},
            source_url="https://feed.example/gbfs.json",
            now=NOW,
        )

    monkeypatch.setattr(quotas, "FEEDS_MAX", 1)
    feed()
    with pytest.raises(Invalid, match="live feeds"):
        feed()
    monkeypatch.setattr(quotas, "DRAFTS_MAX", 2)
    product_of(trade.alice)
    with pytest.raises(Invalid, match="drafts"):
        product_of(trade.alice)


def test_a_revoked_contract_takes_no_step_before_its_scan(trade: Trade) -> None:
    ada = trader("Ada", Participant.Role.DATA_PROVIDER)
    ben = trader("Ben", Participant.Role.ENTERPRISE, funds_micro=10**7)
    sold = exchange(ada, ben)
    to_state(sold, "OFFERED")
    named: dict[str, Any] = {
        "contract_id": sold.contract.pk,
        "participant_id": ada.participant_id,
        "now": EXCHANGED,
    }
    revoke_contract(**named, revocation=draft_revocation(**named), signature=None)
    with pytest.raises(DeliveryClosed, match="revoked"):
        sold.receive()
    assert sold.money == "HELD"


def test_who_is_erased_offers_and_asks_for_nothing_any_more(
    tmp_path: Path, settings: Settings
) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    trade = build_trade()  # a world's people are shared, and the keys to their names with them
    draft = product_of(trade.alice)
    upload(draft, trade.alice, counts_csv())
    listed = trade.product()
    agreed = trade.agree(listed)
    asked = wish(deadline_at=NOW + timedelta(days=9))
    post_wish(buyer_id=trade.bob, format_="counts", kind=1, wish=asked, now=NOW)
    for gone in (trade.alice, trade.bob):
        erase_subject(plan=plan_erasure_of_participant(participant_id=gone), now=NOW)
    states = DataProduct.objects.filter(provider=trade.alice).values_list("state", flat=True)
    assert set(states) == {DataProduct.State.WITHDRAWN}
    assert DataVersion.objects.get(product=draft).state == DataVersion.State.REFUSED
    assert not DataUpload.objects.filter(sealed_key__isnull=False).exists()
    assert destroy_uploads(now=NOW) == 1
    assert list(storage.quarantine_path("x").parent.iterdir()) == []
    assert DataWish.objects.get().state == DataWish.State.ENDED
    assert DataContract.objects.get(id=agreed.pk).state == DataContract.State.REVOKED


def test_one_odd_file_does_not_keep_the_city_from_the_others(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, fine = (licensed(trade, format_="counts", data=counts_csv()) for _ in range(2))
    maker = indicators.MAKERS["counts"]

    def make(source: PlanningSource) -> list[Indicator]:
        if source.product_id == odd.pk:
            raise KeyError("stop_id")
        return maker(source)

    monkeypatch.setitem(indicators.MAKERS, "counts", make)
    assert indicators.refresh_indicators(now=NOW) == 2
    problems = dict(IndicatorSource.objects.values_list("product_id", "problem"))
    assert problems == {odd.pk: "unreadable", fine.pk: ""}
    monkeypatch.undo()
    monkeypatch.setattr(indicators, "PLACES_MAX", 2)
    IndicatorSource.objects.all().delete()
    indicators.refresh_indicators(now=NOW)
    assert "more places" in IndicatorSource.objects.get(product_id=fine.pk).problem
    forever = running_days(date(1, 1, 1), date(9999, 12, 31), [True] * 7, set(), set())
    assert len(forever) == CALENDAR_DAYS_MAX
