"""Signed terms: what a standing rule says, who signed it, and what happens when it is touched."""

import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import DatabaseError, transaction

from ledger.models import InboxCommand
from marketplace.domain.terms_document import (
    DRAFT_LASTS,
    Revocation,
    TermsDocument,
    own_key_body,
    sha256_of,
)
from marketplace.errors import (
    AlreadyErased,
    Invalid,
    NotFound,
    SignatureNeeded,
    TermsBroken,
)
from marketplace.models import Offer, Request, SignedTerms, SigningKey
from marketplace.queries.documents import get_document
from marketplace.queries.identity import identity_keys
from marketplace.queries.pages_rules import list_rule_versions
from marketplace.queries.signed_terms import find_signed, verify_terms
from marketplace.services.signed_terms import use_hall_key, use_own_key
from marketplace.services.standing import (
    accept_standing_terms,
    draft_revocation,
    draft_standing_terms,
    revoke_standing_rule,
)
from tests.conftest import CommittedDatabase
from tests.market.street import START, Street, at

PAIR = {"alice": (0, 1000), "bob": (0, 0), "charlie": (1000, 0), "dora": (0, 0)}


@pytest.fixture
def street(db: None) -> Street:
    return Street()


def only_signed() -> SignedTerms:
    return SignedTerms.objects.get()


def own_key(street: Street, meter: str, *, now: datetime = START) -> Ed25519PrivateKey:
    """Register a key of a member's own."""
    private = Ed25519PrivateKey.generate()
    participant_id = street.point(meter).site.participant_id
    body = own_key_body(
        participant_id=participant_id,
        public_key=private.public_key().public_bytes_raw(),
        issued_at=now,
    )
    use_own_key(participant_id=participant_id, body=body, signature=private.sign(body), now=now)
    return private


def draft(street: Street, meter: str, *, now: datetime = START) -> TermsDocument:
    return draft_standing_terms(
        metering_point_id=street.point(meter).id,
        sell_at_or_above_micro_per_kwh=300_000,
        buy_at_or_below_micro_per_kwh=None,
        is_paused=False,
        valid_until=None,
        now=now,
    )


def accept(
    street: Street, meter: str, body: bytes, signature: bytes, *, now: datetime = START
) -> TermsDocument:
    return accept_standing_terms(
        metering_point_id=street.point(meter).id, body=body, signature=signature, now=now
    )


def test_a_rule_is_signed_in_custody_and_logged(street: Street) -> None:
    document = street.set_rule("alice", sell=300_000)
    signed = only_signed()
    Ed25519PublicKey.from_public_bytes(document.public_key).verify(
        bytes(signed.signature), bytes(signed.body)
    )
    assert signed.sha256 == sha256_of(document.body())
    for listing in (Offer, Request):
        rows = listing._default_manager.filter(metering_point=street.point("alice"))
        assert [row.signed_terms_id for row in rows.order_by("version")] == [None, signed.id]
    logged = InboxCommand.objects.get(key=f"terms:{signed.id}")
    assert json.loads(bytes(logged.body))["document"] == {
        "kind": "terms",
        "private": {"terms": signed.sha256},
        "public": {},
    }
    street.run(at(0))
    line = find_signed(participant_id=document.participant_id, signed_terms_id=signed.id)
    assert line is not None and line.is_logged and not line.key.is_own
    assert line.document == document
    assert verify_terms() == 1
    text = get_document(key=f"terms:{signed.id}")
    signature = base64.b64encode(signed.signature)
    assert text == document.body() + b"\n" + signature + b"\n"


def test_the_private_key_stands_nowhere_in_the_clear(street: Street) -> None:
    street.set_rule("alice", sell=300_000)
    key = SigningKey.objects.get()
    identity = identity_keys().get([key.participant.identity_slot])[key.participant.identity_slot]
    private = identity.unseal(bytes(key.sealed_private or b""), purpose="signing key in custody")
    assert len(private) == 32
    assert private not in bytes(key.sealed_private or b"")
    identity_keys().destroy([key.participant.identity_slot])
    with pytest.raises(AlreadyErased):
        street.set_rule("alice", sell=310_000)
    assert Offer.objects.filter(metering_point=street.point("alice")).count() == 2


