"""A command has one form in bytes, and everything else is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.commands import (
    AMOUNT_MAX,
    Command,
    Posting,
    TransferKind,
    Transfers,
    decode,
    encode,
)
from ledger.errors import CommandInvalid
from tests.ledger.bookkeeping import transfers

ids = st.integers(1, 2**63 - 1)
REFERENCE = "interval 7:1/3"


@st.composite
def any_transfers(draw: st.DrawFn) -> Transfers:
    count = draw(st.integers(1, 5))
    pairs = [draw(st.tuples(ids, ids).filter(lambda p: p[0] != p[1])) for _ in range(count)]
    amounts = [draw(st.integers(1, AMOUNT_MAX)) for _ in range(count)]
    kinds = [draw(st.sampled_from(TransferKind)) for _ in range(count)]
    return transfers(
        *((debit, credit, amount) for (debit, credit), amount in zip(pairs, amounts, strict=True)),
        kind=kinds,
        holds=[REFERENCE if kind >= TransferKind.POST else "" for kind in kinds],
        corrects=[draw(st.sampled_from(["", REFERENCE])) for _ in range(count)],
    )


@given(any_transfers())
def test_what_is_written_is_read_back_the_same(written: Transfers) -> None:
    body = encode(Posting(written))
    read = decode(body).transfers

    assert encode(Posting(read)) == body
    for name in ("debit", "credit", "amount", "code", "kinds"):
        assert (getattr(read, name) == getattr(written, name)).all()
    for name in ("holds", "corrects"):
        assert list(getattr(read, name) or [""] * len(read)) == list(getattr(written, name))


def test_the_form_is_sorted_compact_and_made_of_strings() -> None:
    body = encode(Posting(transfers((12, 7, 250_000), (12, 9, 1))))

    assert body == (
        b'{"transfers":{"amount":["250000","1"],"code":["1","1"],'
        b'"credit":["7","9"],"debit":["12","12"]},"version":"1"}'
    )


PLAIN = {"amount": ["5"], "code": ["1"], "credit": ["2"], "debit": ["1"]}


def body_with(**columns: object) -> bytes:
    document = {"transfers": {**PLAIN, **columns}, "version": "1"}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_the_plain_body_of_these_tests_is_fine() -> None:
    assert len(decode(body_with()).transfers) == 1
    assert len(decode(body_with(hold=["a/0"], kind=["2"])).transfers) == 1


SPELLINGS = [
    "05",
    "+5",
    " 5",
    "5 ",
    "5_0",
    "-5",
    "0",
    "5.0",
    "5e0",
    "",
    "٥",
    "0x5",
    "NaN",
    "\u0000",
]
TOO_LARGE = [str(AMOUNT_MAX + 1), str(2**63), "9" * 5_000]
NOT_STRINGS = [5, 5.0, True, None, ["5"], {"5": "5"}]


@pytest.mark.parametrize("amount", [*SPELLINGS, *TOO_LARGE, *NOT_STRINGS])
def test_an_integer_has_one_spelling(amount: object) -> None:
    with pytest.raises(CommandInvalid):
        decode(body_with(amount=[amount]))


@pytest.mark.parametrize(
    "columns",
    [
        {"amount": "5"},
        {"amount": {"5": 1}},
        {"amount": []},
        {"amount": ["5", "5"]},
        {"debit": ["2"]},
        {"code": ["32768"]},
        {"code": ["-1"]},
        {"kind": ["0"]},
        {"kind": ["4"]},
        {"kind": ["-1"]},
        {"kind": ["2"]},
        {"kind": ["1"], "hold": ["a/0"]},
        {"hold": ["a/0"]},
        {"hold": [""]},
        {"corrects": [""]},
        {"corrects": [None]},
        {"corrects": [1]},
        {"corrects": "a"},
        {"corrects": 1},
        {"corrects": [["a/0"]]},
        {"corrects": ["a/0", "a/0"]},
        {"corrects": ["a"]},
        {"corrects": ["/0"]},
        {"corrects": ["a/00"]},
        {"corrects": ["a/-1"]},
        {"corrects": ["a/b/0"]},
        {"corrects": ["a/" + "9" * 5_000]},
        {"corrects": ["\u0000/0"]},
        {"corrects": ["\ud800/0"]},
        {"corrects": ["é/0"]},
        {"corrects": ["a/٣"]},
        {"corrects": ["a\n/0"]},
        {"corrects": ["a/0\n"]},
        {"corrects": ["x" * 201 + "/0"]},
        {"extra": ["1"]},
    ],
)
def test_a_column_of_another_shape_is_refused(columns: dict[str, object]) -> None:
    with pytest.raises(CommandInvalid):
        decode(body_with(**columns))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"transfers":[],"version":"1"}',
        b'{"transfers":"x","version":"1"}',
        body_with() + b"\n",
        b" " + body_with(),
        body_with().replace(b'"version":"1"', b'"version":"2"'),
        body_with().replace(b'"version":"1"', b'"version":1'),
        body_with().replace(b',"version":"1"', b""),
        body_with().replace(b'"code"', b'"amount":["5"],"code"'),
        body_with().replace(b'["5"]', b'["\\u0035"]'),
        body_with().replace(b'["5"]', b"[NaN]"),
        body_with().replace(b'["5"]', b"[Infinity]"),
        body_with().decode().encode("utf-16"),
        b"[" * 100_000,
        b'{"transfers":' + b"[" * 100_000,
        b'{"version":"1","transfers":' + json.dumps(PLAIN).encode() + b"}",
    ],
)
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(CommandInvalid):
        decode(body)


@pytest.mark.parametrize("key", ["", "a/b", "ü", "a\x00", "a\n", 'a"', "a\\b", "x" * 201, "\x7f"])
def test_a_key_that_could_be_misread_is_refused(key: str) -> None:
    with pytest.raises(CommandInvalid, match="command key"):
        Command.of(key, transfers((1, 2, 3)))


def test_the_fingerprint_covers_the_key() -> None:
    rows = transfers((1, 2, 3))

    assert Command.of("a", rows).fingerprint == Command.of("a", rows).fingerprint
    assert Command.of("a", rows).fingerprint != Command.of("b", rows).fingerprint


def test_columns_of_other_types_or_lengths_are_refused() -> None:
    one, two = np.array([1], dtype=np.int64), np.array([2], dtype=np.int64)
    with pytest.raises(CommandInvalid, match="int64"):
        Transfers(debit=one, credit=two, amount=one.astype(np.int32), code=one)
    with pytest.raises(CommandInvalid, match="one length"):
        Transfers(debit=one, credit=np.array([2, 3], dtype=np.int64), amount=one, code=one)
    with pytest.raises(CommandInvalid, match="one length"):
        Transfers(debit=one[:, None], credit=two[:, None], amount=one[:, None], code=one[:, None])
    with pytest.raises(CommandInvalid, match="at least one"):
        Transfers(debit=one[:0], credit=one[:0], amount=one[:0], code=one[:0])
