"""Agreements as their two sides see them; nobody else does."""

import re
from datetime import timedelta

import pytest

from marketplace.domain.rules import preset
from marketplace.models import Agreement, MeteringPoint
from marketplace.services.places import add_rule_set
from tests.web.city import NOW, City, signed_in
from tests.web.test_rule_page import rule_path
from tests.web.test_signing_pages import register, sent


@pytest.fixture(autouse=True)
def rules(city: City) -> None:
    """Let the city's rules know agreements, from after its day on."""
    add_rule_set(
        community_id=city.community_id,
        document=preset("demo-agreements"),
        effective_from=NOW,
        now=NOW,
    )


def meter(city: City, name: str) -> MeteringPoint:
    return MeteringPoint.objects.get(site__participant_id=city.participant_ids[name])


def agreements_path(city: City, name: str) -> str:
    return f"/member/{city.participant_ids[name]}/agreements/"


def form(city: City, **changes: str) -> dict[str, str]:
    return {
        "kind": "contract",
        "side": "seller",
        "own_point": str(meter(city, "alice").pk),
        "other_meter": meter(city, "bob").code,
        "price": "0.42",
        "maximum": "1.5",
        "rank": "1",
        "first_day": "2099-01-01",
        "last_day": "",
        **changes,
    }


def test_one_proposes_the_other_signs_and_either_ends(city: City) -> None:
    alice, bob = signed_in("alice"), signed_in("bob")
    page = alice.post(agreements_path(city, "alice"), form(city), follow=True).content.decode()
    assert "waits for the other side" in page and "0.42" in page and "1.500 kWh" in page
    agreement = Agreement.objects.get()
    assert (agreement.price_micro_per_kwh, agreement.maximum_wh) == (420_000, 1500)

    path = f"{agreements_path(city, 'bob')}{agreement.pk}/"
    assert "Sign: I agree" in bob.get(path).content.decode()
    for name in ("charlie", "olga", "erin", "alice"):
        assert signed_in(name).get(path).status_code == 404
        assert signed_in(name).post(f"{path}accept").status_code == 404
    own = f"{agreements_path(city, 'alice')}{agreement.pk}/"
    assert alice.post(f"{own}accept").status_code == 404  # one side cannot sign for both

    signed = bob.post(f"{path}accept", follow=True).content.decode()
    assert "Both sides have signed" in signed and agreement.sha256 in signed
    assert f"agreement:{agreement.pk}" in signed
    ended = alice.post(f"{own}end", follow=True).content.decode()
    assert "The agreement has ended" in ended
    agreement.refresh_from_db()
    assert agreement.ended_at is not None and agreement.end_key is not None
    assert agreement.end_key.participant_id == city.participant_ids["alice"]


def test_what_does_not_fit_stays_beside_its_field(city: City) -> None:
    alice = signed_in("alice")
    for changes, words in (
        ({"price": ""}, "A contract names its price"),
        ({"other_meter": "no such meter"}, "No meter of this number"),
        ({"other_meter": meter(city, "alice").code}, "two different metering points"),
        ({"first_day": "2020-01-01"}, "still to come"),
        ({"last_day": "2098-01-01"}, "after the start"),
        ({"kind": "partner", "rank": "7"}, "7 is not one of the available choices"),
    ):
        page = alice.post(agreements_path(city, "alice"), form(city, **changes)).content.decode()
        assert words in page, words
    assert not Agreement.objects.exists()


def test_with_a_key_of_ones_own_the_browser_signs_both_ways(city: City) -> None:
    path, _ = rule_path(city)
    alice = signed_in("alice")
    private = register(alice, path, city.participant_ids["alice"])
    asked = alice.post(agreements_path(city, "alice"), form(city)).content.decode()
    assert "Sign the agreement" in asked and meter(city, "bob").code in asked
    body = re.findall(r'name="body" value="([^"]+)"', asked)[0].replace("&quot;", '"')
    assert not Agreement.objects.exists()
    propose = f"{agreements_path(city, 'alice')}propose"
    for nonsense in ({}, {"body": body, "signature": "%%"}, {"body": "{}", "signature": "AA=="}):
        alice.post(propose, nonsense, follow=True)
    assert not Agreement.objects.exists()
    page = alice.post(propose, sent(private, body), follow=True).content.decode()
    assert "Your proposal waits" in page

    agreement = Agreement.objects.get()
    bob_path = f"{agreements_path(city, 'bob')}{agreement.pk}/"
    signed_in("bob").post(f"{bob_path}accept")
    own = f"{agreements_path(city, 'alice')}{agreement.pk}/"
    asked = alice.post(f"{own}end").content.decode()
    assert "Sign the end of the agreement" in asked
    body = re.findall(r'name="body" value="([^"]+)"', asked)[0].replace("&quot;", '"')
    page = alice.post(f"{own}end", sent(private, body), follow=True).content.decode()
    assert "The agreement has ended" in page


def test_rules_without_agreements_offer_no_form(city: City) -> None:
    pool_alone = {**preset("demo-agreements"), "matching_order": ["pool"]}
    some = {**pool_alone, "matching_order": ["partners", "pool"]}
    page = signed_in("alice").get(agreements_path(city, "alice")).content.decode()
    assert 'value="contract"' in page and 'value="partner"' in page
    for version, (document, kinds) in enumerate(((some, ["partner"]), (pool_alone, []))):
        add_rule_set(
            community_id=city.community_id,
            document={**document, "name": f"changed {version}"},
            effective_from=NOW + timedelta(hours=1 + version),
            now=NOW,
        )
        page = signed_in("alice").get(agreements_path(city, "alice")).content.decode()
        assert re.findall('name="kind" value="([a-z]+)"', page) == kinds
