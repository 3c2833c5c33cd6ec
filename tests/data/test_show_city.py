"""A real city's data: counts as a file; a timetable and bikes as feeds that go stale and break."""

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from pytest_django.fixtures import Settings

from gate.package import read_part
from marketplace.domain.data.service import ServiceLevel
from marketplace.models import (
    DataCharge,
    DataContract,
    DataDispute,
    DataProduct,
    DataVersion,
    Participant,
    ProbeResult,
    ServiceReport,
)
from marketplace.queries.data.catalogue import Filters, search
from marketplace.services.data import disputes, feed_versions, probes, service_credits, storage
from marketplace.services.data.charge_verification import verify_charges
from marketplace.services.data.products import list_product
from marketplace.services.data.version_work import work_version
from marketplace.services.people import add_participant
from tests.data import exchanging
from tests.data.charged import FUNDS, WINDOW, check_conserved, escrow, settle, wallet
from tests.data.exchanging import Exchange, opened, to_state, trader
from tests.data.feed_source import Source, running_source
from tests.data.feeding import ask, make_secret
from tests.data.publishing import product_of, upload
from tests.data.trading import NOW, Trade, build_trade
from tests.worlds import world

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
# One percent of the month's price for each percentage point, and nothing promised but this.
FRESH = ServiceLevel(freshness_ppm=950_000, max_age_s=120, credit_ppm_per_percent=10_000)
VALID = ServiceLevel(validity_ppm=990_000, credit_ppm_per_percent=10_000)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Settings) -> None:
    settings.DATA_FOLDER = tmp_path / "data"
    settings.DATA_KEY_FILE = tmp_path / "keys" / "data.key"
    settings.FETCH_ALLOWS_LOOPBACK = True


@pytest.fixture
def trade() -> Iterator[Trade]:
    with world(build_trade) as built:
        yield built


def test_counts_of_a_month_are_published_found_and_delivered_to_the_byte(real_data: Path) -> None:
    original = (real_data / "traffic_counts_boroondara" / "volumes_15min.csv.gz").read_bytes()
    role = Participant.Role
    ada = trader("Ada", role.DATA_PROVIDER)
    ben = trader("Ben", role.ENTERPRISE, funds_micro=exchanging.FUNDS_MICRO, has_own_key=True)
    product_id = product_of(
        ada.participant_id,
        title="Boroondara, 140 approaches, October 2006",
        reading={"columns": {}, "zone": "Australia/Melbourne"},
    )
    version_id = upload(product_id, ada.participant_id, original, name="volumes_15min.csv.gz")
    assert work_version(version_id=version_id, now=NOW)
    list_product(product_id=product_id, participant_ids=[ada.participant_id], now=NOW)

    version = DataVersion.objects.get(id=version_id)
    assert (version.state, version.row_count) == (DataVersion.State.READY, 402_432)
    # The hour that was not, on the day the clocks changed, is told to whoever wants to buy it.
    found = {each["code"]: each["count"] for each in version.findings}
    assert found["time-skipped"] == 137 * 4
    assert version.profile["start"] == "2006-09-30T14:00:00Z"
    page = search(filters=Filters(text="boroondara"))
    assert [line.id for line in page.lines] == [product_id]

    sold = Exchange(ada, ben, exchanging.agree(version, ada, ben, NOW).pk)
    to_state(sold, "KEY_OUT")
    with storage.package_path(version.package).open("rb") as file:
        cipher = file.read()
        file.seek(0)
        part = read_part(file, sold.manifest.package, sold.key(), "counts.csv.gz")
    assert original == part and original in opened(sold, cipher, sold.key())
    assert gzip.decompress(part).count(b"\n") - 1 == version.row_count
    assert (sold.state, sold.money) == ("KEY_OUT", "IN_WINDOW")


