"""The standing rule: set by its owner, checked, kept as history."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from marketplace.models import MeteringPoint, Offer, Request
from tests.web.city import City, signed_in


def rule_path(city: City, name: str = "alice") -> tuple[str, int]:
    participant = city.participant_ids[name]
    point = MeteringPoint.objects.get(site__participant_id=participant).pk
    return f"/member/{participant}/rule/{point}/", point


def form(point: int, **fields: str) -> dict[str, str]:
    return {f"rule{point}-{name}": value for name, value in fields.items()}


def test_a_new_rule_is_a_new_version(city: City) -> None:
    path, point = rule_path(city)
    answer = signed_in("alice").post(path, form(point, sell="0.41", buy="0.500001"), follow=True)

    assert "Your rule is saved" in answer.content.decode()
    offers = list(Offer.objects.filter(metering_point=point).order_by("version"))
    requests = list(Request.objects.filter(metering_point=point).order_by("version"))
    assert [offer.limit_price_micro for offer in offers] == [None, 410_000]
    assert [request.limit_price_micro for request in requests] == [None, 500_001]
    assert offers[0].valid_until == offers[1].valid_from
    page = signed_in("alice").get(path).content.decode()
    assert "0.500001" in page
    assert "Earlier rules" in page


def test_pause_and_last_day(city: City) -> None:
    path, point = rule_path(city)
    last = (timezone.now() + timedelta(days=30)).date()
    fields = form(point, pause="on", last_day=last.isoformat())
    page = signed_in("alice").post(path, fields, follow=True).content.decode()

    offer = Offer.objects.filter(metering_point=point).latest("version")
    assert offer.is_paused
    midnight = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    assert offer.valid_until == midnight - timedelta(hours=8)  # Asia/Shanghai
    assert "paused" in page
    assert f'value="{last.isoformat()}"' in signed_in("alice").get(path).content.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"sell": "NaN"},
        {"sell": "0.4100001"},
        {"buy": "Infinity"},
        {"buy": "1e400"},
        {"sell": "1001"},
        {"sell": "-1001"},
        {"last_day": "2020-01-01"},
        {"last_day": "9999-12-31"},
        {"last_day": "tomorrow"},
        {"sell": "<b>1</b>"},
    ],
)
def test_nonsense_is_refused_beside_its_field(city: City, fields: dict[str, str]) -> None:
    path, point = rule_path(city)
    answer = signed_in("alice").post(path, form(point, **fields))

    if fields == {"last_day": "9999-12-31"}:  # the end of time: until further notice
        assert answer.status_code == 302
        return
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'class="wrong-text"' in page
    assert "<b>" not in page
    assert Offer.objects.filter(metering_point=point).count() == 1


def test_nobody_changes_another_home(city: City) -> None:
    path, point = rule_path(city)
    bob, _point = rule_path(city, "bob")
    for name in ("bob", "charlie", "olga", "erin"):
        assert signed_in(name).post(path, form(point, sell="0.1")).status_code == 404
    # Bob's own address with Alice's metering point.
    mixed = f"/member/{city.participant_ids['bob']}/rule/{point}/"
    assert bob != mixed
    assert signed_in("bob").post(mixed, form(point, sell="0.1")).status_code == 404
    assert Offer.objects.filter(metering_point=point).count() == 1
