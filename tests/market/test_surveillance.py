"""What the detectors are given by the tables: planted offenders are named, their neighbours not."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest

from config.replay.agreeing import agree
from marketplace.domain.readings.rows import ReadingRow, readings_of_rows
from marketplace.domain.surveillance import (
    Finding,
    find_concentration,
    find_late_cancelling,
    find_pairs,
)
from marketplace.models import Agreement, Alert, DeliveryInterval, Match, MeteringPoint
from marketplace.queries.watched_figures import WatchedDayFigures, read_day
from marketplace.services.readings import import_readings
from marketplace.services.surveillance import watch_community
from tests.market.forward_street import CLOSES, NOW, ForwardStreet
from tests.market.street import START as MORNING
from tests.market.street import Street, at
from tests.market.test_agreements import FORM_2

ZONE: Final = "Asia/Shanghai"
DAY: Final = date(2026, 6, 15)
PEOPLE: Final = (
    *("ann", "bob", "cat", "dan", "eve", "gil", "hal", "ida", "jon", "kim", "lea", "mia", "ned"),
    *("ora", "pat"),
)

# Seller, buyer, hour, energy [Wh], and what is unusual about the row.
TRADES: Final[list[tuple[str, str, int, int, dict[str, object]]]] = [
    ("ann", "bob", 0, 5_000, {}),
    ("bob", "ann", 1, 4_500, {}),
    ("cat", "cat2", 0, 300, {}),
    # Neighbours: one way, by agreement, on two days, of an old revision, not kept, far apart.
    ("dan", "eve", 0, 9_000, {}),
    ("gil", "hal", 0, 5_000, {"agreement": "theirs"}),
    ("hal", "gil", 1, 5_000, {}),
    ("ida", "jon", 0, 5_000, {}),
    ("jon", "ida", 20, 5_000, {}),
    ("kim", "lea", 0, 5_000, {}),
    ("lea", "kim", 1, 5_000, {"revision": 1}),
    ("mia", "ned", 0, 8_000, {}),
    ("ned", "mia", 1, 1_500, {}),
    ("ora", "pat", 0, 5_000, {}),
    ("pat", "ora", 1, 5_000, {"delivered_wh": 0}),
]


def figures(street: Street | ForwardStreet) -> WatchedDayFigures:
    return read_day(community_id=street.community.id, timezone=ZONE, day=DAY)


def named(findings: list[Finding], street: Street | ForwardStreet) -> set[tuple[str, ...]]:
    """Return rule and meters of those whom findings name."""
    points = MeteringPoint.objects.filter(community=street.community).order_by("-id")
    codes = dict(points.values_list("site__participant_id", "code"))
    return {
        (each.rule.value, *(codes[who] for who in (each.participant_id, each.other_id) if who))
        for each in findings
    }


@pytest.mark.django_db
def test_trades_with_oneself_and_back_and_forth_are_seen() -> None:
    street = Street(meters=PEOPLE, **FORM_2)
    points = {each.code: each for each in MeteringPoint.objects.select_related("site")}
    points["cat2"] = MeteringPoint.objects.create(
        community=street.community, site=points["cat"].site, code="cat2", active_from=MORNING
    )
    hours = {
        hour: DeliveryInterval.objects.create(
            community=street.community,
            rule_set=street.community.rule_sets.get(),
            starts_at=at(hour),
            ends_at=at(hour + 1),
            state=DeliveryInterval.State.SETTLED,
            revision=2,
        )
        for hour in (0, 1, 20)
    }
    contract = agreed(street, points["gil"], points["hal"])
    Match.objects.bulk_create(
        Match(
            seller_point=points[seller],
            buyer_point=points[buyer],
            interval=hours[hour],
            quantity=wh,
            price_micro=400_000,
            **{"revision": 2, **more, **({"agreement": contract} if "agreement" in more else {})},
        )
        for seller, buyer, hour, wh, more in TRADES
    )
    found = figures(street).trades
    assert named(find_pairs(found), street) == {("self_trade", "cat"), ("wash_pair", "ann", "bob")}
    person = {code: point.site.participant_id for code, point in points.items()}
    assert found.sold[person["ann"]] == 5_000 and found.bought[person["ann"]] == 4_500
    # What was agreed on is no trade of the pool.
    assert person["gil"] not in found.sold and found.sold[person["hal"]] == 5_000
    assert person["pat"] not in found.sold or found.sold[person["pat"]] == 0
    assert named(find_concentration(found), street) == set()
    # One seller of nearly everything is.
    Match.objects.create(
        seller_point=points["dan"],
        buyer_point=points["eve"],
        interval=hours[1],
        revision=2,
        quantity=90_000,
        price_micro=400_000,
    )
    assert named(find_concentration(figures(street).trades), street) == {
        ("concentration", "dan"),
        ("concentration", "eve"),
    }


def agreed(street: Street, seller: MeteringPoint, buyer: MeteringPoint) -> Agreement:
    agree(
        kind="contract",
        seller=(seller.id, seller.site.participant_id),
        buyer=(buyer.id, buyer.site.participant_id),
        price_micro_per_kwh=250_000,
        rank=None,
        now=MORNING,
    )
    return Agreement.objects.get(community=street.community)


@pytest.mark.django_db
def test_orders_taken_back_just_before_the_gate_are_seen() -> None:
    street = ForwardStreet()
    late, early = CLOSES - timedelta(minutes=5), CLOSES - timedelta(minutes=16)
    taken_back = {
        # Alice takes back three orders in the last minutes, and they are a large part of the book.
        "alice": [street.sell("alice", 300_000, 4_000) for _ in range(3)],
        # Bob takes back as much, but in time for others to see it.
        "bob": [street.sell("bob", 300_000, 4_000) for _ in range(3)],
        # Dora takes back late, but hardly anything.
        "dora": [street.sell("dora", 300_000, 10) for _ in range(3)],
    }
    # What Charlie's orders said from the beginning: they end when they end.
    for _ in range(3):
        street.buy("charlie", 500_000, 4_000, expires=late)
    street.buy("charlie", 500_000, 4_000)
    street.sell("dora", 300_000, 4_000)
    street.book(NOW)
    street.cancel("bob", *taken_back["bob"], now=early)
    for who in ("alice", "dora"):
        street.cancel(who, *taken_back[who], now=late)
    street.book(late)
    street.close()
    found = figures(street).cancellings
    assert {each.order_count for each in found} == {3} and len(found) == 2
    assert named(find_late_cancelling(found), street) == {("late_cancelling", "alice")}


# Five hours of two days, at the same civil hours, so that a day can be held against the one before.
NOON: Final = range(2, 7)
ROOF: Final = (900, 1_300, 1_500, 1_200, 700)


def profiles(day: int) -> dict[str, tuple[int, ...]]:
    """Return each meter's exports of a day's hours. [Wh]"""
    return {
        "ada": tuple(wh + 37 * day for wh in ROOF),
        # Bea's meter sends what Ada's does, Cy's what it sent the day before.
        "bea": tuple(wh + 37 for wh in ROOF) if day else (801, 1_201, 1_401, 1_101, 601),
        "cy": (750, 1_100, 1_350, 1_000, 500),
        # Neighbours: an hour later, one Wh off, the other way round, empty houses, two fridges.
        "dan": ((10, *ROOF[:4]), (47, *(wh + 37 for wh in ROOF[:4])))[day],
        "eve": tuple(wh + 37 * day + (place == 2) for place, wh in enumerate(ROOF)),
        "kit": tuple(wh + 37 * day for wh in ROOF[::-1]),
        "fay": (0,) * 5,
        "gil": (0,) * 5,
        "hal": (5, 6, 5, 6, 5 + day),
        "ida": (5, 6, 5, 6, 5 + day),
        # Sent as Ada's by mistake, and corrected.
        "jon": tuple(wh + 37 * day for wh in ROOF) if day else (1, 2, 3, 4, 5),
    }


@pytest.mark.django_db
def test_copied_readings_are_seen() -> None:
    street = Street(meters=tuple(profiles(0)))
    now = datetime(2026, 6, 16, 12, tzinfo=UTC)

    def send(day: int, sent: dict[str, tuple[int, ...]]) -> None:
        rows = [
            ReadingRow(meter, at(24 * day + hour).isoformat(), import_wh=0, export_wh=wh)
            for meter, exports in sent.items()
            for hour, wh in zip(NOON, exports, strict=True)
        ]
        import_readings(
            community_id=street.community.id,
            readings=readings_of_rows(minutes=60, rows=rows),
            source="test",
            sha256="0" * 64,
            now=now,
        )

    for day in (0, 1):
        send(day, profiles(day))
    send(1, {"jon": (2, 4, 6, 8, 11)})
    assert watch_community(community_id=street.community.id, now=now) == 2
    found = Alert.objects.filter(rule="readings_copied").order_by("metering_point__code")
    assert [
        (each.metering_point and each.metering_point.code, each.day, each.figures["of"])
        for each in found
    ] == [("bea", date(2026, 6, 16), "ada"), ("cy", date(2026, 6, 16), "2026-06-15")]
