"""Nine real months of bike trips: refused raw, gated, wished for, signed, received, paid out."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.csv as pcsv
import pytest
from django.db.models import Sum

from client.main import main
from gate.manifest import Manifest
from ledger.models import Account, InboxCommand
from marketplace.domain.data.wishes import Area, Wish
from marketplace.errors import ProductClosed
from marketplace.models import (
    DataDelivery,
    DataProduct,
    DataVersion,
    DataWishMatch,
    Notice,
)
from marketplace.services.data.intake import add_upload
from marketplace.services.data.products import create_product, list_product
from marketplace.services.data.storage import quarantine_path, take_in
from marketplace.services.data.version_verification import verify_versions
from marketplace.services.data.wishes import post_wish
from tests.client.conftest import Market
from tests.data.exchanging import Exchange, Trader
from tests.data.publishing import PIECE, TERMS

PRICE_MICRO = 40_000_000
TRIPS_FILE = "trips_2014_01_to_09.csv.gz"
TRIPS = 246_496
FLOWS = ("flows.csv", "flows.parquet", "areas.csv")
PROOFS = "heliopolis-proofs"
WAITS = 6


@pytest.fixture
def source(real_data: Path) -> Path:
    return real_data / "bikeshare_bayarea_2014"


def test_from_the_raw_file_to_the_money(
    source: Path, market: Market, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hall, ann, ben = market.hall, market.ann, market.ben
    is_never_listed_raw(market, source)
    by_hall, at_home = publish_both(market, source, tmp_path)
    is_wished_for_and_found(market, cheaper=at_home, other=by_hall)

    # Signed by both with keys that the hall does not have.
    before, earned = ben.balance, ann.balance
    capfd.readouterr()
    assert hall.client(ben, "buy", str(at_home), "--months", "3") == 0
    number = re.search(r"contract (\d+) proposed", capfd.readouterr().out)
    assert number is not None
    assert hall.client(ann, "sign", number[1]) == 0
    hall.go_on()
    assert hall.client(ann, "sell") == 0
    bought = Exchange(ann, ben, DataDelivery.objects.get(contract_id=int(number[1])).pk)
    got = tmp_path / "got"
    into = [str(bought.id), "--into", str(got)]
    assert hall.client(ben, "receive", *into) == WAITS
    assert ben.balance == before
    hall.go_on()
    assert hall.client(ben, "receive", *into) == 0
    assert (before - ben.balance, ann.balance) == (PRICE_MICRO, earned)

    hall.go_on()
    trusted = hall.publish_log()
    assert hall.client(ben, "receipts", *into) == 0
    is_what_was_promised(got, trusted, at_home)
    nobody_stands_alone(got)

    # Paid out when the window is over, and not a unit is lost or made.
    ends = bought.row.charge.window_ends_at
    assert ends is not None
    with at(market, ends - hall.now - timedelta(minutes=1)):
        hall.go_on()
        assert (bought.money, ann.balance) == ("IN_WINDOW", earned)
    with at(market, ends - hall.now):
        hall.go_on()
        assert (bought.state, bought.money) == ("ENDED", "PAID")
    assert (ben.balance, ann.balance) == (before - PRICE_MICRO, earned + PRICE_MICRO)
    sums = Account.objects.filter(unit="CNY/6").aggregate(
        owed=Sum("debits_posted") - Sum("credits_posted"),
        held=Sum("debits_pending") + Sum("credits_pending"),
    )
    assert sums == {"owed": 0, "held": 0}


def is_never_listed_raw(market: Market, source: Path) -> None:
    """Offer the trips as counts, which no gate would look at: refused, and destroyed."""
    disguised = product(market, market.ada, "counts")
    bring(market, market.ada, disguised, {"data": source / TRIPS_FILE})
    market.hall.go_on()
    refused = DataVersion.objects.get(product=disguised)
    assert (refused.state, refused.package) == (DataVersion.State.REFUSED, "")
    assert refused.refusal["code"] == "upload_unfit"
    assert "holds trips" in refused.refusal["text"]
    assert list(quarantine_path("x").parent.iterdir()) == []
    with pytest.raises(ProductClosed):
        list_own(market, market.ada, disguised)


def publish_both(market: Market, source: Path, folder: Path) -> tuple[int, int]:
    """Gate the file in the hall, and at its provider's home: the same table comes out."""
    hall, ada, ann = market.hall, market.ada, market.ann
    trips, stations = source / TRIPS_FILE, source / "stations.csv"
    by_hall, at_home = product(market, ada, "trips"), product(market, ann, "trips")
    bring(market, ada, by_hall, {"stations": stations, "data": trips})
    policy, gated = folder / "policy.json", folder / "gated"
    assert hall.client(ann, "policy", str(at_home), "--out", str(policy)) == 0
    told = ["--format", "trips", "--stations", str(stations), "--policy", str(policy)]
    assert hall.client(ann, "gate", str(trips), *told, "--out", str(gated)) == 0
    assert hall.client(ann, "publish", str(at_home), str(gated)) == WAITS
    for own, number in ((ada, by_hall), (ann, at_home)):
        with pytest.raises(ProductClosed):
            list_own(market, own, number)
    hall.go_on()
    for own, number in ((ada, by_hall), (ann, at_home)):
        list_own(market, own, number)
    one, other = (manifest_of(number).package for number in (by_hall, at_home))
    assert [one.part(name).sha256 for name in FLOWS] == [other.part(name).sha256 for name in FLOWS]
    hall.go_on()
    verify_versions()
    return by_hall, at_home