def test_feeds_go_stale_and_break_and_their_seller_pays_for_it(
    trade: Trade, real_data: Path
) -> None:
    transit = real_data / "transit"
    timetable = (transit / "gtfs" / "cairns_gtfs.zip").read_bytes()
    with running_source() as source:
        source.put_folder(transit / "gbfs" / "v2.3", NOW)
        source.files["/cairns.zip"] = timetable
        bikes = bought(trade, source, "gbfs", "gbfs", FRESH)
        buses = bought(trade, source, "cairns.zip", "gtfs", VALID)
        settle(NOW)
        good = delivered(bikes, "station_status.json")
        assert look(source, bikes, buses, NOW) == ("", "")
        # The bikes stand still, the timetable loses its stops; buyers keep what was sound last.
        source.files["/cairns.zip"] = without_stops(timetable)
        assert look(source, bikes, buses, NOW + HOUR) == ("stale", "invalid")
        assert delivered(bikes, "station_status.json") == good
        assert delivered(buses, "gtfs.zip") == timetable
    over = DataCharge.objects.get(contract=buses).period_end
    assert service_credits.close_due_months(now=over) == 2
    settle(over)

    # Half of the answers were too old, half invalid: 45 and 49 points of a hundred were missed.
    charges = {each: DataCharge.objects.get(contract=each, number=0) for each in (bikes, buses)}
    for contract, percent in ((bikes, 45), (buses, 49)):
        charge = charges[contract]
        assert ServiceReport.objects.get(charge=charge).credit_ppm == percent * 10_000
        assert charge.due_micro > 0
        assert abs(charge.credit_micro * 100 - charge.due_micro * percent) <= 50
    paid, frozen = (charges[each].due_micro - charges[each].credit_micro for each in (bikes, buses))
    assert escrow() == (paid + frozen, paid + frozen)
    assert wallet(trade.alice)[0] == 0

    dispute = disputes.open_dispute(
        charge_id=charges[buses].pk,
        participant_ids=[trade.bob],
        reason="broken_feed",
        statement="A timetable without stops is none.",
        now=over,
    )
    settle(over + 2 * WINDOW)
    assert wallet(trade.alice)[0] == paid
    assert escrow() == (frozen, frozen)
    evidence = DataDispute.objects.get(id=dispute).evidence
    assert "probes" in {each["kind"] for each in evidence}

    operator = add_participant(role="operator", name="Op")
    disputes.decide_dispute(
        dispute_id=dispute,
        operator_id=operator,
        refund_micro=frozen - 7,
        verdict="Half a month of it was of no use.",
        now=over + 2 * WINDOW,
    )
    settle(over + 2 * WINDOW)
    assert escrow() == (0, 0)
    assert wallet(trade.alice)[0] == paid + 7
    assert FUNDS - wallet(trade.bob)[0] == paid + 7
    check_conserved(trade.bob)
    assert verify_charges().charges >= 2


def bought(
    trade: Trade, source: Source, name: str, format_: str, level: ServiceLevel
) -> DataContract:
    """Let Alice bring a feed, and Bob subscribe to it."""
    product = trade.product(
        is_feed=True, format=format_, source_url=source.url(name), service_level=level.to_json()
    )
    version_id = feed_versions.begin_feed_version(
        product_id=product.pk, participant_ids=[trade.alice], now=NOW
    )
    assert feed_versions.work_waiting_feeds(now=NOW) == 1
    version = DataVersion.objects.get(id=version_id)
    assert version.state == DataVersion.State.READY, version.refusal
    return trade.agree(DataProduct.objects.get(id=product.pk))


def look(
    source: Source, bikes: DataContract, buses: DataContract, now: datetime
) -> tuple[str, str]:
    """Let the hall look at both; return what it complains about."""
    assert probes.look_at_due_feeds(now=now) == 2
    seen = {each.product_id: each.problem for each in ProbeResult.objects.filter(at=now)}
    return seen[bikes.product_id], seen[buses.product_id]


def without_stops(timetable: bytes) -> bytes:
    """Return a timetable whose vehicles stop where nothing is."""
    changed = BytesIO()
    with ZipFile(BytesIO(timetable)) as old, ZipFile(changed, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content if name != "stops.txt" else content.split(b"\n")[0])
    return changed.getvalue()


def delivered(contract: DataContract, name: str) -> bytes:
    answer = ask(contract, make_secret(contract, NOW), name)
    assert answer.status_code == 200
    return bytes(answer.content)
