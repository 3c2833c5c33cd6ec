"""Privacy: whoever looks is noted, and one's own data goes out whole and with nobody else's."""

import csv
import io
import json
import zipfile

import pytest
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client

from ledger.models import Account
from marketplace.models import Access, MeteringPoint
from marketplace.queries.own_data_parts import LEFT_OUT, PARTS
from marketplace.services.billing import preview_billing
from tests.web.city import NOW, City, signed_in
from tests.web.test_query_counts import JUNE


def path_of(city: City, name: str, page: str = "privacy/") -> str:
    return f"/member/{city.participant_ids[name]}/{page}"


def operator_pages(city: City) -> dict[str, tuple[str, str]]:
    """Return every address by which an operator sees a member's own data, and what is noted."""
    alice, olga = city.participant_ids["alice"], city.participant_ids["olga"]
    point = MeteringPoint.objects.get(site__participant_id=alice)
    interval = point.community.intervals.order_by("starts_at")[12].pk
    run = preview_billing(
        community_id=city.community_id, month=JUNE, tax_ppm=0, tax_is_included=False, now=NOW
    )
    gaps, runs = f"/operator/{olga}/gaps/{city.community_id}/", f"/operator/{olga}/billing/{run}/"
    return {
        gaps: ("readings", "page"),
        f"{gaps}{point.pk}/": ("readings", "page"),
        f"/why/{interval}/{point.pk}/": ("interval", "page"),
        runs: ("statement", "page"),
        f"{runs}statements.csv": ("statement", "file"),
        f"{runs}statements/{alice}": ("statement", "file"),
        f"/api/v1/readings/?metering_point={point.pk}": ("readings", "api"),
        f"/api/v1/gaps/?metering_point={point.pk}&first=2026-06-15&last=2026-06-15": (
            "readings",
            "api",
        ),
        f"/api/v1/standing-rules/{point.pk}/": ("rule", "api"),
        f"/api/v1/standing-rules/?participant={alice}": ("rule", "api"),
        f"/api/v1/metering-points/?participant={alice}": ("meter", "api"),
        f"/api/v1/statements/?participant={alice}": ("books", "api"),
    }


def test_each_look_of_an_operator_is_noted(city: City) -> None:
    olga, alice = signed_in("olga"), signed_in("alice")
    assert "Nobody yet" in alice.get(path_of(city, "alice")).content.decode()
    own = Access.objects.filter(participant=city.participant_ids["alice"])
    for address, (what, way) in operator_pages(city).items():
        seen = own.filter(what=what, way=way).values_list("count", flat=True).first() or 0
        assert olga.get(address).status_code == 200, address
        row = own.get(what=what, way=way)
        assert (row.count, row.viewer_id) == (seen + 1, city.participant_ids["olga"]), address
    kinds = set(own.values_list("what", "way"))
    # What alice sees of herself, and what others may see of all, is no look at her.
    for client, address in (
        (alice, path_of(city, "alice", "statement/")),
        (alice, path_of(city, "alice", "gaps/")),
        (signed_in("paul"), f"/planner/{city.participant_ids['paul']}/"),
        (signed_in("bob"), f"/community/{city.community_id}/"),
    ):
        assert client.get(address).status_code == 200
    assert set(own.values_list("what", "way")) == kinds
    page = alice.get(path_of(city, "alice")).content.decode()
    assert "Hall office · Operator" in page and "your statement" in page and "as a file" in page


def test_others_find_no_privacy_page(city: City) -> None:
    for name in ("bob", "charlie", "olga", "paul"):
        for page in ("privacy/", "privacy/data.zip"):
            assert signed_in(name).get(path_of(city, "alice", page)).status_code == 404
        for step in ("forget", "keep"):
            assert (
                signed_in(name).post(path_of(city, "alice", f"privacy/{step}")).status_code == 404
            )


def test_every_reference_to_a_participant_is_handed_out_or_left_out_for_a_reason(
    db: None,
) -> None:
    """A new table that refers to participants or their meters breaks this: add a part for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.conrelid::regclass || '.' || a.attname FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]"
            " WHERE c.contype = 'f' AND c.confrelid IN ('marketplace_participant'::regclass,"
            " 'marketplace_site'::regclass, 'marketplace_meteringpoint'::regclass)"
        )
        references = {name for (name,) in cursor.fetchall()}
        # These are kept without a constraint, since whole intervals of them are copied in.
        references |= {"marketplace_match.seller_point_id", "marketplace_match.buyer_point_id"}
    covered = {column for part in PARTS for column in part.covers}
    assert not covered & LEFT_OUT.keys()
    assert references - covered - LEFT_OUT.keys() == set()
    assert (covered | LEFT_OUT.keys()) - references == set()


def archive_of(client: Client, address: str) -> dict[str, str]:
    answer = client.get(address)
    assert answer.status_code == 200
    assert isinstance(answer, StreamingHttpResponse)
    pieces = b"".join(answer)
    archive = zipfile.ZipFile(io.BytesIO(pieces))
    assert archive.testzip() is None
    return {name: archive.read(name).decode() for name in archive.namelist()}


def test_my_data_is_whole_and_mine_alone(city: City) -> None:
    signed_in("olga").get(f"/operator/{city.participant_ids['olga']}/gaps/{city.community_id}/")
    files = archive_of(signed_in("alice"), path_of(city, "alice", "privacy/data.zip"))
    about = json.loads(files["about.json"])
    assert set(files) == {"about.json", "transfers.csv", *(f"{p.name}.{p.form}" for p in PARTS)}
    assert about["rows"]["readings.csv"] == 24 and about["rows"]["who_looked.csv"] == 1
    rows = list(csv.DictReader(io.StringIO(files["transfers.csv"])))
    account = city.persona("alice").energy_account_id or 0
    balance = Account.objects.get(pk=account).balance
    assert sum(int(row["amount_micro"]) for row in rows) == balance != 0
    sold = [
        row for row in csv.DictReader(io.StringIO(files["trades.csv"])) if row["side"] == "sold"
    ]
    lines = csv.DictReader(io.StringIO(files["readings.csv"]))
    assert sum(int(row["quantity_wh"]) for row in sold) <= sum(int(r["export_wh"]) for r in lines)
    everything = "".join(text for name, text in files.items() if name != "about.json")
    for other in ("bob", "erin", "olga"):
        persona = city.persona(other)
        point = MeteringPoint.objects.filter(site__participant_id=persona.participant_id).first()
        assert persona.name not in everything
        assert point is None or f"{point.code}," not in everything


@pytest.mark.parametrize("page", ["sharing/", "year/", "months/?step=sold", "privacy/"])
def test_pages_show_a_member_their_own(city: City, page: str) -> None:
    assert signed_in("alice").get(path_of(city, "alice", page)).status_code == 200
    assert signed_in("bob").get(path_of(city, "alice", page)).status_code == 404
