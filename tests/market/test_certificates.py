"""Certificates of origin: as many as were exported, never two for one Wh, used once."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import Error, IntegrityError, transaction
from django.db.models import F

from marketplace.domain.certificates.rows import unpack_moves
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.errors import Invalid, NameTaken
from marketplace.models import (
    CertificateBundle,
    CertificateDebt,
    CertificateEvent,
    CertificateIssuance,
    Match,
    ProductionDevice,
)
from marketplace.queries.certificate_hours import list_certified_hours, score_of
from marketplace.queries.certificate_pages import get_cancellation
from marketplace.services.certificate_use import Choice, hand_over_certificates
from marketplace.services.certificates import issue_due_certificates
from marketplace.services.production_devices import NewDevice, end_device, register_devices
from marketplace.services.readings import import_readings
from tests.market.certified_street import (
    FLOWS,
    NEXT_DAY,
    State,
    cancel,
    certified_street,
    held,
    issue,
    ledger,
    member,
)
from tests.market.street import START, Street, at
from tests.worlds import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def street(db: None) -> Iterator[Street]:
    with world(street_with_certificates) as street:
        yield street


def street_with_certificates() -> Street:
    """Return a street with one settled hour and its certificates."""
    street = certified_street()
    street.send(FLOWS)
    street.run(at(1))
    assert issue(street) == 1
    return street


def correct(street: Street, **flows: tuple[int, int]) -> None:
    """Send corrected readings, and let everything follow from them."""
    street.send(flows, now=NEXT_DAY)
    street.run(NEXT_DAY)
    assert issue(street) == 1


def test_as_many_are_issued_as_were_exported_and_go_with_the_trades(street: Street) -> None:
    assert sold_of(street) == {"charlie": 700, "dora": 500}
    left = {"alice": 900, "bob": 600}
    for seller, _buyer, wh in street.trades():
        left[seller] -= wh
    assert held(street) == {**sold_of(street), **{name: wh for name, wh in left.items() if wh}}
    books = ledger(street)
    parties = {"issued": -1500, "traded": 0, "cancelled": 0, "withdrawn": 0}
    assert books == parties | left | held(street)
    ranges = sorted(CertificateBundle.objects.values_list("first_wh", "last_wh"))
    assert ranges[0][0] == 0 and ranges[-1][1] == 1500
    assert all(last == first for (_, last), (first, _) in pairwise(ranges))
    assert issue(street) == 0  # twice is once


def test_what_is_estimated_or_has_no_device_is_not_certified() -> None:
    street = certified_street()
    flows = {**FLOWS, "charlie": (500, 100)}
    rows = [
        ReadingRow(meter, START.isoformat(), *energies, quality=int(meter == "bob"))
        for meter, energies in flows.items()
    ]
    import_readings(
        community_id=street.community.id,
        readings=readings_of_rows(minutes=60, rows=rows),
        source="estimated.csv",
        sha256="0" * 64,
        now=START,
    )
    street.run(at(1))
    issue(street)
    assert CertificateIssuance.objects.get().end_wh == 900
    street.send({"bob": (0, 650)}, now=NEXT_DAY)
    street.run(NEXT_DAY)
    issue(street)
    assert sum(held(street).values()) == 900 + 650


def test_no_certificate_can_be_in_two_bundles(street: Street) -> None:
    one = CertificateBundle.objects.order_by("first_wh")[0]
    with pytest.raises(IntegrityError, match="certificate_in_one_bundle"), transaction.atomic():
        CertificateBundle.objects.create(
            interval_id=one.interval_id,
            device_id=one.device_id,
            holder_id=one.holder_id,
            first_wh=one.last_wh - 1,
            last_wh=one.last_wh + 10**6,
            state=State.ACTIVE,
        )


def test_cancelled_is_cancelled(street: Street) -> None:
    cancellation = cancel(street, "charlie", 300)

    assert held(street)["charlie"] == 400
    assert held(street, state=State.CANCELLED) == {"charlie": 300}
    issue(street)
    assert ledger(street)["cancelled"] == 300 and ledger(street)["charlie"] == 400
    with pytest.raises(Invalid, match="400 Wh"):
        cancel(street, "charlie", 401)
    cancel(street, "charlie")
    with pytest.raises(Invalid, match="no certificates"):
        cancel(street, "charlie")
    # Whatever Python believes: the database lets nothing cancelled come back.
    cancelled = CertificateBundle.objects.filter(state=State.CANCELLED)
    for change in ({"state": State.ACTIVE, "cancellation": None}, {"holder": F("holder")}):
        with pytest.raises(Error, match="cannot be changed so"), transaction.atomic():
            cancelled.update(**change)
    line = get_cancellation(public_id=cancellation.public_id)
    assert line is not None and line.beneficiary == "Charlie's bakery" and line.wh == 300
    assert line.technologies == {"solar": 300} and line.starts_at == START
    assert hashlib.sha256(line.statement.encode()).hexdigest() == line.sha256


def test_handed_over_and_split(street: Street) -> None:
    dora, bob = member(street, "dora"), member(street, "bob")
    before = held(street)
    event = hand_over_certificates(
        participant_id=dora.id,
        receiver_id=bob.id,
        choice=Choice(START, at(1), wh=120),
        now=NEXT_DAY,
    )
    issue(street)

    assert held(street) == before | {"dora": 380, "bob": before.get("bob", 0) + 120}
    assert ledger(street)["dora"] == 380
    assert unpack_moves(bytes(event.moves)).wh.sum() == 120
    for receiver in (dora.id, 10**9):
        with pytest.raises(Invalid, match="no other member"):
            hand_over_certificates(
                participant_id=dora.id,
                receiver_id=receiver,
                choice=Choice(START, at(1)),
                now=NEXT_DAY,
            )


def test_a_correction_takes_back_withdraws_and_issues(street: Street) -> None:
    correct(street, alice=(0, 1000))
    assert sum(held(street).values()) == 1600

    # Everything falls: what was sold less comes back from its buyers, the rest is withdrawn.
    correct(street, alice=(0, 400), bob=(0, 200))
    assert held(street) == sold_of(street)
    assert sum(held(street, state=State.WITHDRAWN).values()) == 1000
    books = ledger(street)
    assert (books["issued"], books["withdrawn"], books["traded"]) == (-1600, 1000, 0)
    assert {name: books[name] for name in FLOWS} == dict.fromkeys(FLOWS, 0) | held(street)
    assert not CertificateDebt.objects.exists()
    correct(street, alice=(0, 500), bob=(0, 0))
    assert held(street) == sold_of(street) and sum(held(street).values()) == 500


def sold_of(street: Street) -> dict[str, int]:
    """Return what buyers should hold where everything is sold."""
    wanted: dict[str, int] = {}
    for _seller, buyer, wh in street.trades():
        wanted[buyer] = wanted.get(buyer, 0) + wh
    return wanted


def test_what_was_used_cannot_be_withdrawn_and_is_owed(street: Street) -> None:
    cancel(street, "charlie")
    cancel(street, "dora")
    used = held(street, state=State.CANCELLED)
    assert sum(used.values()) == 1200

    correct(street, alice=(0, 0), bob=(0, 0))
    assert held(street) == {}
    owed = dict(CertificateDebt.objects.values_list("device__metering_point__code", "wh"))
    assert sum(owed.values()) == 1200
    correct(street, alice=(0, 100))  # and what is exported after all pays of it
    assert held(street) == {}

    street.send({name: (flow[0], flow[1] * 2) for name, flow in FLOWS.items()}, hour=1)
    street.run(NEXT_DAY)
    issue(street)

    assert sum(CertificateDebt.objects.values_list("wh", flat=True)) == 0
    withdrawn = held(street, hour=1, state=State.WITHDRAWN)
    assert sum(withdrawn.values()) == 1100
    assert sum(held(street, hour=1).values()) == 3000 - 1100
    # Over both hours there are as many as were exported, used ones included.
    there = held(street, hour=1), held(street), used
    assert sum(sum(each.values()) for each in there) == 3000 + 100
    books = ledger(street)
    assert -books["issued"] == books["cancelled"] + books["withdrawn"] + sum(
        books[name] for name in FLOWS
    )


def test_consumption_is_matched_hour_by_hour(street: Street) -> None:
    street.send({"alice": (0, 0), "bob": (0, 0), "charlie": (900, 0), "dora": (100, 0)}, hour=1)
    street.run(at(2))
    issue(street)
    charlie, dora = member(street, "charlie"), member(street, "dora")
    hand_over_certificates(
        participant_id=dora.id,
        receiver_id=charlie.id,
        choice=Choice(START, at(1)),
        now=NEXT_DAY,
    )
    cancellation = cancel(street, "charlie", by_hour=True)

    assert cancellation.event.quantity_wh == 700  # 1200 are held, but only 700 were used then
    hours = list_certified_hours(
        participant_id=charlie.id, zone="Asia/Shanghai", start=START, end=at(24)
    )
    assert [(h.used_wh, h.cancelled_wh, h.held_wh) for h in hours] == [(700, 700, 500), (900, 0, 0)]
    assert score_of(hours).score == 700 / 1600


def test_devices_are_registered_once_and_not_for_the_past(street: Street) -> None:
    device = NewDevice("charlie", "wind", 1_000, (START - timedelta(days=2)).date())
    with pytest.raises(Invalid, match="issued up to"):
        register_devices(
            community_id=street.community.id, devices=[device], active_from=START, now=NEXT_DAY
        )
    register_devices(
        community_id=street.community.id, devices=[device], active_from=at(1), now=NEXT_DAY
    )
    with pytest.raises(NameTaken):
        register_devices(
            community_id=street.community.id, devices=[device], active_from=at(2), now=NEXT_DAY
        )
    end_device(device_id=ProductionDevice.objects.get(technology="wind").id, active_until=at(1))


def test_every_match_of_a_day_is_one_event() -> None:
    street = certified_street()
    for hour in range(3):
        street.send(FLOWS, hour=hour)
    street.run(at(3))
    assert issue(street) == 3
    event = CertificateEvent.objects.get()
    assert event.quantity_wh == 4500
    moved = unpack_moves(bytes(event.moves))
    assert len(moved) == 6 + Match.objects.count()


def test_what_dies_halfway_has_not_begun() -> None:
    street = certified_street()
    street.send(FLOWS)
    street.run(at(1))
    with transaction.atomic():
        assert issue_due_certificates(community_id=street.community.id, now=NEXT_DAY) == 1
        assert CertificateBundle.objects.exists()
        transaction.set_rollback(True)  # as when the connection goes
    assert not CertificateBundle.objects.exists() and not CertificateIssuance.objects.exists()
    street.send({"bob": (0, 650)}, now=NEXT_DAY)
    assert issue(street) == 0  # first the market takes the reading in
    street.run(NEXT_DAY)
    assert issue(street) == 1
    assert ledger(street)["issued"] == -1550