def is_wished_for_and_found(market: Market, *, cheaper: int, other: int) -> None:
    """Let Ben ask for bike flows, March to May: both cover it, and all three are told."""
    now = market.hall.now
    wish = Wish(
        title="bike flows, March to May",
        area=Area(-122_415_000, 37_775_000, -122_395_000, 37_795_000),
        first_day=date(2014, 3, 1),
        last_day=date(2014, 5, 31),
        resolution_s=3600,
        age_s=None,
        minimum_group=10,
        limit_price_micro=PRICE_MICRO + 1,
        deadline_at=now + timedelta(days=30),
    )
    id_ = post_wish(
        buyer_id=market.ben.participant_id,
        format_="trips",
        kind=DataProduct.Kind.FILE,
        wish=wish,
        now=now,
    )
    found = DataWishMatch.objects.filter(wish=id_).order_by("rank")
    lines = [(each.product_id, each.price_micro, each.uncovered_ppm) for each in found]
    assert lines == [(cheaper, PRICE_MICRO, 0), (other, PRICE_MICRO + 1, 0)]
    heard = Notice.objects.filter(kind__in=["wish_matched", "demand_matched"])
    assert {each.participant_id for each in heard} == {
        each.participant_id for each in (market.ada, market.ann, market.ben)
    }


def product(market: Market, provider: Trader, format_: str) -> int:
    """Make a product of the file, as its provider does."""
    terms: dict[str, Any] = {
        "title": "Bike flows of the bay, 2014",
        "theme": "bike-sharing-availability",
        "price": {"form": "one_off", "price_micro": PRICE_MICRO + (provider is market.ada)},
        "reading": {"columns": {}, "zone": "America/Los_Angeles"},
        "accepts_automatically": False,
    }
    return create_product(
        provider_id=provider.participant_id,
        is_feed=False,
        format_=format_,
        terms={**TERMS, **terms},
        now=market.hall.now,
    )


def bring(market: Market, provider: Trader, product_id: int, files: dict[str, Path]) -> None:
    """Upload files, and publish what the gate leaves of them."""
    for role, path in files.items():
        with path.open("rb") as file:
            add_upload(
                product_id=product_id,
                participant_ids=[provider.participant_id],
                upload=take_in(iter(lambda: file.read(PIECE), b"")),
                file_name=path.name,
                role=role,
                is_confirmed=True,
                now=market.hall.now,
            )


def manifest_of(product_id: int) -> Manifest:
    version = DataVersion.objects.get(product=product_id)
    assert version.state == DataVersion.State.READY, version.refusal
    return Manifest.from_bytes(bytes(version.manifest or b""))


def list_own(market: Market, provider: Trader, product_id: int) -> None:
    """List a product, as its provider does on its page."""
    own = [provider.participant_id]
    list_product(product_id=product_id, participant_ids=own, now=market.hall.now)


def is_what_was_promised(got: Path, trusted: Path, product_id: int) -> None:
    """Compare every byte with the manifest, and the manifest with the log."""
    version = DataVersion.objects.get(product=product_id)
    manifest = manifest_of(product_id)
    for part in manifest.package.parts:
        content = (got / part.name).read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (part.byte_count, part.sha256)
    assert (got / PROOFS / "manifest.json").read_bytes() == bytes(version.manifest or b"")
    logged = InboxCommand.objects.get(key=f"data-version:{version.pk}")
    assert logged.state == InboxCommand.State.BOOKED
    verify = ["verify", str(got), "--policy", str(trusted)]
    assert main(verify) == 0
    flows = got / "flows.csv"
    whole = flows.read_bytes()
    flows.write_bytes(whole.replace(b",10\n", b",11\n", 1))
    assert main(verify) == 5
    flows.write_bytes(whole)


def nobody_stands_alone(got: Path) -> None:
    """Read in the delivered report and table how alone people were, and are."""
    report = json.loads((got / "privacy-report.json").read_bytes())
    # Rounded to the smallest group, as every figure of what was taken away.
    assert report["rows_in"] == str(TRIPS // 10 * 10 + 10)
    before = {tuple(each["known"]): each for each in report["uniqueness"]["before"]}
    raw = before["start", "end", "from", "to", "person", "vehicle"]
    assert raw["alone"] == raw["rows"] == report["rows_in"]
    after = report["uniqueness"]["after"]
    alone = {(each["alone"], each["below_5"], each["below_minimum"]) for each in after}
    assert alone == {("0", "0", "0")}
    trips = pcsv.read_csv(got / "flows.csv")["trips"].to_pylist()
    assert (min(trips), sum(trips)) == (10, int(report["rows_out"]))
    assert sum(trips) > 0.99 * TRIPS


@contextmanager
def at(market: Market, ahead: timedelta) -> Iterator[None]:
    """Let the clock of scans and worker run ahead."""
    before = market.hall.ahead
    market.hall.ahead = before + ahead
    try:
        yield
    finally:
        market.hall.ahead = before
