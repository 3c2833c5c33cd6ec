"""How often pages ask the database: as committed, and no oftener where there is more to show."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from marketplace.domain.forward.orders import BUY, SELL
from marketplace.domain.rules import preset
from marketplace.models import Agreement, CertificateBundle, CertificateCancellation, MeteringPoint
from marketplace.services.billing import preview_billing
from marketplace.services.certificate_use import (
    Choice,
    cancel_certificates,
    hand_over_certificates,
)
from marketplace.services.certificates import issue_due_certificates
from marketplace.services.halts import halt_trading, lift_halt
from marketplace.services.places import add_rule_set
from marketplace.services.pricing_comparison import ask_for_comparison, compute_asked_comparisons
from marketplace.services.production_devices import NewDevice, register_devices
from tests.api.test_orders import person
from tests.market.forward_street import ForwardStreet
from tests.web.city import NOW, City, signed_in
from tests.web.test_agreement_pages import agreements_path, form

COUNTS: dict[str, dict[str, int]] = json.loads(
    Path(__file__).with_name("query_counts.json").read_text()
)
START = datetime(2026, 6, 14, 16, tzinfo=UTC)
JUNE = date(2026, 6, 1)


def asked(client: Client, path: str) -> int:
    """Return how many queries a page takes that was visited before."""
    client.get(path)  # remembers the persona in the session
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200, path
    return len(queries)


def counted(city: City, section: str, **numbers: object) -> dict[str, int]:
    """Count the queries of all pages of a section, each as its reader."""
    found = {}
    for name in COUNTS[section]:
        path, reader = name.split(" as ")
        path = path.format(community=city.community_id, **city.participant_ids, **numbers)
        found[name] = asked(signed_in(reader), path)
    return found


def test_pages_ask_as_often_as_committed(city: City) -> None:
    """More queries than committed fail in review; fewer are committed as well."""
    assert counted(city, "a settled day") == COUNTS["a settled day"]


def test_more_to_show_asks_no_oftener(city: City) -> None:
    numbers = begin_market(city)
    fill_market(city, 1)
    numbers |= {
        "agreement": Agreement.objects.latest("id").pk,
        "cancellation": CertificateCancellation.objects.latest("id").public_id,
        "run": billed(city),
    }
    assert counted(city, "a busy market", **numbers) == COUNTS["a busy market"]
    fill_market(city, 3)
    billed(city)
    assert counted(city, "a busy market", **numbers) == COUNTS["a busy market"]


def test_more_orders_ask_no_oftener(db: None) -> None:
    now = timezone.now()
    street = ForwardStreet(now=now)
    trader = street.participant("alice")
    trader.role = "enterprise"
    trader.save()
    client = person(street, "alice")
    start = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC) + timedelta(hours=5)
    path = f"/enterprise/{trader.pk}/orders/?start={start:%Y-%m-%dT%H:%MZ}"
    for orders in (1, 4):
        for number in range(orders):
            street.place("alice", ("alice", SELL, 300_000 + number, 1_000), now=now, start=start)
            street.place("bob", ("bob", BUY, 400_000 + number, 1_000), now=now, start=start)
        street.book(now)
        assert {"order book": asked(client, path)} == COUNTS["a forward market"]


def begin_market(city: City) -> dict[str, object]:
    """Let the city know agreements and certificates; return an interval and a metering point."""
    document = preset("demo-agreements")
    add_rule_set(community_id=city.community_id, document=document, effective_from=NOW, now=NOW)
    register_devices(
        community_id=city.community_id,
        devices=[NewDevice(meter, "solar", 6_000, date(2024, 5, 1)) for meter in ("m0", "m2")],
        active_from=START,
        now=NOW,
    )
    issue_due_certificates(community_id=city.community_id, now=NOW)
    ask_for_comparison(community_id=city.community_id, month=JUNE, now=NOW)
    compute_asked_comparisons(now=NOW)
    point = MeteringPoint.objects.get(site__participant_id=city.participant_ids["alice"])
    interval = point.community.intervals.order_by("starts_at")[12]
    return {"interval": interval.pk, "point": point.pk}


def fill_market(city: City, times: int) -> None:
    """Add agreements, certificates that come and are used, and halts."""
    ids = city.participant_ids
    alice, bob = signed_in("alice"), signed_in("bob")
    holder = CertificateBundle.objects.values_list("holder", flat=True).order_by("id")[0]
    for number in range(times):
        price = f"0.4{Agreement.objects.count() + 1}"
        alice.post(agreements_path(city, "alice"), form(city, price=price))
        newest = Agreement.objects.latest("id").pk
        if number % 2 == 0:
            bob.post(f"{agreements_path(city, 'bob')}{newest}/accept")
        hand_over_certificates(
            participant_id=holder,
            receiver_id=ids["alice"],
            choice=Choice(START, NOW, wh=200),
            now=NOW,
        )
        cancel_certificates(
            participant_id=ids["alice"],
            choice=Choice(START, NOW, wh=50),
            purpose="bread",
            beneficiary="bakery",
            now=NOW,
        )
        halt = halt_trading(
            community_id=city.community_id,
            operator_id=ids["olga"],
            reason="a wrong tariff",
            until=None,
            now=NOW,
        )
        lift_halt(halt_id=halt.pk, operator_id=ids["olga"], now=NOW)


def billed(city: City) -> int:
    return preview_billing(
        community_id=city.community_id, month=JUNE, tax_ppm=0, tax_is_included=False, now=NOW
    )
