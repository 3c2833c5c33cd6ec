"""A standing rule as one signed text: one form, and one signature over it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from marketplace.domain.terms_document import (
    Revocation,
    TermsDocument,
    check_signature,
)
from marketplace.errors import Invalid, TermsBroken

EXAMPLE = TermsDocument(
    community_id=1,
    currency="CNY",
    metering_point_id=34,
    participant_id=56,
    version=2,
    sell_at_or_above_micro_per_kwh=-410_000,
    buy_at_or_below_micro_per_kwh=None,
    is_paused=False,
    valid_until=datetime(2026, 12, 31, 16, 0, tzinfo=UTC),
    rules_sha256="ab" * 32,
    issued_at=datetime(2026, 6, 15, 2, 0, 0, 1, tzinfo=UTC),
    public_key=Ed25519PrivateKey.from_private_bytes(b"s" * 32).public_key().public_bytes_raw(),
)
EXAMPLE_BODY = (
    b'{"buy_at_or_below_micro_per_kwh":null,"community":"1","currency":"CNY",'
    b'"issued":"1781488800000001","key":"/sFChnP2r+iSZLOAc0SuiyadElpQOFUgJofbWnEoV58=",'
    b'"metering_point":"34","participant":"56","rules":"' + b"ab" * 32 + b'",'
    b'"sell_at_or_above_micro_per_kwh":"-410000","state":"active",'
    b'"type":"heliopolis/standing-terms/1","valid_until":"1798732800000000","version":"2"}'
)
# 1970 to 9999
moments = st.integers(0, 253_370_764_800 * 10**6).map(
    lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)
prices = st.none() | st.integers(-(10**9), 10**9)
documents = st.builds(
    TermsDocument,
    community_id=st.integers(1, 2**62),
    currency=st.sampled_from(["CNY", "EUR"]),
    metering_point_id=st.integers(1, 2**62),
    participant_id=st.integers(1, 2**62),
    version=st.integers(1, 2**31),
    sell_at_or_above_micro_per_kwh=prices,
    buy_at_or_below_micro_per_kwh=prices,
    is_paused=st.booleans(),
    valid_until=st.none() | moments,
    rules_sha256=st.none() | st.just("cd" * 32),
    issued_at=moments,
    public_key=st.binary(min_size=32, max_size=32),
)


def test_the_text_is_frozen() -> None:
    assert EXAMPLE.body() == EXAMPLE_BODY
    assert TermsDocument.read(EXAMPLE_BODY) == EXAMPLE


@given(documents)
def test_a_text_has_one_form(document: TermsDocument) -> None:
    body = document.body()
    assert TermsDocument.read(body) == document
    written = json.loads(body)
    assert body == json.dumps(written, sort_keys=True, separators=(",", ":")).encode()
    assert not any(isinstance(value, int | float | bool) for value in written.values())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        EXAMPLE_BODY + b" ",
        EXAMPLE_BODY.replace(b'"34"', b"34"),
        EXAMPLE_BODY.replace(b'"34"', b'"034"'),
        EXAMPLE_BODY.replace(b'"34"', b'" 34"'),
        EXAMPLE_BODY.replace(b'"34"', b'"\\u0033\\u0034"'),
        EXAMPLE_BODY.replace(b'"version":"2"', b'"version":"2","x":null'),
        EXAMPLE_BODY.replace(b'"version":"2"', b'"version":"2","version":"2"'),
        EXAMPLE_BODY.replace(b'"active"', b'"asleep"'),
        EXAMPLE_BODY.replace(b"terms/1", b"terms/2"),
        EXAMPLE_BODY.replace(b"1798732800000000", b"9" * 40),
        EXAMPLE_BODY.replace(b"/sFC", b"/s*C"),
        EXAMPLE_BODY.replace(b'"community":"1"', b'"community":null'),
    ],
)
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        TermsDocument.read(body)
    with pytest.raises(Invalid):
        Revocation.read(body)


def test_a_signature_is_over_the_text_as_it_stands() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    signature = private.sign(EXAMPLE_BODY)
    check_signature(body=EXAMPLE_BODY, signature=signature, public_key=EXAMPLE.public_key)
    for body, given_signature, key in (
        (EXAMPLE_BODY.replace(b"410000", b"410001"), signature, EXAMPLE.public_key),
        (EXAMPLE_BODY, bytes(64), EXAMPLE.public_key),
        (EXAMPLE_BODY, b"", EXAMPLE.public_key),
        (EXAMPLE_BODY, signature, bytes(32)),
        (EXAMPLE_BODY, signature, b"short"),
    ):
        with pytest.raises(TermsBroken):
            check_signature(body=body, signature=given_signature, public_key=key)
