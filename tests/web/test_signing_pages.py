"""Who signs, what was signed, and its end, as the pages show it."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from marketplace.domain.terms_document import own_key_body
from marketplace.models import MeteringPoint, Offer, SignedTerms, SigningKey
from tests.web.city import City, signed_in
from tests.web.test_rule_page import form, rule_path


def sent(private: Ed25519PrivateKey, body: str) -> dict[str, str]:
    """Return what the page's script sends of a text."""
    signature = base64.b64encode(private.sign(body.encode())).decode()
    return {"body": body, "signature": signature}


def register(client: Client, path: str, participant_id: int) -> Ed25519PrivateKey:
    """Do what the page's script does with a new key."""
    page = client.get(path).content.decode()
    [issued] = re.findall(r'data-issued="(\d+)"', page)
    private = Ed25519PrivateKey.generate()
    key = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    body = (
        f'{{"issued":"{issued}","key":"{key}","participant":"{participant_id}",'
        '"type":"heliopolis/own-key/1"}'
    )
    answer = client.post(f"{path}key", sent(private, body), follow=True)
    assert "only this browser can sign for you" in answer.content.decode()
    return private


def test_a_saved_rule_leads_to_what_was_signed(city: City) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    assert "Nobody signed this" in alice.get(path).content.decode()
    alice.post(path, form(point, sell="0.41"))
    signed = SignedTerms.objects.get()
    page = alice.get(path).content.decode()
    link = f"/member/{city.participant_ids['alice']}/terms/{signed.id}/"
    assert link in page and "the hall holds in your name" in page
    shown = alice.get(link).content.decode()
    for text in (signed.sha256, base64.b64encode(signed.signature).decode(), "410000", "0.41"):
        assert text in shown
    assert f"terms:{signed.id}" in shown and "waits to be booked" in shown
    for name in ("bob", "charlie", "olga", "erin"):
        assert signed_in(name).get(link).status_code == 404
    bob = city.participant_ids["bob"]
    assert signed_in("bob").get(f"/member/{bob}/terms/{signed.id}/").status_code == 404


def test_with_an_own_key_saving_asks_for_the_signature(city: City) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    private = register(alice, path, city.participant_ids["alice"])
    asked = alice.post(path, form(point, sell="0.41", buy="0.5")).content.decode()
    [body] = re.findall(r'name="body" value="([^"]+)"', asked)
    body = body.replace("&quot;", '"')
    assert "Sign with the key of this browser" in asked and not SignedTerms.objects.exists()

    stranger = Ed25519PrivateKey.generate()
    refused = alice.post(f"{path}accept", sent(stranger, body), follow=True).content.decode()
    assert "not this key&#x27;s over this text" in refused
    for nonsense in ({}, {"body": body, "signature": "%%"}, {"body": "{}", "signature": "AA=="}):
        assert alice.post(f"{path}accept", nonsense, follow=True).status_code == 200
    assert not SignedTerms.objects.exists()

    saved = alice.post(f"{path}accept", sent(private, body), follow=True).content.decode()
    assert "Your rule is saved" in saved and "Signed with a key of your own" in saved
    assert Offer.objects.filter(metering_point=point).latest("version").limit_price_micro == 410_000


def test_a_refused_limit_stays_beside_its_field_with_an_own_key_too(city: City) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    register(alice, path, city.participant_ids["alice"])
    assert 'class="wrong-text"' in alice.post(path, form(point, sell="999")).content.decode()


@pytest.mark.parametrize("is_own", [False, True])
def test_a_rule_is_revoked(city: City, is_own: bool) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    alice.post(path, form(point, sell="0.41"))
    if is_own:
        private = register(alice, path, city.participant_ids["alice"])
        asked = alice.post(f"{path}revoke").content.decode()
        [body] = re.findall(r'name="body" value="([^"]+)"', asked)
        assert "Sign your revocation" in asked
        done = alice.post(f"{path}revoke", sent(private, body.replace("&quot;", '"')), follow=True)
    else:
        done = alice.post(f"{path}revoke", follow=True)
    page = done.content.decode()
    assert "Your rule is revoked" in page and "No rule is in force" in page
    terms, revocation = SignedTerms.objects.order_by("id")
    base = f"/member/{city.participant_ids['alice']}/terms"
    assert "revoked" in alice.get(f"{base}/{terms.id}/").content.decode()
    assert terms.sha256 in alice.get(f"{base}/{revocation.id}/").content.decode()
    again = alice.post(f"{path}revoke", follow=True).content.decode()
    assert "No signed rule is in force" in again


def test_the_hall_takes_the_key_back(city: City) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    register(alice, path, city.participant_ids["alice"])
    page = alice.post(f"{path}key", {"holder": "hall"}, follow=True).content.decode()
    assert "From now on the hall signs for you" in page
    alice.post(path, form(point, sell="0.41"))
    assert [key.is_own for key in SigningKey.objects.order_by("id")] == [True, False]
    assert SignedTerms.objects.count() == 1


def test_nobody_signs_for_another_home(city: City) -> None:
    path, point = rule_path(city)
    alice, bob = city.participant_ids["alice"], city.participant_ids["bob"]
    private = Ed25519PrivateKey.generate()
    body = own_key_body(
        participant_id=alice,
        public_key=private.public_key().public_bytes_raw(),
        issued_at=MeteringPoint.objects.get(pk=point).active_from,
    ).decode()
    for step in ("accept", "revoke", "key"):
        for name in ("bob", "charlie", "olga", "erin"):
            answer = signed_in(name).post(f"{path}{step}", sent(private, body))
            assert answer.status_code == 404, (step, name)
        mixed = f"/member/{bob}/rule/{point}/{step}"
        assert signed_in("bob").post(mixed, sent(private, body)).status_code == 404
        assert signed_in("alice").get(f"{path}{step}").status_code == 405
    assert not SigningKey.objects.exists()


def test_what_differs_from_the_signature_is_said(city: City) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    alice.post(path, form(point, sell="0.41"))
    Offer.objects.filter(signed_terms__isnull=False).update(limit_price_micro=1)
    page = alice.get(path).content.decode()
    assert "not what was signed" in page


def test_a_program_cannot_sign_for_who_holds_the_key(city: City) -> None:
    path, point = rule_path(city)
    alice = signed_in("alice")
    address = f"/api/v1/standing-rules/{point}/"
    rule = {"sell_at_or_above_micro_per_kwh": 410_000, "buy_at_or_below_micro_per_kwh": None}
    assert alice.put(address, rule, "application/json").status_code == 200
    register(alice, path, city.participant_ids["alice"])
    refused = alice.put(address, rule, "application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "signature_needed")