@pytest.mark.parametrize(
    "change",
    [
        {"limit_price_micro": 299_999},
        {"limit_price_micro": None},
        {"version": 7},
        {"is_paused": True},
        {"valid_until": None},
    ],
)
def test_a_rule_that_differs_from_what_was_signed_is_named(
    street: Street, change: dict[str, object]
) -> None:
    point = street.point("alice")
    street.set_rule("alice", sell=300_000, valid_until=at(9))
    signed = only_signed()
    Offer.objects.filter(signed_terms=signed).update(**change)
    [current, _] = list_rule_versions(metering_point_ids=[point.id])[point.id]
    assert current.signature is not None and not current.signature.is_as_signed
    with pytest.raises(TermsBroken, match=f"terms:{signed.id} is not what was signed"):
        verify_terms()
    if "limit_price_micro" in change:
        street.send(PAIR)
        with pytest.raises(TermsBroken, match=f"terms:{signed.id} is not what was signed"):
            street.run(at(1))
        assert street.clearings() == []


def test_what_was_signed_cannot_be_edited(street: Street) -> None:
    street.set_rule("alice", sell=300_000)
    for act in (
        lambda: SignedTerms.objects.update(signature=b""),
        lambda: SignedTerms.objects.all().delete(),
        lambda: SigningKey.objects.update(public_key=b""),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()


def test_an_owner_who_edits_the_text_is_found_out(committed_db: CommittedDatabase) -> None:
    street = Street()
    street.set_rule("alice", sell=300_000)
    signed = only_signed()
    street.send(PAIR)
    with psycopg.connect(committed_db.owner_url) as connection:
        connection.execute("ALTER TABLE marketplace_signedterms DISABLE TRIGGER USER")
        body = bytes(signed.body).replace(b"300000", b"200000")
        connection.execute(
            "UPDATE marketplace_signedterms SET body = %s, sha256 = %s", [body, sha256_of(body)]
        )
        connection.execute("UPDATE marketplace_offer SET limit_price_micro = 200000")
    with pytest.raises(TermsBroken, match=f"terms:{signed.id} "):
        find_signed(participant_id=signed.participant_id, signed_terms_id=signed.id)
    with pytest.raises(TermsBroken, match=f"terms:{signed.id} "):
        verify_terms()
    said = committed_db.manage("verify_ledger", "--quiet", "--skip-checks")
    assert said.returncode == 1 and f"terms:{signed.id} is not what was signed" in said.stderr
    with pytest.raises(TermsBroken, match=f"terms:{signed.id} "):
        street.run(at(1))


def test_with_an_own_key_only_the_member_signs(street: Street) -> None:
    private = own_key(street, "alice")
    with pytest.raises(SignatureNeeded):
        street.set_rule("alice", sell=300_000)
    body = draft(street, "alice").body()
    accept(street, "alice", body, private.sign(body))
    signed = only_signed()
    line = find_signed(participant_id=signed.participant_id, signed_terms_id=signed.id)
    assert line is not None and line.key.is_own and line.body.encode() == body
    street.set_rule("charlie", buy=500_000)
    street.send(PAIR)
    street.run(at(1))
    assert len(street.trades()) == 1
    keys = SigningKey.objects.filter(participant=signed.participant)
    assert [key.sealed_private for key in keys] == [None]


def test_a_text_that_is_not_the_hall_s_own_is_refused(street: Street) -> None:
    private = own_key(street, "alice")
    good = draft(street, "alice")
    stranger = Ed25519PrivateKey.generate()
    other = {"public_key": stranger.public_key().public_bytes_raw()}
    for document in (
        replace(good, version=9),
        replace(good, community_id=good.community_id + 1),
        replace(good, participant_id=street.point("bob").site.participant_id),
        replace(good, metering_point_id=street.point("bob").id),
        replace(good, sell_at_or_above_micro_per_kwh=10**9 + 1),
        replace(good, valid_until=START),
        replace(good, rules_sha256="00" * 32),
        replace(good, currency="EUR"),
        replace(good, issued_at=START - DRAFT_LASTS - timedelta(microseconds=1)),
        replace(good, issued_at=START + timedelta(seconds=1)),
        replace(good, **other),  # type: ignore[arg-type]  # one field of one type
    ):
        body = document.body()
        with pytest.raises(Invalid):
            accept(street, "alice", body, private.sign(body))
    body = good.body()
    for signature in (stranger.sign(body), bytes(64), b"", private.sign(body + b" ")):
        with pytest.raises(Invalid):
            accept(street, "alice", body, signature)
    assert not SignedTerms.objects.exists()
    accept(street, "alice", body, private.sign(body))
    with pytest.raises(Invalid):  # the same again would be another version
        accept(street, "alice", body, private.sign(body))


def test_a_key_is_registered_by_who_holds_it(street: Street) -> None:
    private, stranger = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    alice = street.point("alice").site.participant_id
    bob = street.point("bob").site.participant_id
    public = private.public_key().public_bytes_raw()
    body = own_key_body(participant_id=alice, public_key=public, issued_at=START)
    old = own_key_body(participant_id=alice, public_key=public, issued_at=START - timedelta(1))
    for participant_id, text, signature in (
        (alice, body, stranger.sign(body)),
        (bob, body, private.sign(body)),
        (alice, old, private.sign(old)),
        (alice, body + b"\n", private.sign(body + b"\n")),
    ):
        with pytest.raises(Invalid):
            use_own_key(participant_id=participant_id, body=text, signature=signature, now=START)
    assert not SigningKey.objects.exists()


def test_the_hall_takes_custody_again_with_a_new_key(street: Street) -> None:
    own_key(street, "alice")
    participant_id = street.point("alice").site.participant_id
    use_hall_key(participant_id=participant_id, now=at(1))
    use_hall_key(participant_id=participant_id, now=at(1))
    document = street.set_rule("alice", sell=300_000, now=at(1))
    first, second = SigningKey.objects.order_by("id")
    assert (first.is_own, first.ended_at) == (True, at(1))
    assert (second.is_own, bytes(second.public_key)) == (False, document.public_key)
    assert InboxCommand.objects.filter(key__startswith="signing-key:").count() == 2


@pytest.mark.parametrize("is_own", [False, True])
def test_a_revocation_is_signed_too_and_ends_the_rule(street: Street, is_own: bool) -> None:
    point = street.point("alice")
    private = own_key(street, "alice") if is_own else None
    if private is None:
        street.set_rule("alice", sell=300_000)
    else:
        body = draft(street, "alice").body()
        accept(street, "alice", body, private.sign(body))
    terms = only_signed()
    street.set_rule("charlie", buy=500_000)
    if private is None:
        revoked = revoke_standing_rule(metering_point_id=point.id, now=at(1))
    else:
        with pytest.raises(SignatureNeeded):
            revoke_standing_rule(metering_point_id=point.id, now=at(1))
        body = draft_revocation(metering_point_id=point.id, now=at(1)).body()
        with pytest.raises(Invalid):
            revoke_standing_rule(
                metering_point_id=point.id, now=at(1), body=body, signature=bytes(64)
            )
        revoked = revoke_standing_rule(
            metering_point_id=point.id, now=at(1), body=body, signature=private.sign(body)
        )
    line = find_signed(participant_id=terms.participant_id, signed_terms_id=terms.id)
    assert line is not None and line.revoked_at == at(1)
    end = find_signed(participant_id=terms.participant_id, signed_terms_id=revoked.id)
    assert end is not None and isinstance(end.document, Revocation)
    assert end.document.revokes_sha256 == terms.sha256
    assert InboxCommand.objects.filter(key=f"terms:{revoked.id}").exists()
    for hour in (0, 1):
        street.send(PAIR, hour=hour)
    street.run(at(2))
    assert [len(street.trades(hour)) for hour in (0, 1)] == [1, 0]
    with pytest.raises(NotFound):
        revoke_standing_rule(metering_point_id=point.id, now=at(2))


def test_the_rule_set_s_default_is_nobody_s_signature(street: Street) -> None:
    point = street.point("alice")
    [version] = list_rule_versions(metering_point_ids=[point.id])[point.id]
    assert version.signature is None
    with pytest.raises(NotFound):
        revoke_standing_rule(metering_point_id=point.id, now=at(1))
    with pytest.raises(NotFound):
        draft(street, "alice")
