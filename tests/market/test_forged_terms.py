"""Terms that somebody with the database alone puts in force: what was never signed, or not then."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.services import submit
from marketplace.domain.terms_document import own_key_body, sha256_of
from marketplace.errors import Invalid, TermsBroken
from marketplace.models import Offer, Request, SignedTerms, SigningKey
from marketplace.queries.signed_terms import log_key, logged_document, verify_terms
from marketplace.services.erasure import erase_subject, plan_erasure_of_participant
from marketplace.services.signed_terms import use_own_key
from marketplace.services.standing import revoke_standing_rule
from tests.market.street import START, Street, at
from tests.market.test_signed_terms import PAIR, draft, only_signed, own_key

# Points of small order, under which one signature holds for every text or for many.
WEAK_KEYS = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]


@pytest.fixture
def street(db: None) -> Street:
    return Street()


def slip_in(street: Street, *, version: int, now: datetime = START, **fields: object) -> None:
    """Put a rule of Alice's in force as somebody does who has the database alone."""
    point = street.point("alice")
    for listing in (Offer, Request):
        rows = listing._default_manager
        rows.filter(metering_point=point, valid_until=None).update(valid_until=now)
        rows.create(
            participant=point.site.participant,
            metering_point=point,
            version=version,
            valid_from=now,
            created_at=now,
            **fields,
        )


def test_a_limit_that_nobody_signed_is_not_traded_on(street: Street) -> None:
    slip_in(street, version=2, limit_price_micro=200_000)
    street.send(PAIR)
    with pytest.raises(TermsBroken, match="limit that nobody signed"):
        street.run(at(1))
    assert street.clearings() == []
    with pytest.raises(TermsBroken, match="limit that nobody signed"):
        verify_terms()


@pytest.mark.parametrize("logged", ["nothing", "the terms", "the key"])
def test_terms_slipped_in_beside_the_log_are_named(street: Street, logged: str) -> None:
    private = own_key(street, "alice")
    document, key = draft(street, "alice"), SigningKey.objects.get()
    if logged != "the key":
        private = Ed25519PrivateKey.generate()
        public_key = private.public_key().public_bytes_raw()
        document = replace(document, public_key=public_key)
        key = SigningKey.objects.create(
            participant=key.participant, public_key=public_key, created_at=START, ended_at=START
        )
    signed = SignedTerms.objects.create(
        participant=key.participant,
        metering_point_id=document.metering_point_id,
        key=key,
        body=document.body(),
        sha256=sha256_of(document.body()),
        signature=private.sign(document.body()),
        created_at=START,
    )
    slip_in(street, version=2, signed_terms=signed)
    Offer.objects.filter(signed_terms=signed).update(limit_price_micro=300_000)
    if logged == "the terms":
        submit(commands=[logged_document(signed).command(log_key(signed.id))], submitted_at=START)
    with pytest.raises(TermsBroken, match=f"terms:{signed.id} "):
        verify_terms()


@pytest.mark.parametrize("attack", ["ended", "revived", "in force twice", "began earlier"])
def test_terms_in_force_when_they_were_not_are_named(street: Street, attack: str) -> None:
    street.set_rule("alice", sell=300_000)
    old = only_signed()
    street.set_rule("alice", sell=400_000, now=at(1))
    assert verify_terms() == 2
    new = SignedTerms.objects.exclude(id=old.id).get()
    if attack == "ended":
        Offer.objects.filter(signed_terms=new).update(valid_until=at(2))
    elif attack == "revived":
        Offer.objects.filter(signed_terms=old).update(valid_until=None)
    elif attack == "in force twice":
        slip_in(street, version=4, now=at(2), signed_terms=old)
        Offer.objects.filter(version=4).update(limit_price_micro=300_000)
    else:
        Offer.objects.filter(signed_terms=new).update(valid_from=START)
    with pytest.raises(TermsBroken, match="terms:"):
        verify_terms()


def test_what_a_member_or_an_erasure_ended_is_whole(street: Street) -> None:
    alice, bob = street.point("alice"), street.point("bob")
    street.set_rule("alice", sell=300_000, valid_until=at(9))
    revoke_standing_rule(metering_point_id=alice.id, now=at(1))
    street.set_rule("alice", sell=350_000, now=at(2))
    street.set_rule("bob", sell=300_000)
    plan = plan_erasure_of_participant(participant_id=bob.site.participant_id)
    erase_subject(plan=plan, now=at(3))
    assert verify_terms() == 4


@pytest.mark.parametrize("weak", WEAK_KEYS)
def test_a_key_under_which_a_signature_binds_nobody_is_refused(street: Street, weak: str) -> None:
    alice = street.point("alice").site.participant_id
    signature = b"\x01" + bytes(63)  # needs no private key
    for tried in range(100):
        body = own_key_body(
            participant_id=alice,
            public_key=bytes.fromhex(weak),
            issued_at=START - timedelta(microseconds=tried),
        )
        with pytest.raises(Invalid):
            use_own_key(participant_id=alice, body=body, signature=signature, now=START)
